package page

import (
	"iter"
	"net/http"
	"strings"
)

// refusal returns why a response with this header cannot have the snippet, whatever
// its body, or OutcomeNoAnswer.
func (w *writer) refusal(h http.Header) Outcome {
	status := w.status
	if w.resp.claim.by(byApp) && (status >= 200 && status < 300 && status != http.StatusNoContent || status >= 400) {
		return OutcomeRendered
	}
	if status != http.StatusOK {
		return OutcomeStatus
	}
	if !w.sniff { // most other responses are known by their type
		if o := media(h["Content-Type"]); o != OutcomeNoAnswer {
			return o
		}
	}
	length, declared := contentLength(h)
	switch {
	case len(h["Content-Range"]) > 0:
		return OutcomePartial
	case declared && length == 0:
		return OutcomeEmpty
	case declared && length < 0:
		return OutcomeNotHTML // net/http logs it
	case attachment(h["Content-Disposition"]):
		return OutcomeAttachment
	case hasDirective(h["Cache-Control"], "no-transform"), len(h["Signature"]) > 0: // RFC 9111, 5.2.2.6; RFC 9421
		return OutcomeNoTransform
	case !w.isPlain(h["Content-Encoding"]):
		return OutcomeEncoded
	}
	return OutcomeNoAnswer
}

// refusalByBody returns the same for the first bytes of the body.
func (w *writer) refusalByBody(head []byte, why cause) Outcome {
	switch {
	case w.resp.claim.by(byApp):
		return OutcomeRendered
	case len(head) == 0 && why == byEnd && w.resp.request.Method != http.MethodHead:
		return OutcomeEmpty
	case w.sniff && len(head) == 0:
		return OutcomeNotHTML // net/http sets no type either
	case w.encoding != "" && isCompressed(head):
		return OutcomeEncoded
	case w.sniff:
		return media([]string{http.DetectContentType(head)})
	case len(head) >= markSize && (head[0] == 0xfe && head[1] == 0xff || head[0] == 0xff && head[1] == 0xfe):
		return OutcomeCharset // a byte order mark takes precedence over the header
	}
	return OutcomeNoAnswer
}

// isPlain reports whether the body is not compressed. An encoding that was set before the
// handler ran is that of an outer compressor, which compresses what is written here. Any
// other was set by the handler or by something inside of the middleware.
func (w *writer) isPlain(encodings []string) bool {
	if len(encodings) == 0 {
		return true
	}
	e := encodings[0]
	return len(encodings) == 1 && (e == "" || strings.EqualFold(e, "identity") || e == w.encoding)
}

// isCompressed reports whether the handler has compressed the body, although an outer
// compressor has set Content-Encoding (RFC 1952, section 2.3.1; RFC 8878, section 3.1.1).
func isCompressed(b []byte) bool {
	return len(b) >= markSize && (b[0] == 0x1f && b[1] == 0x8b || b[0] == 0x28 && b[1] == 0xb5)
}

func attachment(disposition []string) bool {
	if len(disposition) == 0 {
		return false
	}
	kind, _, _ := strings.Cut(disposition[0], ";")
	return strings.EqualFold(strings.TrimSpace(kind), "attachment")
}

// media accepts text/html in any encoding in which the bytes of ASCII always stand for
// ASCII. In UTF-16 they never do, in ISO-2022-JP not always. The labels are those of the
// Encoding standard, section 4.2, and some older ones. An encoding that only a meta
// element names is not seen.
func media(contentType []string) Outcome {
	if len(contentType) != 1 {
		return OutcomeNotHTML
	}
	kind, params, _ := strings.Cut(contentType[0], ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "text/html") {
		return OutcomeNotHTML
	}
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "charset") {
			continue
		}
		switch label := strings.ToLower(strings.Trim(value, " \t\"'")); label {
		case "utf-16", "utf-16le", "utf-16be", "utf16", "ucs-2", "iso-10646-ucs-2", "unicode", "csunicode", "unicodefeff", "unicodefffe",
			"utf-32", "utf-32le", "utf-32be", "utf-7", "csiso2022jp", "csiso2022kr", "hz-gb-2312", "replacement":
			return OutcomeCharset
		default:
			if strings.HasPrefix(label, "iso-2022-") {
				return OutcomeCharset
			}
			return OutcomeNoAnswer
		}
	}
	return OutcomeNoAnswer
}

// directives lists those of Cache-Control.
func directives(values []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, v := range values {
			for d := range strings.SplitSeq(v, ",") {
				if d = strings.TrimSpace(d); d != "" && !yield(d) {
					return
				}
			}
		}
	}
}

func hasDirective(values []string, directive string) bool {
	for d := range directives(values) {
		if strings.EqualFold(d, directive) {
			return true
		}
	}
	return false
}
