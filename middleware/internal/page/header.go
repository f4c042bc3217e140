package page

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

// refusal returns why a response with this header cannot have the snippet, or
// OutcomeNoAnswer.
func (p *Response) refusal(h http.Header) Outcome {
	status := p.status
	if p.IsClaimed() && (status >= 200 && status < 300 && status != http.StatusNoContent || status >= 400) {
		return OutcomeRendered
	}
	if status != http.StatusOK {
		return OutcomeStatus
	}
	if !p.sniff { // first, because most responses that are no page have another type
		if o := typeRefusal(h["Content-Type"]); o != OutcomeNoAnswer {
			return o
		}
	}
	encoding := strings.Join(h["Content-Encoding"], ",")
	cacheControl := strings.ToLower(strings.Join(h["Cache-Control"], ","))
	switch {
	case len(h["Content-Range"]) > 0:
		return OutcomePartial
	case p.declared == invalidLength:
		return OutcomeNotHTML // net/http logs it
	case p.declared == 0:
		return OutcomeEmpty
	case valueIs(h.Get("Content-Disposition"), "attachment"):
		return OutcomeAttachment
	case strings.Contains(cacheControl, "no-transform"), len(h["Signature"]) > 0:
		return OutcomeNoTransform // RFC 9111, section 5.2.2.6; RFC 9421
	case encoding != "" && encoding != p.encoding && !strings.EqualFold(encoding, "identity"):
		return OutcomeEncoded // unless an outer compressor will compress what is written here
	}
	return OutcomeNoAnswer
}

// bodyRefusal returns why a response whose body begins with p.head cannot have the snippet,
// or OutcomeNoAnswer.
func (p *Response) bodyRefusal(when moment) Outcome {
	isHead := p.Request.Method == http.MethodHead
	switch {
	case p.IsClaimed():
		return OutcomeRendered
	case when == abandoned:
		return OutcomeUnfinished // Finish and Hijack know better, unless Hijack has failed
	case len(p.head) == 0 && when == atEnd && !isHead:
		return OutcomeEmpty
	case len(p.head) == 0 && p.sniff:
		return OutcomeNotHTML // net/http does not detect a type either
	case p.isCompressed():
		return OutcomeEncoded
	case p.sniff && !valueIs(http.DetectContentType(p.head), "text/html"):
		return OutcomeNotHTML
	case bytes.HasPrefix(p.head, []byte("\xfe\xff")), bytes.HasPrefix(p.head, []byte("\xff\xfe")): // the byte order mark of UTF-16 takes precedence over the header
		return OutcomeCharset
	case isHead:
		return OutcomeHeadOnly
	}
	return OutcomeNoAnswer
}

// isCompressed reports whether the handler has compressed the body for an outer compressor
// that has set Content-Encoding. Such a compressor may look for this too, so nothing is
// collected before it sees the handler's writes. The magic numbers are those of gzip
// (RFC 1952, section 2.3.1) and zstd (RFC 8878, section 3.1.1).
func (p *Response) isCompressed() bool {
	return p.encoding != "" && (bytes.HasPrefix(p.head, []byte("\x1f\x8b")) || bytes.HasPrefix(p.head, []byte("\x28\xb5")))
}

// notASCII lists charsets in which ASCII bytes do not always mean ASCII characters. The
// labels are from the Encoding standard, section 4.2, and from older software. Those of
// ISO 2022 begin with "iso-2022-".
var notASCII = []string{
	"utf-16", "utf-16le", "utf-16be", "utf16", "ucs-2", "iso-10646-ucs-2", "unicode", "csunicode", "unicodefeff", "unicodefffe",
	"utf-32", "utf-32le", "utf-32be", "utf-7", "csiso2022jp", "csiso2022kr", "hz-gb-2312", "replacement",
}

// typeRefusal returns why a page of this type cannot have the snippet, or OutcomeNoAnswer.
// A charset in a meta element is not read.
func typeRefusal(contentType []string) Outcome {
	if len(contentType) != 1 || !valueIs(contentType[0], "text/html") {
		return OutcomeNotHTML
	}
	for param := range strings.SplitSeq(contentType[0], ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "charset") {
			continue
		}
		label := strings.ToLower(strings.Trim(value, " \t\"'"))
		if strings.HasPrefix(label, "iso-2022-") || slices.Contains(notASCII, label) {
			return OutcomeCharset
		}
		break // the first one counts
	}
	return OutcomeNoAnswer
}

// valueIs reports whether a header value is want, apart from its parameters.
func valueIs(value, want string) bool {
	value, _, _ = strings.Cut(value, ";")
	return strings.EqualFold(strings.TrimSpace(value), want)
}

// personalize changes the header to that of a page for one user: shared caches must not keep
// the page, the browser must not show its copy again without asking, and the validators
// differ from those of the plain page. After "No thanks" they match nothing, and the browser
// gets the plain page. The page is not "no-store", which would disable the browser's
// back-forward cache; prompt.js looks after the pages in that.
func (p *Response) personalize(h http.Header) {
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
	control := "private, no-cache" // RFC 9111, section 5.2.2: no-cache overrides max-age and Expires
	quoted := false
	isComma := func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ',' && !quoted
	}
	for directive := range strings.FieldsFuncSeq(strings.Join(h["Cache-Control"], ","), isComma) {
		directive = strings.TrimSpace(directive)
		name, _, _ := strings.Cut(directive, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "", "public", "private", "no-cache", "s-maxage", "proxy-revalidate":
		default:
			control += ", " + directive
		}
	}
	p.values[0] = control
	h["Cache-Control"] = p.values[:1:1]
	if tag := h["Etag"]; len(tag) == 1 && isEntityTag(tag[0]) {
		h["Etag"] = []string{tag[0][:len(tag[0])-1] + p.snippet.Tag() + `"`}
	} else {
		delete(h, "Etag")
	}
}

func isEntityTag(v string) bool {
	v = strings.TrimPrefix(v, "W/")
	return len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"'
}
