package console

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the length in bytes of the longest foreign text in a page. Whatever
// is longer belongs in a page of its own, or in an export.
const maxText = 2000

// clean returns foreign text as it may stand in a page: bounded, and with its
// invisible characters made visible, so that no bidirectional control turns the
// text behind it around and no NUL ends it. html/template escapes the markup.
func clean(s string) string { return cleanTo(s, maxText) }

// brief is clean for a row of a table.
func brief(s string) string { return cleanTo(s, 80) }

// maxBody is how much of a body stands in a page, in bytes.
const maxBody = 5000

// body is clean for the body of a request.
func body(s string) string { return cleanTo(s, maxBody) }

// cleanTo is clean with a limit in bytes.
func cleanTo(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if r, n := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && n == 1 {
			s = s[:len(s)-1] // the beginning of a character
		}
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\u200c', r == '\u200d': // Persian, Hindi and emoji join with the last two
			return r
		case r == '\r':
			return -1
		case r != ' ' && !unicode.IsGraphic(r):
			return '\uFFFD'
		}
		return r
	}, s)
	if cut {
		s += "…"
	}
	return s
}
