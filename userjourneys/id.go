package userjourneys

import "strings"

// CanonicalID returns id in lower case if it is a UUID (RFC 9562, section 4), so that an
// id is the same key whether it comes from the API or a webhook. It returns any other id
// unchanged, because ids are opaque.
func CanonicalID(id string) string {
	if len(id) != 36 {
		return id
	}
	for i := range len(id) {
		c := id[i]
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hexadecimal := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
		if dash != (c == '-') || !dash && !hexadecimal {
			return id
		}
	}
	return strings.ToLower(id)
}
