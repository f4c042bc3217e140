package middleware

import (
	"bytes"
	"slices"
)

// scanner reads a tail as an HTML tokenizer does (HTML standard, 13.2.5). What
// it cannot tell for certain, because it depends on what the tree builder has
// made of the page so far, makes it give up (broken): a prompt less is better
// than one in the wrong place.
type scanner struct {
	b []byte
	i int

	closing     int  // where the closing tags that end the page begin, -1 for none
	closed      bool // there was </body> or </html>, and nothing but comments and scripts after it
	sawClosing  bool // there was </body> or </html>
	scriptEnded bool // there was </script>, so no script from before the tail is open
	openedPage  bool // there was <html> or <body>
	lastTag     int  // where the last tag or comment ends
	broken      bool // open at the end: in a tag, a comment, a script, …; or no place for a prompt at all

	open    [16]element // elements whose content is no place for the prompt, outermost first
	depth   int
	foreign int  // how many of them are svg or math
	mixed   bool // within these, something may have led back into HTML

	noscript int      // where a browser that runs scripts ends the open noscript element
	name     [16]byte // of the tag being read
}

func (s *scanner) scan() {
	s.closing = -1
	for s.i < len(s.b) && !s.broken {
		text := s.b[s.i:]
		lt := bytes.IndexByte(text, '<')
		if lt >= 0 {
			text = text[:lt]
		}
		if !isBlank(text) {
			s.closing, s.closed = -1, false
		}
		s.i += len(text)
		if lt >= 0 {
			s.markup()
		}
	}
}

// resync moves to where the assumption holds that the scanner begins in text. A
// tail may begin inside of a comment or of an element whose content is text: the
// first of these that it shows is then an end.
func (s *scanner) resync() {
	comments := bytes.Contains(s.b, []byte("-->"))
	for i := 0; i < len(s.b); i++ {
		rest := s.b[i:]
		n := bytes.IndexByte(rest, '<')
		if comments {
			text := rest
			if n >= 0 {
				text = rest[:n]
			}
			if end := bytes.LastIndex(text, []byte("-->")); end >= 0 {
				s.resume(i + end + len("-->"))
			}
		}
		if n < 0 {
			return
		}
		i += n
		rest = rest[n+1:]
		isEnd := len(rest) > 0 && rest[0] == '/'
		if isEnd {
			rest = rest[1:]
		}
		e := rawNamed(rest)
		if !isEnd && (e != anyElement || bytes.HasPrefix(rest, []byte("!--"))) {
			return
		}
		if e == anyElement {
			continue
		}
		gt := bytes.IndexByte(rest, '>')
		if gt < 0 || e == noframesElement {
			s.broken = true
			return
		}
		i += len("</") + gt
		s.resume(i + 1)
		s.scriptEnded = s.scriptEnded || e == scriptElement
	}
}

// resume begins at i, behind a tag or a comment.
func (s *scanner) resume(i int) { s.i, s.lastTag = i, i }

// rawNamed is the element at whose name b begins if its content is text, else
// anyElement.
func rawNamed(b []byte) element {
	if len(b) == 0 {
		return anyElement
	}
	switch lower(b[0]) {
	case 's', 't', 'x', 'i', 'n':
	default:
		return anyElement // most
	}
	n := 1
	for n < min(len(b), len("textarea")+1) && isLetter(b[n]) { // or longer, which is none
		n++
	}
	var name [len("textarea") + 1]byte
	for i := range n {
		name[i] = lower(b[i])
	}
	if e := elementOf(string(name[:n])); e.isRaw() {
		return e
	}
	return anyElement
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
		s.closing = -1 // a comment stands behind the closing tags
		s.skipComment()
		s.lastTag = s.i
	case s.foreign > 0 && bytes.HasPrefix(rest, []byte("![CDATA[")):
		s.skipPast("]]>")
		s.broken = s.broken || s.mixed
	case len(rest) > 0 && (rest[0] == '!' || rest[0] == '?'):
		s.closing = -1
		s.skipPast(">")
	case len(rest) > 1 && rest[0] == '/' && rest[1] == '>':
		s.i += 3 // nothing at all
	case len(rest) > 1 && rest[0] == '/':
		s.closing = -1
		s.skipPast(">")
	case len(rest) == 0 || len(rest) == 1 && rest[0] == '/':
		s.broken = true // who knows what was to come
	default:
		s.i++ // text
		s.closing, s.closed = -1, false
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
	for at := 0; ; {
		n := bytes.Index(body[at:], []byte("--"))
		if n < 0 {
			s.broken = true
			return
		}
		at += n
		after := body[at+2:]
		switch {
		case bytes.HasPrefix(after, []byte(">")):
			s.i += 4 + at + 3
			return
		case bytes.HasPrefix(after, []byte("!>")):
			s.i += 4 + at + 4
			return
		}
		at++
	}
}

func (s *scanner) endTag(at int) {
	name, _ := s.tag()
	if s.broken {
		return
	}
	s.lastTag = s.i
	e := elementOf(string(name))
	if e == pageElement {
		if s.closing < 0 {
			s.closing = at
		}
		s.closed, s.sawClosing = true, true
		return
	}
	s.closing, s.closed = -1, false
	switch {
	case e.isClosedOff():
		s.pop(e, at)
	case e == scriptElement:
		s.scriptEnded = true
	case e == hopelessElement || e == noframesElement:
		s.broken = true
	case e == breakoutElement:
		s.mixed = s.foreign > 0
	}
}

func (s *scanner) startTag() {
	name, selfClosing := s.tag()
	if s.broken {
		return
	}
	s.lastTag, s.closing = s.i, -1
	e := elementOf(string(name))
	s.closed = s.closed && e == scriptElement
	if s.foreign > 0 && (e == breakoutElement || e.isClosedOff() && !e.isForeign()) {
		s.mixed = true
	}
	switch {
	case e == hopelessElement:
		s.broken = true
	case e == pageElement:
		s.openedPage = true
	case e.isRaw():
		s.startRaw(string(name), selfClosing)
	case selfClosing && (e.isForeign() || e == integrationElement):
	case e == integrationElement && s.foreign > 0:
		s.skipText(string(name)) // what is left open in it would keep svg or math open
	case e.isClosedOff():
		s.push(e)
	}
}

// startRaw reads on behind the start tag of an element whose content is text,
// unless it stands in svg or math, where it is markup, or in select, where some
// of these tags are dropped.
func (s *scanner) startRaw(name string, selfClosing bool) {
	inSelect := s.isOpen(selectElement)
	foreign := s.foreign > 0 && !s.mixed && !inSelect
	switch {
	case s.foreign == 0 && !inSelect:
		s.skipRaw(name)
	case foreign && selfClosing:
	case foreign && name != "title" && s.holdsMarkup(name): // read on
	default:
		s.skipText(name)
	}
}

// skipText skips the content of an element that is the same whether the parser
// takes it for markup or not, because there is none in it.
func (s *scanner) skipText(name string) {
	if s.broken = s.holdsMarkup(name); !s.broken {
		s.skipRaw(name)
	}
}

func (s *scanner) holdsMarkup(name string) bool {
	n := s.indexEnd(name)
	return n < 0 || bytes.IndexByte(s.b[s.i:s.i+n], '<') >= 0
}

func (s *scanner) push(e element) {
	if s.depth == len(s.open) || e == noscriptElement && (s.foreign > 0 || s.isOpen(selectElement)) {
		s.broken = true
		return
	}
	s.open[s.depth] = e
	s.depth++
	if e.isForeign() {
		s.foreign++
	}
	if e == noscriptElement {
		s.noscript = s.i + s.indexEnd("noscript")
	}
}

// pop closes e, whose end tag stands at at.
func (s *scanner) pop(e element, at int) {
	switch {
	case s.depth == 0: // opened before the tail, or never
	case s.open[s.depth-1] != e, e == noscriptElement && s.noscript != at:
		s.broken = true // what the tree builder makes of this is not for us to say
	default:
		s.depth--
		if e.isForeign() {
			s.foreign--
			s.mixed = s.mixed && s.foreign > 0
		}
	}
}

func (s *scanner) isOpen(e element) bool { return slices.Contains(s.open[:s.depth], e) }

// tag reads a name and the attributes up to ">". A quote means something only
// behind "=" (13.2.5.32 to 13.2.5.40).
func (s *scanner) tag() (name []byte, selfClosing bool) {
	n, b := 0, s.b[s.i:]
	for ; n < len(b) && b[n] != '>' && b[n] != '/' && !isSpace(b[n]); n++ {
		if n < len(s.name) {
			s.name[n] = lower(b[n])
		}
	}
	if n <= len(s.name) { // no longer name means anything here
		name = s.name[:n]
	}
	s.i += n
	for slash := false; s.i < len(s.b); {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '>':
			return name, slash
		case isSpace(c) || c == '/':
		default:
			s.attribute()
		}
		slash = c == '/'
	}
	s.broken = true
	return name, false
}

// attribute reads the rest of an attribute whose first byte has been read.
func (s *scanner) attribute() {
	b, n := s.b[s.i:], 0
	for n < len(b) && b[n] != '=' && b[n] != '>' && b[n] != '/' && !isSpace(b[n]) {
		n++
	}
	s.i += n
	s.skipSpace()
	if s.i == len(s.b) || s.b[s.i] != '=' {
		return
	}
	s.i++
	s.skipSpace()
	if s.i == len(s.b) {
		return
	}
	switch quote := s.b[s.i]; quote {
	case '"', '\'':
		s.i++
		n := bytes.IndexByte(s.b[s.i:], quote)
		if n < 0 {
			s.i = len(s.b)
			return
		}
		s.i += n + 1
	default:
		for s.i < len(s.b) && !isSpace(s.b[s.i]) && s.b[s.i] != '>' {
			s.i++
		}
	}
}

func (s *scanner) skipSpace() {
	for s.i < len(s.b) && isSpace(s.b[s.i]) {
		s.i++
	}
}

// skipRaw reads up to and with the end tag of name.
func (s *scanner) skipRaw(name string) {
	n := s.indexEnd(name)
	if n < 0 {
		s.broken = true
		return
	}
	s.i += n + len("</")
	s.tag()
	s.lastTag = s.i
	s.scriptEnded = s.scriptEnded || name == "script"
}

// indexEnd is how far on the end tag of name stands, -1 if it does not. In a
// script, another "<script" behind "<!--" hides the next end tag (13.2.5.15 to
// 13.2.5.31).
func (s *scanner) indexEnd(name string) int {
	const plain, escaped, doubly = 0, 1, 2
	state := plain
	for i := s.i; i < len(s.b); i++ {
		switch b := s.b[i:]; {
		case b[0] == '<' && s.endsElement(i, name):
			if state != doubly {
				return i - s.i
			}
			state = escaped
		case name != "script" || b[0] != '<' && b[0] != '-':
		case state == plain && hasPrefixFold(b, "<!--"):
			state = escaped
			i++ // its dashes may be those of "-->"
		case state != plain && hasPrefixFold(b, "-->"):
			state = plain
		case state == escaped && hasPrefixFold(b, "<script") && s.endsName(i+len("<script")):
			state = doubly
		}
	}
	return -1
}

// endsElement reports whether the end tag of name stands at i.
func (s *scanner) endsElement(i int, name string) bool {
	b := s.b[i:]
	return hasPrefixFold(b, "</") && hasPrefixFold(b[2:], name) && s.endsName(i+2+len(name))
}

// endsName reports whether a tag's name ends at i.
func (s *scanner) endsName(i int) bool {
	return i == len(s.b) || isSpace(s.b[i]) || oneOf(s.b[i], "/>")
}
