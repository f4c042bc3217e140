package page

import "bytes"

// opening is what the beginning of a page says.
type opening struct {
	document bool   // there is a doctype, or an html, head or body tag
	hidden   bool   // comments or white space fill all of the beginning
	amp      bool   // the first tag marks an AMP page
	language string // the first tag's lang attribute
}

// headSize is how much of the beginning is looked at.
const headSize = 1 << 10

// open reads the beginning of a page: a byte order mark, white space, comments and
// processing instructions, then a doctype or a tag.
func open(head []byte) (o opening) {
	s := scanner{b: bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))}
	for {
		s.skipSpace()
		rest := s.b[s.i:]
		switch {
		case hasPrefixFold(rest, "<!--"):
			s.skipComment()
		case hasPrefixFold(rest, "<?"):
			s.skipPast(">")
		case hasPrefixFold(rest, "<!doctype"):
			if !hasPrefixFold(bytes.TrimLeft(rest[len("<!doctype"):], space), "html") {
				return o
			}
			o.document = true
			s.skipPast(">")
		case hasPrefixFold(rest, "<") && (kindOf(nameAt(rest[1:])) == root || equalFold(nameAt(rest[1:]), "head")):
			s.i += len("<html")
			o.tag(&s)
			return o
		default:
			o.hidden = len(head) == headSize && len(rest) < len("<!doctype html>")
			return o
		}
	}
}

// tag reads the attributes of the page's first tag.
func (o *opening) tag(s *scanner) {
	o.document = true
	for s.attribute() {
		switch {
		case equalFold(s.key, "lang") && o.language == "":
			o.language = string(s.value)
		case equalFold(s.key, "amp"), equalFold(s.key, "\u26a1"), hasPrefixFold(s.key, "amp4"), hasPrefixFold(s.key, "\u26a14"):
			o.amp = true // "amp4email" and the like name another format of it
		}
	}
}

// refusal returns why the page cannot have the snippet, whatever its end is, or
// OutcomeNoAnswer.
func (o opening) refusal() Outcome {
	switch {
	case o.amp:
		return OutcomeAMP
	case !o.document && !o.hidden:
		return OutcomeFragment
	}
	return OutcomeNoAnswer
}
