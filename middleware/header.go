package middleware

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// carry changes the header of a page that carries one user's prompt, be it
// ours, the app's own or the one in the browser's cache. It is called once, when
// the writer commits to it and before the header leaves: whatever else such a
// page is to have in its header belongs here.
func (w *writer) carry(h http.Header) {
	w.personalize(h)
	w.resp.root.countShowing(h)
}

// personalize makes a header that of one user's page: no shared cache keeps it,
// and its validators are not those of the plain page. It is "private" and not
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
		h["Etag"] = []string{tag[0][:len(tag[0])-1] + w.resp.root.rendered.Tag() + `"`}
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

// lengthen adds the snippet to a declared Content-Length and returns what the
// handler declared, or -1 when it declared none.
func (w *writer) lengthen(h http.Header, by int) (declared int64) {
	n, ok := contentLength(h)
	if !ok {
		return -1
	}
	w.values[1] = strconv.FormatInt(n+int64(by), 10)
	h["Content-Length"] = w.values[1:2:2]
	return n
}

// contentLength is what h declares; ok is false when it declares nothing, n is
// negative when it makes no sense.
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

// restoreHeader takes back what was done to the header after it was closed, and
// returns it: net/http would not have sent it, but it may be a trailer.
func (w *writer) restoreHeader(h http.Header) (later http.Header) {
	if w.snapshot == nil {
		return nil
	}
	for name, values := range h {
		if !slices.Equal(values, w.snapshot[name]) {
			if later == nil {
				later = http.Header{}
			}
			later[name] = values
		}
	}
	w.closed = w.closed || later != nil
	clear(h)
	maps.Copy(h, w.snapshot)
	return later
}
