package page

import (
	"net/http"
	"strings"
)

// Wanted reports whether a request asks for a whole page to look at. It decides by the
// method and the header alone, and does not allocate.
//
// Browsers say what a response is for in Sec-Fetch-Dest and Sec-Fetch-Mode (Fetch
// Metadata, W3C). Libraries that replace pages by script have fields of their own:
//
//	Client                            What it sends                                  Wanted
//	a browser                         Sec-Fetch-Dest: document, Accept: text/html,…  yes
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
//	Astro's ClientRouter              nothing but fetch's own Accept: */*            no
//
// A page that a browser prefetches is wanted, because it may be shown without another
// request. So is HEAD, because its header is that of GET (RFC 9110, section 9.3.2).
func Wanted(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	h := r.Header
	dest := first(h["Sec-Fetch-Dest"])
	switch {
	case dest == "document": // almost every page; no script can send this
		return AcceptsHTML(h["Accept"])
	case dest != "" && dest != "empty":
		return false
	case len(h["Hx-Request"]) > 0:
		return len(h["Hx-Boosted"]) > 0 || len(h["Hx-History-Restore-Request"]) > 0
	case len(h["Turbolinks-Referrer"]) > 0:
		return true
	}
	if target := first(h["X-Up-Target"]); target != "" {
		return target == "body" || target == "html"
	}
	if !AcceptsHTML(h["Accept"]) || len(h["Upgrade"]) > 0 || len(h["Turbo-Frame"]) > 0 {
		return false
	}
	by := first(h["X-Requested-With"])
	if strings.EqualFold(by, "XMLHttpRequest") {
		return false // Android's WebView names the app in this field, for pages too
	}
	if dest == "" || by == "swup" || len(h["X-Turbo-Request-Id"]) > 0 {
		return true
	}
	mode := first(h["Sec-Fetch-Mode"])
	return mode == "navigate" || mode == "same-origin"
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
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
