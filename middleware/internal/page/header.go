package page

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// carry changes the header of a page that carries the snippet: one that is injected, the
// app's own rendering, or the one in the browser's cache. It is called once, before the
// header leaves.
func (w *writer) carry(h http.Header) {
	w.personalize(h)
	w.resp.snippet.Carry(h)
}

// personalize makes the header that of one user's page: no shared cache may keep the
// page, and its validators differ from those of the plain page. It sets "private" and not
// "no-store", which would disable the browser's back-forward cache.
func (w *writer) personalize(h http.Header) {
	for name := range h {
		switch name {
		case "Last-Modified", "Accept-Ranges",
			"Content-Md5", "Digest", "Content-Digest", "Repr-Digest", // RFC 9530 and before
			"Surrogate-Control", "X-Accel-Expires", "Edge-Control", "Akamai-Cache-Control":
			delete(h, name)
		default:
			if strings.HasSuffix(name, "Cdn-Cache-Control") { // RFC 9213 and its vendors' variants
				delete(h, name)
			}
		}
	}
	w.values[0] = private(h["Cache-Control"])
	h["Cache-Control"] = w.values[:1:1]
	if tag := h["Etag"]; len(tag) == 1 && isEntityTag(tag[0]) {
		h["Etag"] = []string{tag[0][:len(tag[0])-1] + w.resp.snippet.Tag() + `"`}
	} else {
		delete(h, "Etag")
	}
}

func isEntityTag(v string) bool {
	v = strings.TrimPrefix(v, "W/")
	return len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"'
}

// private rewrites Cache-Control (RFC 9111, section 5.2.2) for a page that only
// the user's own browser may keep.
func private(values []string) string {
	if len(values) == 0 {
		return "private"
	}
	var kept strings.Builder
	kept.WriteString("private")
	for d := range directives(values) {
		name, _, _ := strings.Cut(d, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "public", "private", "s-maxage", "proxy-revalidate":
		default:
			kept.WriteString(", " + d)
		}
	}
	return kept.String()
}

// contentLength returns the Content-Length in h, or false if there is none. An invalid one
// is negative.
func contentLength(h http.Header) (n int64, ok bool) {
	v := h["Content-Length"]
	if len(v) == 0 {
		return -1, false
	}
	n, err := strconv.ParseInt(v[0], 10, 62)
	if err != nil || len(v) > 1 {
		n = -1
	}
	return n, true
}

// restoreHeader reverts the changes to the header since the first byte and returns them:
// net/http would not have sent them, but they may be trailers.
func (w *writer) restoreHeader(h http.Header) (later http.Header) {
	if w.snapshot == nil {
		return nil
	}
	for name, values := range h {
		if !slices.Equal(values, w.before(name)) {
			if later == nil {
				later = http.Header{}
			}
			later[name] = values
		}
	}
	if later == nil && len(h) == len(w.snapshot) {
		return nil // the usual case
	}
	w.closed = true
	clear(h)
	for _, f := range w.snapshot {
		h[f.name] = f.values
	}
	return later
}

func (w *writer) before(name string) []string {
	for _, f := range w.snapshot {
		if f.name == name {
			return f.values
		}
	}
	return nil
}
