package middleware

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
)

// Keys is a list of secret keys. With fmt, encoding/json and log/slog it prints only how
// many there are. A [][]byte is assignable to it.
type Keys [][]byte

// ParseKeys reads keys in the format of the command "askonce keys": in hex, separated by
// commas. An empty text returns no keys and no error, so an environment variable that is
// not set means the default of [Options].CookieKeys. No error contains a key.
func ParseKeys(text string) (Keys, error) {
	if text == "" {
		return nil, nil
	}
	var keys Keys
	for i, s := range strings.Split(text, ",") {
		key, err := hex.DecodeString(strings.TrimSpace(s))
		if err != nil {
			return nil, fmt.Errorf("middleware: ParseKeys: key %d is not in hex", i)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// String returns the number of keys.
func (k Keys) String() string { return fmt.Sprintf("%d keys", len(k)) }

// Format implements [fmt.Formatter].
func (k Keys) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, k.String()) }

// MarshalText implements [encoding.TextMarshaler].
func (k Keys) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue implements [slog.LogValuer].
func (k Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }
