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

// isText reports whether the content of an element is text up to its own end tag, as
// that of noscript is where scripts run.
func isText(name []byte) bool {
	return isOneOf(name, "script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript")
}

// isInert reports whether a snippet in an element would not be shown, or not stay there.
func isInert(name []byte) bool {
	return isOneOf(name, "template", "table", "select", "object", "button")
}

func isForeign(name []byte) bool { return isOneOf(name, "svg", "math") }

// isEndless reports whether nothing behind an element is shown.
func isEndless(name []byte) bool { return isOneOf(name, "plaintext", "frameset") }

// nameAt returns the tag name that b begins with.
func nameAt(b []byte) []byte {
	n := 0
	for n < len(b) && b[n] != '>' && b[n] != '/' && !isSpace(b[n]) {
		n++
	}
	return b[:n]
}

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
	from := s.i
	s.skip(space + "/")
	if s.i == len(s.b) {
		s.open = true
		return false
	}
	if s.b[s.i] == '>' {
		s.selfClosing = s.i > from && s.b[s.i-1] == '/'
		s.i++
		return false
	}
	s.key, s.value = s.until(1, space+"=/>"), nil // a name may begin with "="
	s.skip(space)
	if s.i == len(s.b) || s.b[s.i] != '=' {
		return true
	}
	s.i++
	s.skip(space)
	if s.i == len(s.b) {
		return true
	}
	if quote := s.b[s.i : s.i+1]; quote[0] == '"' || quote[0] == '\'' {
		s.i++
		s.value = s.until(0, string(quote))
		s.skipPast(string(quote))
	} else {
		s.value = s.until(0, space+">")
	}
	return true
}

// until moves to the first of the bytes in end, but not before the next n, and
// returns what it has passed.
func (s *scanner) until(n int, end string) []byte {
	from := s.i
	if s.i += n; s.i < len(s.b) {
		if found := bytes.IndexAny(s.b[s.i:], end); found >= 0 {
			s.i += found
		} else {
			s.i = len(s.b)
		}
	}
	return s.b[from:s.i]
}

func (s *scanner) skip(any string) {
	s.i = len(s.b) - len(bytes.TrimLeft(s.b[s.i:], any))
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
	name := s.name
	isScript := isOneOf(name, "script")
	for state := plain; s.i < len(s.b); s.i++ {
		switch rest := s.b[s.i:]; {
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
