// Package loopback recognises this machine's own addresses, which are the only
// ones that may be used without TLS.
package loopback

import (
	"net"
	"net/url"
)

// Secure reports whether nobody else can read what is sent to u: it is an https
// URL, or an http one of a loopback address.
func Secure(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "http" && URL(u) }

// URL reports whether u names a loopback address, or localhost.
func URL(u *url.URL) bool {
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
