package page

import "bytes"

// A scanner reads HTML as a tokenizer does (HTML standard, 13.2.5). It knows as
// much about elements as it takes to tell tags from text.
type scanner struct {
	b []byte
	i int

	name        []byte // of the latest tag
	key, value  []byte // of its latest attribute
	selfClosing bool
	quarters    uint8 // which quarters of b have a tag, a bit for each
	resumed     bool  // a comment, or an element whose content is text, has ended
	closing     int   // where the closing tags begin that b ends with so far, or -1
	inert       int   // open elements in which the snippet would not be shown, or not stay
	foreign     int   // open svg and math, the same; in them a text element may close itself
	open        bool  // b ends inside a tag, a comment or text that only an end tag ends
}

var (
	// textElements contain text up to their own end tag, noscript where scripts run.
	textElements = []string{"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript"}
	// A snippet in inertElements would not be shown, or not stay there.
	inertElements   = []string{"template", "table", "select", "object", "button"}
	foreignElements = []string{"svg", "math"}
	// Nothing behind endlessElements is shown.
	endlessElements = []string{"plaintext", "frameset"}
)

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
	if !s.open && isPlain(s.name) {
		s.quarters |= 1 << (4 * (s.i - 1) / len(s.b))
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
		s.i++
		s.skipPast(string(rest[:1]))
		s.value, _, _ = bytes.Cut(rest[1:], rest[:1])
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
	name, isScript := s.name, isOneOf(s.name, "script")
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
