package middleware

import (
	"fmt"
	"log/slog"
)

// Keys is a list of keys that never prints them: with fmt, encoding/json and
// log/slog it shows how many there are. A [][]byte is assignable to it.
type Keys [][]byte

// String returns the number of keys.
func (k Keys) String() string { return fmt.Sprintf("%d keys", len(k)) }

// Format implements [fmt.Formatter].
func (k Keys) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, k.String()) }

// MarshalText implements [encoding.TextMarshaler].
func (k Keys) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue implements [slog.LogValuer].
func (k Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }
