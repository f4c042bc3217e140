package page

import (
	"maps"
	"net/http"
	"strings"
)

// Wanted reports whether a request is for a whole page that a user will see. It looks at the
// method and the header only, and does not allocate.
//
// Browsers say what a response is for in Sec-Fetch-Dest and Sec-Fetch-Mode (Fetch
// Metadata, W3C). Libraries that replace pages by script send their own fields:
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
//	Astro's ClientRouter              nothing but the Accept: */* of fetch           no
//
// A prefetched page is wanted, because the browser may show it without another request. HEAD
// is wanted, because it has the same header as GET (RFC 9110, section 9.3.2).
func Wanted(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	h := r.Header
	dest := h.Get("Sec-Fetch-Dest")
	switch {
	case dest == "document": // almost every page; scripts cannot send this
		return AcceptsHTML(h["Accept"])
	case dest != "" && dest != "empty":
		return false
	case len(h["Hx-Request"]) > 0:
		return len(h["Hx-Boosted"]) > 0 || len(h["Hx-History-Restore-Request"]) > 0
	case len(h["Turbolinks-Referrer"]) > 0:
		return true
	}
	if target := h.Get("X-Up-Target"); target != "" {
		return target == "body" || target == "html"
	}
	if !AcceptsHTML(h["Accept"]) || len(h["Upgrade"]) > 0 || len(h["Turbo-Frame"]) > 0 {
		return false
	}
	by := h.Get("X-Requested-With")
	if strings.EqualFold(by, "XMLHttpRequest") {
		return false // other values do not say: Android's WebView sends the app's name for pages
	}
	if dest == "" || by == "swup" || len(h["X-Turbo-Request-Id"]) > 0 {
		return true
	}
	mode := h.Get("Sec-Fetch-Mode")
	return mode == "navigate" || mode == "same-origin"
}

// AcceptsHTML reports whether an Accept field names text/html, with a quality that is not 0
// (RFC 9110, sections 12.4.2 and 12.5.1). "*/*" is not enough.
func AcceptsHTML(accept []string) bool {
	for _, v := range accept {
		if strings.HasPrefix(v, "text/html,") { // as every browser sends it
			return true
		}
		for part := range strings.SplitSeq(v, ",") {
			if valueIs(part, "text/html") && !isRefused(part) {
				return true
			}
		}
	}
	return false
}

// isRefused reports whether a media range of an Accept field has a quality of 0.
func isRefused(mediaRange string) bool {
	for param := range strings.SplitSeq(mediaRange, ";") {
		name, q, _ := strings.Cut(param, "=")
		if q = strings.TrimSpace(q); strings.EqualFold(strings.TrimSpace(name), "q") && q != "" {
			return strings.Trim(q, "0.") == ""
		}
	}
	return false
}

// hideFromHandler removes fields from the handler's request with which the page would not get
// the snippet. Validators of a page without the snippet would lead to a 304. Accept-Encoding
// would make the handler compress the page; it stays if an outer compressor has set
// Content-Encoding and needs it. The original header is not changed, because others use it.
func (p *Response) hideFromHandler(original http.Header) {
	_, encoding := original["Accept-Encoding"]
	encoding = encoding && p.encoding == ""
	validators, match := original["If-None-Match"]
	_, since := original["If-Modified-Since"]
	if !encoding && !match && !since {
		return
	}
	h := maps.Clone(original)
	if encoding {
		delete(h, "Accept-Encoding")
	}
	delete(h, "If-None-Match")
	delete(h, "If-Modified-Since")
	if own := ownValidators(validators, p.snippet.Tag()); own != "" {
		h["If-None-Match"] = []string{own}
		p.revalidates = true
	}
	p.Request.Header = h
}

// ownValidators returns the entity tags that end with tag, without it.
func ownValidators(values []string, tag string) string {
	var own []string
	for v := range strings.SplitSeq(strings.Join(values, ","), ",") {
		if plain, ok := strings.CutSuffix(strings.TrimSpace(v), tag+`"`); ok {
			own = append(own, plain+`"`)
		}
	}
	return strings.Join(own, ", ")
}
