package page

import (
	"bytes"
	"math/bits"
)

// opening is what the beginning of a page says.
type opening struct {
	document bool    // it has a doctype, or an html, head or body tag
	language string  // the lang attribute of that tag
	refusal  Outcome // why the page cannot have the snippet, or OutcomeNoAnswer
}

// headSize is the size of the beginning that is read.
const headSize = 1 << 10

// readOpening reads the beginning of a page: a byte order mark, then white space, comments,
// processing instructions and a doctype, up to the first tag.
func readOpening(head []byte) opening {
	o := opening{refusal: OutcomeFragment}
	s := scanner{rest: bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))}
	for {
		s.rest = bytes.TrimLeft(s.rest, whiteSpace)
		switch {
		case hasPrefixFold(s.rest, "<!--"):
			s.rest = s.rest[len("<!--"):]
			s.skipComment()
		case hasPrefixFold(s.rest, "<?"):
			s.skipPast(">")
		case hasPrefixFold(s.rest, "<!doctype"):
			if !hasPrefixFold(bytes.TrimLeft(s.rest[len("<!doctype"):], whiteSpace), "html") {
				return o
			}
			o.document, o.refusal = true, OutcomeNoAnswer
			s.skipPast(">")
		case hasPrefixFold(s.rest, "<") && (kindOf(until(s.rest[1:], nameEnd)) == root || equalFold(until(s.rest[1:], nameEnd), "head")):
			o.document, o.refusal = true, OutcomeNoAnswer
			for s.rest = s.rest[len("<html"):]; s.attribute(); {
				switch {
				case equalFold(s.key, "lang") && o.language == "":
					o.language = string(s.value)
				case equalFold(s.key, "amp"), equalFold(s.key, "\u26a1"), hasPrefixFold(s.key, "amp4"), hasPrefixFold(s.key, "\u26a14"):
					o.refusal = OutcomeAMP // "amp4email" and the like mark other formats of AMP
				}
			}
			return o
		default:
			if len(head) == headSize && len(s.rest) < len("<!doctype html>") {
				o.refusal = OutcomeNoAnswer // the end decides: this is all white space and comments
			}
			return o
		}
	}
}

// endOf returns where the snippet goes in tail, the last bytes of a document: before the
// closing tags of the page, or at the very end if tail does not end with them. It returns
// false if a comment, a script, a template or the like is open there, or may be. If whole is
// true, tail is the whole document.
//
// The very end is a good place wherever no element is open: browsers insert an element after
// </body> or </html> into the body as well, and both tags are optional (HTML standard,
// 13.2.6.4.20, 13.2.6.4.23 and 13.1.2.4).
//
// A tail does not show what was opened before it. If it has closing tags, they are trusted.
// Otherwise it must contain the end of a comment, a script or the like, have tags in more
// than one place, or be prose, because an open script, style sheet or JSON block does not
// look like that. Where this is wrong, the snippet becomes part of the open text and does
// nothing.
func endOf(tail []byte, whole bool) (at int, ok bool) {
	s := scanner{rest: bytes.TrimRight(tail, whiteSpace)}
	s.size = len(s.rest)
	if !whole {
		s.resync()
	}
	closing := s.scan()
	switch {
	case s.open || s.hiding > 0 || s.foreign > 0:
		return 0, false
	case closing >= 0:
		return closing, true
	}
	return len(tail), whole || s.sure || bits.OnesCount8(s.quarters) > 1 || !bytes.ContainsAny(tail, "{};")
}

// closingTags returns the length of the suffix of b that may be the closing tags of the
// page: whole tags, perhaps followed by the beginning of another.
func closingTags(b []byte) int {
	b = b[max(0, len(b)-tailSize/4):]
	rest := b
	for {
		lt := bytes.LastIndexByte(rest, '<')
		if lt < 0 || !mayClose(rest[lt:]) {
			return len(b) - len(rest)
		}
		rest = rest[:lt]
	}
}

// mayClose reports whether b is a closing tag with nothing but white space after it, or the
// beginning of a closing tag.
func mayClose(b []byte) bool {
	for _, tag := range []string{"</body", "</html"} {
		n := min(len(b), len(tag))
		if hasPrefixFold(b, tag[:n]) {
			rest := bytes.TrimLeft(b[n:], whiteSpace)
			return len(rest) == 0 || rest[0] == '>' && len(bytes.TrimLeft(rest[1:], whiteSpace)) == 0
		}
	}
	return false
}

// A scanner reads HTML as a tokenizer does (HTML standard, 13.2.5). It knows just enough
// elements to tell tags from text, and to see whether one that hides a snippet is open.
type scanner struct {
	rest []byte // the input that has not been read
	size int    // the size of the whole input

	name        []byte // of the last tag
	key, value  []byte // of its last attribute
	selfClosing bool   // the last tag ends with "/>"

	open     bool  // the input ends inside a tag, a comment or the text of an element
	hiding   int   // the number of open elements of this kind
	foreign  int   // the number of open elements of this kind
	sure     bool  // a comment or the text of an element has ended, so tags are tags
	quarters uint8 // bit n is set if quarter n of the input has a tag
}

// kind is the kind of an element.
type kind uint8

const (
	ordinary kind = iota
	root          // html and body
	text          // contains only text up to its end tag, as noscript does where scripts run
	hiding        // a snippet in it is not shown, or browsers move it elsewhere
	foreign       // svg and math: like hiding, and a text element in it may be self-closing
	endless       // a snippet after it is not shown
)

// kindOf returns the kind of the element with this name.
func kindOf(name []byte) kind {
	var b [len("plaintext")]byte
	if len(name) > len(b) || len(name) < len("svg") {
		return ordinary
	}
	for i, c := range name {
		b[i] = lower[c]
	}
	switch string(b[:len(name)]) {
	case "html", "body":
		return root
	case "script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript":
		return text
	case "template", "table", "select", "object", "button":
		return hiding
	case "svg", "math":
		return foreign
	case "plaintext", "frameset":
		return endless
	}
	return ordinary
}

// resync skips to where text and tags begin. A tail may begin inside a comment or inside the
// text of an element. Then it has the end of one before the beginning of any other.
func (s *scanner) resync() {
	i := 0 // the size of what has been searched
	for {
		n := bytes.IndexByte(s.rest[i:], '<')
		if n < 0 {
			i = len(s.rest)
			break
		}
		i += n + 1
		tag := s.rest[i:]
		if hasPrefixFold(tag, "!--") || kindOf(until(tag, nameEnd)) == text {
			break
		}
		if hasPrefixFold(tag, "/") && kindOf(until(tag[1:], nameEnd)) == text {
			s.rest, i = tag[1:], 0
			s.tag()
			s.sure = true
			s.open = s.open || equalFold(s.name, "noframes") // a page with frames
		}
	}
	end := []byte("-->")
	if before := s.rest[:i]; bytes.Contains(before, end) { // LastIndex alone is slow
		s.rest = s.rest[bytes.LastIndex(before, end)+len(end):]
		s.sure = true
	}
}

// scan reads the input up to its end, or up to what makes the rest of it irrelevant. It
// returns the position of the closing tags that the page ends with, or -1.
func (s *scanner) scan() (closing int) {
	closing = -1
	for len(s.rest) > 0 && !s.open {
		lt := bytes.IndexByte(s.rest, '<')
		if lt < 0 {
			lt = len(s.rest)
		}
		if closing >= 0 && len(bytes.TrimLeft(s.rest[:lt], whiteSpace)) > 0 {
			closing = -1
		}
		s.rest = s.rest[lt:]
		at := s.size - len(s.rest)
		if at == s.size {
			break
		}
		if !s.markup() {
			closing = -1
		} else if closing < 0 {
			closing = at
		}
	}
	return closing
}

// markup reads an end tag, a start tag with the text of the element, or a comment, from "<"
// on. It reports whether it was </body> or </html>.
func (s *scanner) markup() (closing bool) {
	isEnd := false
	switch rest := s.rest[1:]; {
	case len(rest) > 0 && letter[rest[0]]:
		s.rest = rest
	case len(rest) > 1 && rest[0] == '/' && letter[rest[1]]:
		s.rest, isEnd = rest[1:], true
	case hasPrefixFold(rest, "!--"):
		s.rest = rest[len("!--"):]
		s.skipComment()
		return false
	case len(rest) == 0, len(rest) == 1 && rest[0] == '/':
		s.rest, s.open = nil, true // in the middle of a tag
		return false
	case rest[0] == '/', rest[0] == '!', rest[0] == '?':
		s.skipPast(">")
		return false
	default: // "<" is text
		s.rest = rest
		return false
	}
	s.tag()
	step := 1
	if isEnd {
		step = -1
	} else if s.open || s.selfClosing && s.foreign > 0 {
		return false
	}
	switch kindOf(s.name) {
	case root:
		return isEnd
	case text:
		if !isEnd {
			s.skipText()
		}
	case hiding:
		s.hiding = max(0, s.hiding+step) // the start tag may be before the tail
	case foreign:
		if isEnd || !s.selfClosing {
			s.foreign = max(0, s.foreign+step)
		}
	case endless:
		s.open = true
	}
	return false
}

// tag reads the name and the attributes of a tag, up to ">".
func (s *scanner) tag() {
	s.name = until(s.rest, nameEnd)
	s.rest = s.rest[len(s.name):]
	for s.attribute() {
	}
	if quarter := uint8(1) << (4 * (s.size - len(s.rest) - 1) / s.size); s.quarters&quarter == 0 && !s.open && len(bytes.Trim(s.name, letters+"0123456789-")) == 0 {
		s.quarters |= quarter // with another name, it may be an expression such as a<b&&c>d
	}
}

// attribute reads the next attribute of a tag, or returns false at the end of the tag.
// Quotes count only after "=" (13.2.5.32 to 13.2.5.40).
func (s *scanner) attribute() bool {
	for s.selfClosing = false; len(s.rest) > 0 && (s.rest[0] == '/' || space[s.rest[0]]); s.rest = s.rest[1:] {
		s.selfClosing = s.rest[0] == '/'
	}
	if len(s.rest) == 0 {
		s.open = true
		return false
	}
	if s.rest[0] == '>' {
		s.rest = s.rest[1:]
		return false
	}
	n := 1 + len(until(s.rest[1:], keyEnd)) // a name may begin with "="
	s.key, s.value = s.rest[:n], nil
	s.rest = bytes.TrimLeft(s.rest[n:], whiteSpace)
	if len(s.rest) > 0 && s.rest[0] == '=' {
		s.rest = bytes.TrimLeft(s.rest[1:], whiteSpace)
		s.attributeValue()
	}
	return true
}

func (s *scanner) attributeValue() {
	if len(s.rest) > 0 && (s.rest[0] == '"' || s.rest[0] == '\'') {
		var closed bool
		s.value, s.rest, closed = bytes.Cut(s.rest[1:], s.rest[:1])
		s.open = s.open || !closed
		return
	}
	s.value = until(s.rest, valueEnd)
	s.rest = s.rest[len(s.value):]
}

// skipText reads the text of an element and its end tag. In a script, "<script" after
// "<!--" escapes the next end tag (13.2.5.15 to 13.2.5.31).
func (s *scanner) skipText() {
	const plain, escaped, doubly = 0, 1, 2
	name, isScript, state := s.name, equalFold(s.name, "script"), plain
	for i := 0; i < len(s.rest); i++ {
		switch rest := s.rest[i:]; {
		case rest[0] != '<' && rest[0] != '-':
		case hasPrefixFold(rest, "</") && equalFold(until(rest[2:], nameEnd), name):
			if state != doubly {
				s.rest = rest[2:]
				s.tag()
				s.sure = true
				return
			}
			state = escaped
		case !isScript:
		case state == plain && hasPrefixFold(rest, "<!--"):
			state = escaped
			i++ // the dashes may belong to "-->" as well
		case state != plain && hasPrefixFold(rest, "-->"):
			state = plain
		case state == escaped && rest[0] == '<' && equalFold(until(rest[1:], nameEnd), name):
			state = doubly
		}
	}
	s.rest, s.open = nil, true
}

// skipComment reads the rest of a comment after "<!--", up to "-->" or "--!>". "<!-->" and
// "<!--->" are comments, too (13.2.5.43 to 13.2.5.52).
func (s *scanner) skipComment() {
	whole := hasPrefixFold(s.rest, ">") || hasPrefixFold(s.rest, "->")
	for !whole && !s.open {
		s.skipPast("--")
		s.rest = bytes.TrimLeft(s.rest, "-")
		whole = hasPrefixFold(s.rest, ">") || hasPrefixFold(s.rest, "!>")
	}
	s.skipPast(">")
	s.sure = s.sure || whole
}

// skipPast reads up to and including end.
func (s *scanner) skipPast(end string) {
	_, rest, found := bytes.Cut(s.rest, []byte(end))
	s.rest, s.open = rest, s.open || !found
}

// byteSet is a set of bytes.
type byteSet [256]bool

const (
	whiteSpace = " \t\n\r\f" // as the HTML standard defines it
	letters    = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

var (
	space    = newByteSet(whiteSpace)
	letter   = newByteSet(letters)
	nameEnd  = newByteSet(whiteSpace + "/>")
	keyEnd   = newByteSet(whiteSpace + "/>=")
	valueEnd = newByteSet(whiteSpace + ">")
)

func newByteSet(members string) *byteSet {
	var set byteSet
	for _, c := range []byte(members) {
		set[c] = true
	}
	return &set
}

// until returns b up to the first byte that is in stops.
func until(b []byte, stops *byteSet) []byte {
	for i, c := range b {
		if stops[c] {
			return b[:i]
		}
	}
	return b
}

// lower maps the letters of ASCII to lower case, and other bytes to themselves.
var lower = func() (table [256]byte) {
	for i := range table {
		table[i] = byte(i)
	}
	for c := 'A'; c <= 'Z'; c++ {
		table[c] = byte(c) + 'a' - 'A'
	}
	return table
}()

// equalFold compares names and ignores the case of ASCII letters only, as the HTML standard
// does. To bytes.EqualFold, </ſcript> would be the end of a script.
func equalFold[T string | []byte](a []byte, b T) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if lower[c] != lower[b[i]] {
			return false
		}
	}
	return true
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && equalFold(b[:len(prefix)], prefix)
}
