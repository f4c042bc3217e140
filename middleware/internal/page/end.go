package page

import (
	"bytes"
	"math/bits"
)

// endOf returns where in tail, the last bytes of a document, the snippet goes: before the
// closing tags if tail ends with them, otherwise at its very end. It returns false if
// something is open there, such as a comment, a script or a template, or if tail does not
// show whether there is. With whole, tail is the whole document.
//
// An element after </body> or </html> is inserted into the body all the same, and both
// tags are optional (HTML standard, 13.2.6.4.20, 13.2.6.4.23 and 13.1.2.4). So the very
// end is right wherever a browser is between elements.
//
// What was left open before tail is not known. Closing tags are trusted. Without them,
// tail must show the end of a script, a comment or the like, have tags in more than one
// place, or be prose: open scripts, style sheets and JSON do not look like that. If one
// does, the snippet becomes part of its text, and runs nothing.
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

// mayClose reports whether b, up to the next tag, is a closing tag followed by white
// space, or the beginning of one.
func mayClose(b []byte) bool {
	for _, tag := range []string{"</body", "</html"} {
		n := min(len(b), len(tag))
		if hasPrefixFold(b, tag[:n]) {
			rest := bytes.TrimLeft(b[n:], space)
			return len(rest) == 0 || rest[0] == '>' && isBlank(rest[1:])
		}
	}
	return false
}

// scan reads the tail to its end, or until something is certain to stay open.
func (s *scanner) scan() {
	s.closing = -1
	for s.i < len(s.b) && !s.open {
		text := s.b[s.i:]
		if lt := bytes.IndexByte(text, '<'); lt >= 0 {
			text = text[:lt]
		}
		if s.closing >= 0 && !isBlank(text) {
			s.closing = -1
		}
		at := s.i + len(text)
		if s.i = at; at == len(s.b) {
			return
		}
		if !s.markup() {
			s.closing = -1
		} else if s.closing < 0 {
			s.closing = at
		}
	}
}

// markup reads what begins with the "<" at s.i, and reports whether it is a closing tag
// of the page.
func (s *scanner) markup() bool {
	switch rest := s.b[s.i+1:]; {
	case len(rest) > 0 && isLetter(rest[0]):
		s.i++
		s.startTag()
	case len(rest) > 1 && rest[0] == '/' && isLetter(rest[1]):
		s.i += 2
		return s.endTag()
	case hasPrefixFold(rest, "!--"):
		s.skipComment()
	case len(rest) == 0, len(rest) == 1 && rest[0] == '/':
		s.open = true // in the middle of a tag
	case rest[0] == '/', rest[0] == '!', rest[0] == '?':
		s.skipPast(">")
	default:
		s.i++ // it is text
	}
	return false
}

func (s *scanner) startTag() {
	s.tag()
	if s.open || s.selfClosing && s.foreign > 0 {
		return
	}
	switch kindOf(s.name) {
	case text:
		s.skipText()
	case endless:
		s.open = true
	case inert:
		s.inert++
	case foreign:
		if !s.selfClosing {
			s.foreign++
		}
	}
}

func (s *scanner) endTag() (closing bool) {
	s.tag()
	switch kindOf(s.name) {
	case endless:
		s.open = true
	case inert:
		s.inert = max(0, s.inert-1) // or it was opened before the tail
	case foreign:
		s.foreign = max(0, s.foreign-1)
	case root:
		return true
	}
	return false
}

// resync moves to where the assumption holds that the scanner begins in text. A
// tail may begin inside a comment, or inside an element whose content is text: the
// first of these that it shows is then an end.
func (s *scanner) resync() {
	from := 0
	for i := 0; ; i++ {
		begins, ends := true, false
		if n := bytes.IndexByte(s.b[i:], '<'); n < 0 {
			i = len(s.b)
		} else {
			i += n
			if rest := s.b[i+1:]; len(rest) > 0 && rest[0] == '/' {
				begins, ends = false, kindOf(nameAt(rest[1:])) == text
			} else {
				begins = kindOf(nameAt(rest)) == text || hasPrefixFold(rest, "!--")
			}
		}
		if !begins && !ends {
			continue
		}
		for { // forwards, which is many times as fast as bytes.LastIndex
			n := bytes.Index(s.b[from:i], []byte("-->"))
			if n < 0 {
				break
			}
			from += n + len("-->")
			s.i, s.resumed = from, true
		}
		if begins {
			return
		}
		s.i = i + len("</")
		s.tag()
		s.resumed = true
		s.open = s.open || equalFold(s.name, "noframes") // which goes with framesets
		from, i = s.i, s.i-1
	}
}
