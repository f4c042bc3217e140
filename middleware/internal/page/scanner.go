package page

import "bytes"

// A scanner reads HTML as a tokenizer does (HTML standard, 13.2.5). It knows only as much
// about elements as it takes to distinguish tags from text.
type scanner struct {
	b []byte
	i int

	name        []byte // of the latest tag
	key, value  []byte // of its latest attribute
	selfClosing bool
	quarters    uint8 // which quarters of b have a tag, a bit for each
	resumed     bool  // a comment, or an element whose content is text, has ended
	closing     int   // where the closing tags at the end of what was read begin, or -1
	inert       int   // how many elements of that kind are open
	foreign     int   // the same
	open        bool  // b ends inside a tag, a comment or text that only an end tag ends
}

// kind is what an element is to the scanner.
type kind uint8

const (
	ordinary kind = iota
	root          // html and body
	text          // contains text up to its own end tag; noscript where scripts run
	inert         // a snippet in it would not be shown, or not stay there
	foreign       // the same; and a text element in it may close itself
	endless       // nothing behind it is shown
)

// kindOf returns the kind of the element with this name. It is called for every tag of
// the tail, so it looks the name up once instead of comparing it with every list.
func kindOf(name []byte) kind {
	var b [len("plaintext")]byte
	if len(name) > len(b) || len(name) < len("svg") {
		return ordinary
	}
	for i, c := range name {
		b[i] = lower(c)
	}
	switch string(b[:len(name)]) {
	case "html", "body":
		return root
	case "script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript":
		return text
	case "template", "table", "select", "object", "button":
		return inert
	case "svg", "math":
		return foreign
	case "plaintext", "frameset":
		return endless
	}
	return ordinary
}

// nameAt returns the tag name that b begins with.
func nameAt(b []byte) []byte {
	n := 0
	for n < len(b) && !endsName(b[n]) {
		n++
	}
	return b[:n]
}

func endsName(c byte) bool { return c == '>' || c == '/' || isSpace(c) }

// tag reads a name and the attributes up to ">".
func (s *scanner) tag() {
	s.name = nameAt(s.b[s.i:])
	s.i += len(s.name)
	for s.attribute() {
	}
	if quarter := uint8(1) << (4 * (s.i - 1) / len(s.b)); s.quarters&quarter == 0 && !s.open && isPlain(s.name) {
		s.quarters |= quarter
	}
}

// isPlain reports whether name is that of an element, and not from an expression
// such as a<b&&c>d.
func isPlain(name []byte) bool {
	for _, c := range name {
		if !isLetter(c) && c != '-' && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// attribute reads the next attribute of a tag. It returns false at the end of the
// tag. A quote means something only behind "=" (13.2.5.32 to 13.2.5.40).
func (s *scanner) attribute() bool {
	for s.selfClosing = false; s.i < len(s.b) && (s.b[s.i] == '/' || isSpace(s.b[s.i])); s.i++ {
		s.selfClosing = s.b[s.i] == '/'
	}
	if s.i == len(s.b) {
		s.open = true
		return false
	}
	from := s.i
	s.i++
	if s.b[from] == '>' {
		return false
	}
	for s.i < len(s.b) && s.b[s.i] != '=' && !endsName(s.b[s.i]) {
		s.i++
	}
	s.key, s.value = s.b[from:s.i], nil
	s.skipSpace()
	if s.i < len(s.b) && s.b[s.i] == '=' {
		s.i++
		s.skipSpace()
		s.attributeValue()
	}
	return true
}

func (s *scanner) attributeValue() {
	from := s.i
	if rest := s.b[from:]; len(rest) > 0 && (rest[0] == '"' || rest[0] == '\'') {
		var closed bool
		if s.value, _, closed = bytes.Cut(rest[1:], rest[:1]); closed {
			s.i += len(s.value) + 2
		} else {
			s.i, s.open = len(s.b), true
		}
		return
	}
	for s.i < len(s.b) && !isSpace(s.b[s.i]) && s.b[s.i] != '>' {
		s.i++
	}
	s.value = s.b[from:s.i]
}

func (s *scanner) skipSpace() {
	for s.i < len(s.b) && isSpace(s.b[s.i]) {
		s.i++
	}
}

func (s *scanner) skipPast(end string) {
	n := bytes.Index(s.b[s.i:], []byte(end))
	if n < 0 {
		s.i, s.open = len(s.b), true
		return
	}
	s.i += n + len(end)
}

// skipComment reads "<!--" up to "-->" or "--!>". Both dashes of the former may be
// those of "<!--", but not those of the latter (13.2.5.43 to 13.2.5.52).
func (s *scanner) skipComment() {
	text := s.i + len("<!--")
	for s.i += len("<!"); !s.open; s.i-- {
		s.skipPast("--")
		if rest := s.b[s.i:]; hasPrefixFold(rest, ">") || s.i >= text+len("--") && hasPrefixFold(rest, "!>") {
			s.skipPast(">")
			s.resumed = true
			return
		}
	}
}

// skipText reads the content of an element that is text, and its end tag. In a
// script, another "<script" behind "<!--" hides the next end tag (13.2.5.15 to
// 13.2.5.31).
func (s *scanner) skipText() {
	const plain, escaped, doubly = 0, 1, 2
	name, isScript := s.name, equalFold(s.name, "script")
	for state := plain; s.i < len(s.b); s.i++ {
		switch rest := s.b[s.i:]; {
		case rest[0] != '<' && rest[0] != '-':
		case hasPrefixFold(rest, "</") && equalFold(nameAt(rest[2:]), name):
			if state != doubly {
				s.i += len("</")
				s.tag()
				s.resumed = true
				return
			}
			state = escaped
		case !isScript:
		case state == plain && hasPrefixFold(rest, "<!--"):
			state = escaped
			s.i++ // its dashes may be those of "-->"
		case state != plain && hasPrefixFold(rest, "-->"):
			state = plain
		case state == escaped && rest[0] == '<' && equalFold(nameAt(rest[1:]), name):
			state = doubly
		}
	}
	s.open = true
}

// Names are compared in ASCII alone, as the HTML standard has it. bytes.EqualFold
// would take </ſcript> for the end of a script.

// space is ASCII white space as the HTML standard defines it.
const space = " \t\n\r\f"

func isSpace(c byte) bool {
	const set = 1<<' ' | 1<<'\t' | 1<<'\n' | 1<<'\r' | 1<<'\f'
	return c <= ' ' && set>>c&1 != 0 // one comparison for most bytes
}

func isBlank(b []byte) bool { return len(bytes.TrimLeft(b, space)) == 0 }

func isLetter(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// equalFold compares without regard to case.
func equalFold[T string | []byte](a []byte, b T) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if lower(c) != lower(b[i]) {
			return false
		}
	}
	return true
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && equalFold(b[:len(prefix)], prefix)
}
