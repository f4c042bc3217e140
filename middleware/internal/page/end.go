package page

import "bytes"

// findEnd returns where in the tail of a page the snippet goes, or why it does not:
//
//  1. The tail ends with </body> or </html>, white space aside: before them.
//  2. The page began as a document: at the very end. Both tags are optional (HTML
//     standard, 13.1.2.4), and more may come behind them.
//  3. Otherwise nowhere.
//
// An element that comes after </body> or </html> is inserted into the body all the
// same (HTML standard, 13.2.6.4.19 and 13.2.6.4.22). What the tail shows to be open
// (a tag, a comment, a script, a template, …) is case 3. If whole, the tail is the
// whole page.
//
// What was open before the tail is not known. An element that is still open there
// keeps the snippet from being seen and does no harm. If it is a script, the snippet
// begins so that the script cannot run (prompt.Prompt).
func findEnd(tail []byte, whole, document bool) (at int, outcome Outcome) {
	if len(tail) == 0 {
		return 0, OutcomeEmpty
	}
	s := scanner{b: tail, closing: -1}
	if !whole {
		s.resync()
	}
	s.scan()
	switch {
	case s.broken || s.templates > 0:
		return 0, OutcomeUnfinished
	case whole && s.closing == 0:
		return 0, OutcomeFragment // nothing but the closing tags
	case s.closing >= 0:
		return s.closing, OutcomeInjected
	case !document:
		return 0, OutcomeFragment
	}
	return len(tail), OutcomeInjected
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

// mayClose reports whether b, up to the next tag, is a closing tag with white space
// behind it, or how one may begin.
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
