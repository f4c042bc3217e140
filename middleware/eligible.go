package middleware

import (
	"net/http"
	"strings"
)

// Eligible reports whether r asks for a whole page to look at, by its method
// and header alone. Only such a request can get a prompt. It is cheap, so that
// an adapter need not find out who the user is for anything else.
//
// A browser says what it wants the answer for in Sec-Fetch-Dest (Fetch
// Metadata, W3C). Without it the request must at least name text/html in
// Accept; clients that take anything are tools. Libraries that swap whole
// pages by script (Turbo; htmx's boost, which takes anything) are told from
// those that want a fragment by their own fields. A page that a browser prefetches is a page: it
// will be looked at without another request.
//
// The page that answers a POST is one too, if Options.PostPages says so. HEAD is
// eligible because its header is to be that of GET (RFC 9110, section
// 9.3.2); it is never injected.
func (m *Middleware) Eligible(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		if !m.opts.PostPages {
			return false
		}
	default:
		return false
	}
	h := r.Header
	if !acceptsHTML(h["Accept"]) && len(h["Hx-Boosted"]) == 0 {
		return false
	}
	dest := h["Sec-Fetch-Dest"]
	if len(dest) > 0 && dest[0] != "empty" {
		return dest[0] == document // no script can say so
	}
	if len(h["Upgrade"]) > 0 || len(h["Turbo-Frame"]) > 0 {
		return false
	}
	if len(dest) == 0 && len(h["Hx-Request"]) == 0 && !isXHR(h["X-Requested-With"]) {
		return true
	}
	return len(h["Hx-Boosted"]) > 0 || len(h["X-Turbo-Request-Id"]) > 0
}

// document is the destination of a page of its own: not that of a frame.
const document = "document"

// isNavigation reports whether a request with the header h is known to ask for
// a page of its own.
func isNavigation(h http.Header) bool {
	dest := h["Sec-Fetch-Dest"]
	return len(dest) > 0 && dest[0] == document
}

// isXHR reports what script libraries say of their requests. Android's WebView
// names the app in the same field, of pages too.
func isXHR(requestedWith []string) bool {
	return len(requestedWith) > 0 && strings.EqualFold(requestedWith[0], "XMLHttpRequest")
}

// acceptsHTML reports whether text/html is named, with a quality that is not 0
// (RFC 9110, sections 12.4.2 and 12.5.1).
func acceptsHTML(accept []string) bool {
	for _, v := range accept {
		if strings.HasPrefix(v, "text/html,") { // every browser's
			return true
		}
		for part := range strings.SplitSeq(v, ",") {
			mediaType, params, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(mediaType), "text/html") && !isRefused(params) {
				return true
			}
		}
	}
	return false
}

// isRefused reports whether the parameters of an element of an Accept field
// hold a quality of 0.
func isRefused(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, q, _ := strings.Cut(param, "=")
		if q = strings.TrimSpace(q); strings.EqualFold(strings.TrimSpace(name), "q") && q != "" {
			return strings.Trim(q, "0.") == ""
		}
	}
	return false
}
