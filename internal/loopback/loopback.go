// Package loopback recognises this machine's own addresses, which alone may be
// spoken to in the clear.
package loopback

import (
	"net"
	"net/url"
)

// URL reports whether u names a loopback address, or localhost.
func URL(u *url.URL) bool {
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
