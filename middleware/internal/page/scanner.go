package page

import "bytes"

// scanner reads a tail as an HTML tokenizer does (HTML standard, 13.2.5), as far as
// it takes to know that its end is neither in a tag, a comment or a text element nor
// in a template. It gives up (broken) where it cannot tell.
type scanner struct {
	b []byte
	i int

	closing   int // where the closing tags that end the page begin; -1 for none
	templates int // how many are open
	broken    bool

	name [16]byte // of the tag that is being read
}

func (s *scanner) scan() {
	for s.i < len(s.b) && !s.broken {
		text := s.b[s.i:]
		lt := bytes.IndexByte(text, '<')
		if lt >= 0 {
			text = text[:lt]
		}
		if !isBlank(text) {
			s.closing = -1
		}
		s.i += len(text)
		if lt >= 0 {
			s.markup()
		}
	}
}

// resync moves behind the first end that has no beginning: a tail may begin inside
// of a comment or of an element whose content is text.
func (s *scanner) resync() {
	for i := 0; i < len(s.b); i++ {
		rest := s.b[i:]
		switch {
		case bytes.HasPrefix(rest, []byte("-->")):
			s.i = i + len("-->")
		case rest[0] != '<':
		case bytes.HasPrefix(rest, []byte("<!--")), textElement(nameAt(rest[1:])) != "":
			return
		case len(rest) > 1 && rest[1] == '/' && textElement(nameAt(rest[2:])) != "":
			gt := bytes.IndexByte(rest, '>')
			if s.broken = gt < 0; s.broken {
				return
			}
			s.i = i + gt + 1
		}
	}
}

// nameAt returns the letters that b begins with.
func nameAt(b []byte) []byte {
	n := 0
	for n < len(b) && isLetter(b[n]) {
		n++
	}
	return b[:n]
}

// textElement returns the name in lower case if it is that of an element whose
// content is text up to its own end tag, else "".
func textElement(name []byte) string {
	for _, e := range [...]string{"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"} {
		if len(name) == len(e) && hasPrefixFold(name, e) {
			return e
		}
	}
	return ""
}

// markup reads what begins with the "<" at s.i.
func (s *scanner) markup() {
	at, rest := s.i, s.b[s.i+1:]
	switch {
	case len(rest) > 0 && isLetter(rest[0]):
		s.i++
		s.startTag()
	case len(rest) > 1 && rest[0] == '/' && isLetter(rest[1]):
		s.i += 2
		s.endTag(at)
	case bytes.HasPrefix(rest, []byte("!--")):
		s.closing = -1 // the comment stands behind the closing tags
		s.skipComment()
	case len(rest) == 0 || len(rest) == 1 && rest[0] == '/':
		s.broken = true // what was to come?
	case len(rest) > 1 && rest[0] == '/' && rest[1] == '>':
		s.i += 3 // nothing at all
	case rest[0] == '!' || rest[0] == '?' || rest[0] == '/': // a bogus comment
		s.closing = -1
		s.skipPast(">")
	default:
		s.i++ // text
		s.closing = -1
	}
}

func (s *scanner) skipPast(end string) {
	n := bytes.Index(s.b[s.i:], []byte(end))
	if n < 0 {
		s.broken = true
		return
	}
	s.i += n + len(end)
}

// skipComment reads "<!--" up to "-->" or "--!>"; "<!-->" and "<!--->" are whole
// comments (13.2.5.43 to 13.2.5.51).
func (s *scanner) skipComment() {
	body := s.b[s.i+4:]
	for _, whole := range []string{">", "->"} {
		if bytes.HasPrefix(body, []byte(whole)) {
			s.i += 4 + len(whole)
			return
		}
	}
	for at := 0; ; at++ {
		n := bytes.Index(body[at:], []byte("--"))
		if n < 0 {
			s.broken = true
			return
		}
		at += n
		for _, end := range []string{"-->", "--!>"} {
			if bytes.HasPrefix(body[at:], []byte(end)) {
				s.i += 4 + at + len(end)
				return
			}
		}
	}
}

func (s *scanner) endTag(at int) {
	switch string(s.tag()) {
	case "body", "html":
		if s.closing < 0 {
			s.closing = at
		}
		return
	case "template":
		s.templates = max(0, s.templates-1) // or it was opened before the tail
	case "frameset":
		s.broken = true
	}
	s.closing = -1
}

func (s *scanner) startTag() {
	name := s.tag()
	s.closing = -1
	switch string(name) {
	case "template":
		s.templates++
	case "plaintext", "frameset": // nothing after it is shown as HTML
		s.broken = true
	}
	if e := textElement(name); e != "" && !s.broken {
		s.skipText(e)
	}
}

// tag reads a name and the attributes up to ">". A quote means something only
// behind "=" (13.2.5.32 to 13.2.5.40).
func (s *scanner) tag() (name []byte) {
	n, b := 0, s.b[s.i:]
	for ; n < len(b) && b[n] != '>' && b[n] != '/' && !isSpace(b[n]); n++ {
		if n < len(s.name) {
			s.name[n] = lower(b[n])
		}
	}
	if n <= len(s.name) { // no longer name means anything here
		name = s.name[:n]
	}
	for s.i += n; s.i < len(s.b); {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '>':
			return name
		case isSpace(c) || c == '/':
		default:
			s.attribute()
		}
	}
	s.broken = true
	return name
}

// attribute reads the rest of an attribute whose first byte has been read.
func (s *scanner) attribute() {
	for s.i < len(s.b) && s.b[s.i] != '=' && s.b[s.i] != '>' && s.b[s.i] != '/' && !isSpace(s.b[s.i]) {
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

// skipText reads up to and with the end tag of name. In a script, another "<script"
// behind "<!--" hides the next end tag (13.2.5.15 to 13.2.5.31).
func (s *scanner) skipText(name string) {
	const plain, escaped, doubly = 0, 1, 2
	state := plain
	for i := s.i; i < len(s.b); i++ {
		switch b := s.b[i:]; {
		case b[0] == '<' && hasPrefixFold(b, "</") && hasPrefixFold(b[2:], name) && endsName(b[2+len(name):]):
			if state == doubly {
				state = escaped
				continue
			}
			s.i = i + len("</")
			s.tag()
			return
		case name != "script" || b[0] != '<' && b[0] != '-':
		case state == plain && hasPrefixFold(b, "<!--"):
			state = escaped
			i++ // its dashes may be those of "-->"
		case state != plain && hasPrefixFold(b, "-->"):
			state = plain
		case state == escaped && hasPrefixFold(b, "<script") && endsName(b[len("<script"):]):
			state = doubly
		}
	}
	s.broken = true
}

// endsName reports whether a tag's name ends before b.
func endsName(b []byte) bool { return len(b) == 0 || isSpace(b[0]) || b[0] == '/' || b[0] == '>' }
