package page

import "bytes"

// A scanner reads HTML as a tokenizer does (HTML standard, 13.2.5). It knows as
// much about elements as it takes to tell tags from text.
type scanner struct {
	b []byte
	i int

	name     []byte // of the latest tag
	quarters uint8  // which quarters of b have a tag, a bit for each
	resumed  bool   // a comment, or an element whose content is text, has ended
	closing  int    // where the closing tags begin that b ends with so far, or -1
	inert    int    // open elements in which the snippet would not be shown, or not stay
	foreign  int    // open svg and math, the same; in them a text element may close itself
	open     bool   // b ends inside a tag, a comment or text that only an end tag ends
}

// A kind is what a tag means to the scanner.
type kind uint8

const (
	anyTag     kind = iota
	pageTag         // html and body
	textTag         // its content is text up to its own end tag
	inertTag        // a snippet in it would not be shown, or would not stay there
	foreignTag      // svg and math
	endlessTag      // nothing behind it is shown
)

func kindOf(name []byte) kind {
	var lowered [len("plaintext")]byte
	if len(name) > len(lowered) {
		return anyTag
	}
	for i, c := range name {
		lowered[i] = lower(c)
	}
	switch string(lowered[:len(name)]) {
	case "html", "body":
		return pageTag
	case "script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript": // where scripts run, noscript is text too
		return textTag
	case "template", "table", "select", "object", "button":
		return inertTag
	case "svg", "math":
		return foreignTag
	case "plaintext", "frameset":
		return endlessTag
	}
	return anyTag
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

// tag reads a name and the attributes up to ">". A quote means something only
// behind "=" (13.2.5.32 to 13.2.5.40).
func (s *scanner) tag() (k kind, selfClosing bool) {
	s.name = nameAt(s.b[s.i:])
	s.i += len(s.name)
	for slash := false; s.i < len(s.b); {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '>':
			if isPlain(s.name) {
				s.quarters |= 1 << (4 * (s.i - 1) / len(s.b))
			}
			return kindOf(s.name), slash
		case !isSpace(c) && c != '/':
			s.attribute()
		}
		slash = c == '/'
	}
	s.open = true
	return anyTag, false
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

// attribute reads the rest of an attribute whose first byte has been read.
func (s *scanner) attribute() {
	for s.i < len(s.b) && s.b[s.i] != '=' && !endsName(s.b[s.i]) {
		s.i++
	}
	s.skipSpace()
	if s.i == len(s.b) || s.b[s.i] != '=' {
		return
	}
	s.i++
	s.skipSpace()
	if s.i == len(s.b) {
		return
	}
	if quote := s.b[s.i]; quote == '"' || quote == '\'' {
		s.i++
		s.skipPast(string(quote))
		return
	}
	for s.i < len(s.b) && !isSpace(s.b[s.i]) && s.b[s.i] != '>' {
		s.i++
	}
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
	name := s.name
	isScript := hasPrefixFold(name, "script")
	for state := plain; s.i < len(s.b); s.i++ {
		switch rest := s.b[s.i:]; {
		case rest[0] == '<' && len(rest) > 1 && rest[1] == '/' && bytes.EqualFold(nameAt(rest[2:]), name):
			if state != doubly {
				s.i += len("</")
				s.tag()
				s.resumed = true
				return
			}
			state = escaped
		case !isScript || rest[0] != '<' && rest[0] != '-':
		case state == plain && hasPrefixFold(rest, "<!--"):
			state = escaped
			s.i++ // its dashes may be those of "-->"
		case state != plain && hasPrefixFold(rest, "-->"):
			state = plain
		case state == escaped && rest[0] == '<' && bytes.EqualFold(nameAt(rest[1:]), name):
			state = doubly
		}
	}
	s.open = true
}
