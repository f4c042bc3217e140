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
// pages by script (Turbo, htmx's boost) are told from those that want a
// fragment by their own fields.
func (m *Middleware) Eligible(r *http.Request) bool {
	h := r.Header
	if r.Method != http.MethodGet || !acceptsHTML(h["Accept"]) || len(h["Upgrade"]) > 0 {
		return false
	}
	if len(h["Turbo-Frame"]) > 0 {
		return false
	}
	pageSwap := len(h["Hx-Boosted"]) > 0 || len(h["X-Turbo-Request-Id"]) > 0
	if !pageSwap && (len(h["Hx-Request"]) > 0 || len(h["X-Requested-With"]) > 0) {
		return false
	}
	switch dest := h["Sec-Fetch-Dest"]; {
	case len(dest) == 0:
		return true
	case dest[0] == "empty":
		return pageSwap
	default:
		return dest[0] == "document"
	}
}

// acceptsHTML reports whether text/html is named, with a quality that is not 0
// (RFC 9110, section 12.5.1).
func acceptsHTML(accept []string) bool {
	for _, v := range accept {
		for part := range strings.SplitSeq(v, ",") {
			mediaType, params, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(mediaType), "text/html") {
				q := strings.TrimSpace(params)
				return !(strings.HasPrefix(q, "q=0") && strings.Trim(q[3:], ".0") == "")
			}
		}
	}
	return false
}
