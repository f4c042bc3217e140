package page

import "bytes"

// Names are compared in ASCII alone, as the HTML standard has it. bytes.EqualFold
// would take </ſcript> for the end of a script.

// space is ASCII white space as the HTML standard defines it.
const space = " \t\n\r\f"

func isSpace(c byte) bool {
	const set = 1<<' ' | 1<<'\t' | 1<<'\n' | 1<<'\r' | 1<<'\f'
	return c <= ' ' && set>>c&1 != 0 // one comparison for most bytes
}

func isBlank(b []byte) bool { return len(bytes.TrimLeft(b, space)) == 0 }

func isLetter(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// equalFold compares without regard to case.
func equalFold[T string | []byte](a []byte, b T) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if lower(c) != lower(b[i]) {
			return false
		}
	}
	return true
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && equalFold(b[:len(prefix)], prefix)
}
