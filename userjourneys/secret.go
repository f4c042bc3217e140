package userjourneys

import "fmt"

// A Secret holds a webhook's signing secret without printing it: fmt, encoding/json,
// log/slog and html/template show "whsec_…". The zero value is no secret and prints as "".
// Call [Secret.Reveal] to read it.
type Secret struct {
	// A pointer, because fmt prints the unexported fields of other packages'
	// structs without calling any method.
	text *string
}

func newSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the secret itself, or "" if there is none.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String returns "whsec_…", or "" if there is no secret.
func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return "whsec_…"
}

// Format implements [fmt.Formatter]. It never prints the secret.
func (s Secret) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), s.String()) // fmt ignores errors of its writers
}

// MarshalText implements [encoding.TextMarshaler], for JSON and for logs. It
// never writes the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
