package middleware

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// refusal says why the response with this header cannot carry the prompt, or
// NoAnswer when it can. The head is the first bytes of the body, as far as they
// are needed; with sniff they tell the type, as they do for net/http.
func (w *writer) refusal(h http.Header, head []byte, sniff bool) Outcome {
	switch {
	case w.status != http.StatusOK && !(w.resp.m.opts.ErrorPages && w.status >= 400 && w.status <= 599):
		return Status
	case len(h["Content-Range"]) > 0:
		return Partial
	case h.Get("Content-Length") == "0":
		return Empty
	case attachment(h.Get("Content-Disposition")):
		return Attachment
	case hasDirective(h["Cache-Control"], "no-transform"), len(h["Signature"]) > 0: // RFC 9111, 5.2.2.6; RFC 9421
		return NoTransform
	case !w.isPlain(h, head):
		return Encoded
	case sniff && len(head) == 0:
		return Empty
	case sniff:
		return media(http.DetectContentType(head))
	}
	return media(h.Get("Content-Type"))
}

// isPlain reports whether the body is not compressed. An encoding that was
// there before the handler ran belongs to an outer compressor, which will
// compress what is written here; any other was made inside.
func (w *writer) isPlain(h http.Header, head []byte) bool {
	encoding := h.Get("Content-Encoding")
	return encoding == "" || strings.EqualFold(encoding, "identity") || encoding == w.encoding && !isGzip(head)
}

// isGzip tells a body that its handler has compressed from a plain one under an
// outer compressor (RFC 1952, section 2.3.1).
func isGzip(b []byte) bool { return len(b) >= 2 && b[0] == 0x1f && b[1] == 0x8b }

func attachment(disposition string) bool {
	kind, _, _ := strings.Cut(disposition, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "attachment")
}

// media accepts text/html in any encoding in which the bytes of ASCII always
// stand for ASCII. In UTF-16 and UTF-32 they never do, in ISO-2022-JP and UTF-7
// not always.
func media(contentType string) Outcome {
	kind, rest, _ := strings.Cut(contentType, ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "text/html") {
		return NotHTML
	}
	if rest == "" {
		return NoAnswer
	}
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return NoAnswer // the browser guesses an encoding that contains ASCII
	}
	charset := strings.ToLower(params["charset"])
	for _, wide := range []string{"utf-16", "utf16", "utf-32", "utf-7", "iso-2022-", "hz-gb", "ucs-2", "csiso2022"} {
		if strings.HasPrefix(charset, wide) {
			return Charset
		}
	}
	return NoAnswer
}

// personalize changes the header of a page that carries one user's prompt: no
// shared cache keeps it, and its validators are not those of the plain page.
// It is "private" and not "no-store", which would disable the browser's
// back-forward cache.
func (w *writer) personalize(h http.Header) {
	delete(h, "Last-Modified")
	delete(h, "Accept-Ranges")
	for name := range h {
		switch name {
		case "Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "Surrogate-Control", "X-Accel-Expires", "Edge-Control":
			delete(h, name)
		default:
			if strings.HasSuffix(name, "Cdn-Cache-Control") { // RFC 9213 and its vendors' variants
				delete(h, name)
			}
		}
	}
	h["Cache-Control"] = private(h["Cache-Control"])
	if tag := h["Etag"]; len(tag) == 1 && strings.HasSuffix(tag[0], `"`) {
		h["Etag"] = []string{strings.TrimSuffix(tag[0], `"`) + w.resp.decision.snippet.tag + `"`}
	} else {
		delete(h, "Etag")
	}
}

var privateOnly = []string{"private"}

// private rewrites Cache-Control (RFC 9111, section 5.2.2) for a page that only
// the user's own browser may keep.
func private(values []string) []string {
	if len(values) == 0 {
		return privateOnly[:1:1]
	}
	kept := []string{"private"}
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			part = strings.TrimSpace(part)
			name, _, _ := strings.Cut(part, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "", "public", "private", "s-maxage", "proxy-revalidate":
			default:
				kept = append(kept, part)
			}
		}
	}
	return []string{strings.Join(kept, ", ")}
}

func hasDirective(values []string, directive string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), directive) {
				return true
			}
		}
	}
	return false
}

// lengthen adds the snippet to a declared Content-Length and returns what the
// handler declared, or -1 when it declared none. ok is false when the field
// makes no sense; net/http will say so.
func lengthen(h http.Header, by int) (declared int64, ok bool) {
	v := h["Content-Length"]
	if len(v) == 0 {
		return -1, true
	}
	n, err := strconv.ParseInt(v[0], 10, 62)
	if err != nil || n < 0 || len(v) > 1 {
		return 0, false
	}
	h["Content-Length"] = []string{strconv.FormatInt(n+int64(by), 10)}
	return n, true
}
