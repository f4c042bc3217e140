package page

import (
	"net/http"
	"strings"
)

// Wanted reports whether a request asks for a whole page to look at, by its method
// and header alone. Only the answer to such a request can get the snippet. It does
// not allocate.
//
// Browsers say what an answer is for in Sec-Fetch-Dest and Sec-Fetch-Mode (Fetch
// Metadata, W3C); libraries that replace pages by script have fields of their own:
//
//	Who asks                          What it sends                                  Wanted
//	a browser                         Sec-Fetch-Dest: document                       yes
//	a frame, an image, a script       Sec-Fetch-Dest: iframe, image, script, …       no
//	a service worker that passes a    Sec-Fetch-Dest: empty, Accept: text/html,…     yes
//	navigation on (Chromium, Firefox)   with Sec-Fetch-Mode: navigate or same-origin
//	a page's own fetch or XHR         Accept: */*, or X-Requested-With               no
//	an old browser, a tool            Accept: text/html, or without it               yes, no
//	Turbo Drive                       X-Turbo-Request-Id, Accept: text/html          yes
//	a Turbo Frame                     Turbo-Frame                                    no
//	Turbolinks 5                      Turbolinks-Referrer                            yes
//	htmx: boost, history              Hx-Boosted, Hx-History-Restore-Request         yes
//	htmx: anything else               Hx-Request                                     no
//	Unpoly: a page, a fragment        X-Up-Target: body or html; anything else       yes, no
//	Swup                              X-Requested-With: swup, Accept: text/html      yes
//	Astro's ClientRouter              Accept: text/html? it sends fetch's own */*    no
//
// A page that a browser prefetches is wanted: it will be looked at without another
// request. So is HEAD, because its header is that of GET (RFC 9110, section 9.3.2).
func Wanted(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	h := r.Header
	router := len(h["Hx-Boosted"]) > 0 || len(h["Hx-History-Restore-Request"]) > 0 || len(h["Turbolinks-Referrer"]) > 0
	if !router && !AcceptsHTML(h["Accept"]) {
		return false
	}
	dest := h["Sec-Fetch-Dest"]
	if len(dest) > 0 && dest[0] != "empty" {
		return dest[0] == "document" // no script can say so
	}
	if len(h["Upgrade"]) > 0 || len(h["Turbo-Frame"]) > 0 {
		return false
	}
	if router || len(h["X-Turbo-Request-Id"]) > 0 {
		return true
	}
	if target := h["X-Up-Target"]; len(target) > 0 {
		return target[0] == "body" || target[0] == "html"
	}
	if len(h["Hx-Request"]) > 0 {
		return false
	}
	if by := h["X-Requested-With"]; len(by) > 0 && strings.EqualFold(by[0], "XMLHttpRequest") {
		return false // Android's WebView names the app in this field, for pages too
	}
	if len(dest) == 0 || len(h["X-Requested-With"]) > 0 && h["X-Requested-With"][0] == "swup" {
		return true
	}
	mode := h["Sec-Fetch-Mode"]
	return len(mode) > 0 && (mode[0] == "navigate" || mode[0] == "same-origin")
}

// AcceptsHTML reports whether text/html is named, with a quality that is not 0
// (RFC 9110, sections 12.4.2 and 12.5.1).
func AcceptsHTML(accept []string) bool {
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
