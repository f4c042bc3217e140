package userjourneys

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// newHTTPClient returns a copy of hc, or the default client if hc is nil, that
// keeps redirects on the host of base.
func newHTTPClient(hc *http.Client, base *url.URL) *http.Client {
	c := http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: 10 * time.Second,
			IdleConnTimeout:       90 * time.Second,
			ForceAttemptHTTP2:     true,
		},
	}
	if hc != nil {
		c = *hc
	}
	c.CheckRedirect = stayOnHost(base, c.CheckRedirect)
	return &c
}

var errRedirect = errors.New("refused a redirect")

// stayOnHost refuses redirects to another scheme, host or port, because net/http
// keeps the Authorization header even on one to a subdomain. It also refuses
// redirects of a PUT or DELETE, which net/http would turn into a GET or repeat.
// Then it calls next, which may be nil.
func stayOnHost(base *url.URL, next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(r *http.Request, via []*http.Request) error {
		if via[0].Method != http.MethodGet {
			return fmt.Errorf("%w of a %s", errRedirect, via[0].Method)
		}
		if r.URL.Scheme != base.Scheme || !strings.EqualFold(r.URL.Host, base.Host) {
			return fmt.Errorf("%w to another host", errRedirect)
		}
		if len(via) > 5 {
			return fmt.Errorf("%w after 5 others", errRedirect)
		}
		if next == nil {
			return nil
		}
		err := next(r, via)
		if err == nil || err == http.ErrUseLastResponse { // which net/http compares with ==
			return err
		}
		return fmt.Errorf("%w: %w", errRedirect, err)
	}
}

const module = "github.com/askonce/askonce"

// userAgent returns the module and the version that is built into the program.
var userAgent = sync.OnceValue(func() string {
	version := "devel"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == module && strings.HasPrefix(m.Version, "v") {
				version = m.Version
			}
		}
	}
	return "askonce/" + version + " (+https://" + module + ")"
})
