package page

import "bytes"

// opening is what the beginning of a page says.
type opening struct {
	document bool   // there is a doctype, or an html, head or body tag
	amp      bool   // the html tag marks an AMP page
	language string // the html tag's lang attribute
}

// headSize is how much of the beginning is looked at. Comments, white space and
// processing instructions that fill it hide what comes after them; the page's end
// must then show that it is a document.
const headSize = 1 << 10

// open reads the beginning of a page: a byte order mark, white space, comments and
// processing instructions, then a doctype or a tag.
func open(head []byte) (o opening) {
	b := bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	for {
		b = bytes.TrimLeft(b, space)
		switch {
		case bytes.HasPrefix(b, []byte("<!--")):
			s := scanner{b: b}
			if s.skipComment(); s.open {
				return o
			}
			b = b[s.i:]
		case bytes.HasPrefix(b, []byte("<?")):
			b = behind(b, ">")
		case hasPrefixFold(b, "<!doctype"):
			name := bytes.TrimLeft(b[len("<!doctype"):], space)
			if !hasPrefixFold(name, "html") {
				return o
			}
			o.document = true
			b = behind(b, ">")
		case isTag(b, "html"):
			tag := b[len("<html"):]
			return opening{document: true, amp: isAMP(tag[:len(tag)-len(behind(tag, ">"))]), language: languageOf(tag)}
		case isTag(b, "head"), isTag(b, "body"):
			return opening{document: true}
		default:
			return o
		}
	}
}

// behind returns what follows the first end, or nothing.
func behind(b []byte, end string) []byte {
	_, after, _ := bytes.Cut(b, []byte(end))
	return after
}

func isTag(b []byte, name string) bool {
	n := 1 + len(name)
	return len(b) > n && b[0] == '<' && hasPrefixFold(b[1:], name) && (isSpace(b[n]) || b[n] == '>' || b[n] == '/')
}

// isAMP reports whether the attributes of an html tag have amp or its lightning
// bolt, alone or with the name of a format, as AMP's specification demands.
func isAMP(attributes []byte) bool {
	for _, a := range bytes.FieldsFunc(attributes, func(r rune) bool { return r == '>' || r == '/' || r < 0x80 && isSpace(byte(r)) }) {
		name, _, _ := bytes.Cut(a, []byte("="))
		if hasPrefixFold(name, "amp") && (len(name) == len("amp") || name[len("amp")] == '4') || bytes.HasPrefix(name, []byte("\u26a1")) {
			return true
		}
	}
	return false
}

// languageOf returns the value of the first lang attribute (HTML standard, 13.1.2.3)
// of the tag whose name b follows, or "".
func languageOf(b []byte) string {
	for {
		b = bytes.TrimLeft(b, space+"/")
		n := bytes.IndexAny(b, space+"=/>")
		if n <= 0 {
			return ""
		}
		name, rest := b[:n], bytes.TrimLeft(b[n:], space)
		var value []byte
		if rest, found := bytes.CutPrefix(rest, []byte("=")); found {
			value, b = attributeValue(bytes.TrimLeft(rest, space))
		} else {
			b = rest
		}
		if len(name) == len("lang") && hasPrefixFold(name, "lang") {
			return string(value)
		}
	}
}

// attributeValue reads what follows the equals sign of an attribute.
func attributeValue(b []byte) (value, rest []byte) {
	if len(b) > 0 && (b[0] == '"' || b[0] == '\'') {
		value, rest, _ = bytes.Cut(b[1:], b[:1])
		return value, rest
	}
	n := max(0, bytes.IndexAny(b, space+">"))
	return b[:n], b[n:]
}
