package middleware

import "bytes"

// findEnd says where in the tail of a page the prompt goes, and whether it does:
//
//  1. the tail ends with </body> or </html>, white space aside: before them;
//  2. it has such an end tag, followed by comments and scripts only: the very end;
//  3. it has none (they may be omitted), but the page began like a document and
//     its last byte ends a tag: the very end;
//  4. otherwise nowhere.
//
// An element that comes after </body> or </html> is inserted into the body all
// the same (HTML standard, 13.2.6.4.20 and 13.2.6.4.23), so none of these is
// searched for in the page, and text of a user's can never be taken for one.
// What the tail leaves open (a comment, a script, a table, …) is case 4. With
// whole, the tail is the whole page.
func findEnd(tail []byte, whole, document bool) (at int, outcome Outcome) {
	if len(tail) == 0 {
		return 0, Empty
	}
	s := scanner{b: tail}
	s.scan()
	switch {
	case s.broken || s.open != 0:
		return 0, Unfinished
	case s.closing >= 0:
		return s.closing, Injected
	case s.closed:
		return len(tail), Injected
	case !document:
		return 0, Fragment
	case s.lastTag == len(bytes.TrimRight(tail, space)) && (whole || s.ended):
		return len(tail), Injected
	}
	return 0, Unfinished
}

// space is ASCII white space as the HTML standard defines it.
const space = " \t\n\r\f"

// scanner reads a tail as an HTML tokenizer does (HTML standard, 13.2.5), on
// the assumption that it begins in text.
type scanner struct {
	b       []byte
	i       int
	closing int      // where the closing tags that end the page begin, -1 for none
	closed  bool     // </body> or </html>, and nothing but comments and scripts after it
	ended   bool     // some end tag
	lastTag int      // where the last tag ends
	open    int      // elements whose content is no place for the prompt
	foreign int      // svg and math among them
	broken  bool     // open at the end: in a tag, a comment, a script, …; or a frameset
	name    [16]byte // of the tag being read
}

// void of content or not, these are no place for anything: inside of them the
// prompt would be dead, moved or lost.
var closedOff = map[string]bool{
	"svg": true, "math": true, "template": true, "select": true, "table": true, "noscript": true, "object": true, "button": true,
}

// rawText are the elements whose content is text up to their own end tag.
var rawText = map[string]bool{
	"script": true, "style": true, "textarea": true, "title": true, "xmp": true, "iframe": true, "noembed": true, "noframes": true,
}

func (s *scanner) scan() {
	s.closing = -1
	for s.i < len(s.b) && !s.broken {
		lt := bytes.IndexByte(s.b[s.i:], '<')
		text := s.b[s.i:]
		if lt >= 0 {
			text = text[:lt]
		}
		if len(bytes.TrimLeft(text, space)) > 0 {
			s.closing, s.closed = -1, false
		}
		s.i += len(text)
		if lt >= 0 {
			s.markup()
		}
	}
}

// markup reads what begins with the "<" at s.i.
func (s *scanner) markup() {
	at, rest := s.i, s.b[s.i+1:]
	switch {
	case bytes.HasPrefix(rest, []byte("!--")):
		s.closing = -1 // a comment stands behind the closing tags
		s.skipComment()
	case s.foreign > 0 && bytes.HasPrefix(rest, []byte("![CDATA[")):
		s.skipPast("]]>")
	case len(rest) > 0 && (rest[0] == '!' || rest[0] == '?'):
		s.closing = -1
		s.skipPast(">")
	case len(rest) > 1 && rest[0] == '/' && isLetter(rest[1]):
		s.i += 2
		s.endTag(at)
	case len(rest) > 1 && rest[0] == '/' && rest[1] == '>':
		s.i += 3 // nothing at all
	case len(rest) > 1 && rest[0] == '/':
		s.closing = -1
		s.skipPast(">")
	case len(rest) > 0 && isLetter(rest[0]):
		s.i++
		s.startTag()
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
	tag, _ := s.tag()
	if s.broken {
		return
	}
	s.lastTag, s.ended = s.i, true
	switch name := string(tag); {
	case name == "body" || name == "html":
		if s.closing < 0 {
			s.closing = at
		}
		s.closed = true
		return
	case name == "frameset":
		s.broken = true
	case closedOff[name] && s.open > 0:
		s.open--
		if name == "svg" || name == "math" {
			s.foreign = max(0, s.foreign-1)
		}
	}
	s.closing, s.closed = -1, false
}

func (s *scanner) startTag() {
	tag, selfClosing := s.tag()
	if s.broken {
		return
	}
	s.lastTag = s.i
	s.closing = -1
	name := string(tag)
	if name != "script" {
		s.closed = false
	}
	switch {
	case name == "plaintext" || name == "frameset":
		s.broken = true
	case s.foreign > 0 && selfClosing:
	case name == "script":
		s.skipScript()
	case rawText[name]:
		s.skipRawText(name)
	case closedOff[name]:
		s.open++
		if name == "svg" || name == "math" {
			if selfClosing {
				s.open--
			} else {
				s.foreign++
			}
		}
	}
}

// tag reads a name and the attributes up to ">". A quote means something only
// behind "=" (13.2.5.32 to 13.2.5.40).
func (s *scanner) tag() (name []byte, selfClosing bool) {
	begin := s.i
	for s.i < len(s.b) && !isSpace(s.b[s.i]) && s.b[s.i] != '/' && s.b[s.i] != '>' {
		s.i++
	}
	if s.i-begin <= len(s.name) { // no longer name means anything here
		name = append(s.name[:0], s.b[begin:s.i]...)
		for i, c := range name {
			name[i] = lower(c)
		}
	}
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '>':
			return name, s.b[s.i-2] == '/'
		case isSpace(c) || c == '/':
		default:
			s.attribute()
		}
	}
	s.broken = true
	return name, false
}

// attribute reads the rest of an attribute whose first byte has been read.
func (s *scanner) attribute() {
	for s.i < len(s.b) && !isSpace(s.b[s.i]) && !oneOf(s.b[s.i], "/>=") {
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

func (s *scanner) skipRawText(name string) {
	for ; s.i < len(s.b); s.i++ {
		if s.endsElement(name) {
			s.i += 2
			s.tag()
			s.lastTag, s.ended = s.i, true
			return
		}
	}
	s.broken = true
}

// endsElement reports whether the end tag of name stands at s.i.
func (s *scanner) endsElement(name string) bool {
	b := s.b[s.i:]
	return hasPrefixFold(b, "</") && hasPrefixFold(b[2:], name) && s.endsName(2+len(name))
}

// endsName reports whether a tag's name ends n bytes on.
func (s *scanner) endsName(n int) bool {
	return s.i+n == len(s.b) || isSpace(s.b[s.i+n]) || oneOf(s.b[s.i+n], "/>")
}

// hasPrefixFold compares ASCII without regard to case; prefix is in lower case.
func hasPrefixFold(b []byte, prefix string) bool {
	if len(b) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(b[i]) != prefix[i] {
			return false
		}
	}
	return true
}

// skipScript reads a script up to its end tag. Behind "<!--" another "<script"
// hides the next end tag (13.2.5.15 to 13.2.5.31).
func (s *scanner) skipScript() {
	const plain, escaped, doubly = 0, 1, 2
	for state := plain; s.i < len(s.b); s.i++ {
		switch b := s.b[s.i:]; {
		case state == plain && hasPrefixFold(b, "<!--"):
			state = escaped
			s.i++ // its dashes may be those of "-->"
		case state != plain && hasPrefixFold(b, "-->"):
			state = plain
		case state == doubly && s.endsElement("script"):
			state = escaped
		case state != doubly && s.endsElement("script"):
			s.skipRawText("script")
			return
		case state == escaped && hasPrefixFold(b, "<script") && s.endsName(len("<script")):
			state = doubly
		}
	}
	s.broken = true
}

// closingTags is the length of the suffix of b that may turn out to be the
// closing tags of the page: whole ones, and perhaps the beginning of another.
func closingTags(b []byte) int {
	end := len(b)
	for i := end - 1; i >= max(0, end-tailSize/4); i-- {
		if b[i] == '<' {
			if !mayClose(b[i:end]) {
				break
			}
			end = i
		}
	}
	return len(b) - end
}

// mayClose reports whether b, up to the next tag, is a closing tag with white
// space behind it, or how one may begin.
func mayClose(b []byte) bool {
	for _, tag := range []string{"</body", "</html"} {
		n := min(len(b), len(tag))
		if !hasPrefixFold(b, tag[:n]) {
			continue
		}
		rest := bytes.TrimLeft(b[n:], space)
		if n < len(tag) || len(rest) == 0 {
			return true
		}
		return rest[0] == '>' && len(bytes.TrimLeft(rest[1:], space)) == 0
	}
	return false
}

func isLetter(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }

func oneOf(c byte, set string) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}
