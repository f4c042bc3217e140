// Package loopback recognises the addresses of this machine, which are the only
// ones that may be used without TLS.
package loopback

import (
	"net"
	"net/url"
)

// Secure reports whether requests to u cannot be read on the network: u is an https
// URL, or an http URL of a loopback address.
func Secure(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "http" && URL(u) }

// URL reports whether u names a loopback address, or localhost.
func URL(u *url.URL) bool {
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
