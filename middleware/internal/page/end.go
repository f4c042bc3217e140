package page

import (
	"bytes"
	"math/bits"
)

// endOf returns where in tail, the last bytes of a document, the snippet goes: in
// front of the closing tags if tail ends with them, else at its very end. It
// returns false if something is open there, such as a comment, a script or a
// template, or if tail does not tell. With whole, tail is the whole document.
//
// An element behind </body> or </html> is inserted into the body all the same, and
// both tags are optional (HTML standard, 13.2.6.4.20, 13.2.6.4.23 and 13.1.2.4).
// So the very end is right wherever a browser is between elements.
//
// What was left open before tail is not known. Closing tags are taken at their word.
// Without them, tail must show the end of a script, a comment or the like, have tags
// in more than one place, or be prose: scripts, style sheets and JSON that are still
// open do not look like that. Where they do, the snippet is swallowed, and runs
// nothing.
func endOf(tail []byte, whole bool) (at int, ok bool) {
	s := scanner{b: bytes.TrimRight(tail, space)}
	if !whole {
		s.resync()
	}
	s.scan()
	switch {
	case s.open || s.inert > 0 || s.foreign > 0:
		return 0, false
	case s.closing > 0 || s.closing == 0 && !whole:
		return s.closing, true
	}
	return len(tail), whole || s.resumed || bits.OnesCount8(s.quarters) > 1 || !bytes.ContainsAny(tail, "{};")
}

// closingTags returns the length of the suffix of b that may turn out to be the
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
		return rest[0] == '>' && isBlank(rest[1:])
	}
	return false
}

// scan reads the tail up to its end, or to where it is certain that something
// stays open.
func (s *scanner) scan() {
	s.closing = -1
	for s.i < len(s.b) && !s.open {
		text := s.b[s.i:]
		lt := bytes.IndexByte(text, '<')
		if lt >= 0 {
			text = text[:lt]
		}
		if s.closing >= 0 && !isBlank(text) {
			s.closing = -1
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
	isEnd := len(rest) > 1 && rest[0] == '/'
	switch {
	case len(rest) > 0 && isLetter(rest[0]):
		s.i++
		s.closing = -1
		s.startTag()
	case isEnd && isLetter(rest[1]):
		s.i += 2
		s.endTag(at)
	case isEnd && rest[1] == '>':
		s.i += 3 // the parser drops "</>"
	case hasPrefixFold(rest, "!--"):
		s.closing = -1
		s.skipComment()
	case isEnd || len(rest) > 0 && (rest[0] == '!' || rest[0] == '?'):
		s.closing = -1
		s.skipPast(">")
	case len(rest) == 0 || rest[0] == '/':
		s.open = true // in the middle of a tag
	default:
		s.closing = -1
		s.i++
	}
}

func (s *scanner) startTag() {
	kind, selfClosing := s.tag()
	switch {
	case s.open:
	case selfClosing && s.foreign > 0:
	case kind == textTag:
		s.skipText()
	case kind == endlessTag:
		s.open = true
	case kind == inertTag:
		s.inert++
	case kind == foreignTag && !selfClosing:
		s.foreign++
	}
}

func (s *scanner) endTag(at int) {
	kind, _ := s.tag()
	closing := s.closing
	s.closing = -1
	switch kind {
	case pageTag:
		if s.closing = closing; closing < 0 {
			s.closing = at
		}
	case endlessTag:
		s.open = true
	case inertTag:
		s.inert = max(0, s.inert-1) // or it was opened before the tail
	case foreignTag:
		s.foreign = max(0, s.foreign-1)
	}
}

// resync moves to where the assumption holds that the scanner begins in text. A
// tail may begin inside a comment, or inside an element whose content is text: the
// first of these that it shows is then an end.
func (s *scanner) resync() {
	for i := 0; i < len(s.b); i++ {
		switch rest := s.b[i:]; {
		case rest[0] == '-' && hasPrefixFold(rest, "-->"):
			i += len("-->") - 1
			s.i, s.resumed = i+1, true
		case rest[0] != '<':
		case hasPrefixFold(rest, "<!--"):
			return
		case len(rest) > 1 && isLetter(rest[1]):
			if kindOf(nameAt(rest[1:])) == textTag {
				return
			}
		case len(rest) > 2 && rest[1] == '/' && kindOf(nameAt(rest[2:])) == textTag:
			s.i = i + len("</")
			s.tag()
			i, s.resumed = s.i-1, true
			s.open = s.open || hasPrefixFold(s.name, "noframes") // which goes with framesets
		}
	}
}
