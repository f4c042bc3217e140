package middleware

import "bytes"

// findEnd says where in the tail of a page the prompt goes, and whether it does:
//
//  1. the tail ends with </body> or </html>, white space aside: before them;
//  2. it has such an end tag, followed by comments and scripts only: the very end;
//  3. it has none, or more behind it: the very end, if the page began like a
//     document and its last byte ends a tag;
//  4. otherwise nowhere.
//
// An element that comes after </body> or </html> is inserted into the body all
// the same (HTML standard, 13.2.6.4.20 and 13.2.6.4.23), so none of these is
// searched for in the page, and text of a user's can never be taken for one.
// What the tail leaves open (a comment, a script, a table, …) is case 4. With
// whole, the tail is the whole page.
//
// What was open before the tail is not known. A page that ends with its closing
// tags is taken at its word. One that omits them must show that no script is
// open, or the prompt would become a part of it: </script> must stand in the
// tail.
func findEnd(tail []byte, whole, document bool) (at int, outcome Outcome) {
	if len(tail) == 0 {
		return 0, OutcomeEmpty
	}
	s := scanner{b: tail}
	if !whole {
		s.resync()
	}
	s.scan()
	ended := s.lastTag == len(bytes.TrimRight(tail, space))
	switch {
	case s.broken || s.depth > 0:
		return 0, OutcomeUnfinished
	case whole && s.closing == 0:
		return 0, OutcomeFragment // nothing but the closing tags
	case s.closing >= 0:
		return s.closing, OutcomeInjected
	case s.closed, s.sawClosing && ended:
		return len(tail), OutcomeInjected
	case !document:
		return 0, OutcomeFragment
	case !whole && !s.scriptEnded:
		return 0, OutcomeNoEndTag
	case !ended && (!whole || s.openedPage):
		return 0, OutcomeUnfinished // who writes <body> and not </body> has not come to the end
	}
	return len(tail), OutcomeInjected
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
		return rest[0] == '>' && isBlank(rest[1:])
	}
	return false
}
