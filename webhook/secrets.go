package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode"
)

const (
	minSecret  = 16 // bytes; below 14 crypto/hmac refuses under FIPS 140
	maxSecrets = 4  // each costs one HMAC for every forged request
)

// ErrSecret is matched by every fault of a signing secret.
var ErrSecret = errors.New("webhook: unusable signing secret")

// Secret is a signing secret that does not give itself away: in every fmt verb,
// in JSON and in slog it reads like whsec_…ca73.
type Secret string

func (s Secret) redacted() string {
	prefix := ""
	if strings.HasPrefix(string(s), "whsec_") {
		prefix = "whsec_"
	}
	if len(s) < minSecret {
		return prefix + "…"
	}
	return prefix + "…" + string(s[len(s)-4:])
}

// Format implements fmt.Formatter.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.redacted())) }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.redacted()), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.redacted()) }

func checkSecrets(secrets []string) error {
	if len(secrets) == 0 {
		return fmt.Errorf("%w: there is none", ErrSecret)
	}
	if len(secrets) > maxSecrets {
		return fmt.Errorf("%w: more than %d", ErrSecret, maxSecrets)
	}
	for _, s := range secrets {
		if err := checkSecret(s); err != nil {
			return err
		}
	}
	return nil
}

func checkSecret(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: it is empty", ErrSecret)
	case strings.HasPrefix(s, "uj_"):
		return fmt.Errorf("%w: this is an API key; the signing secret begins with whsec_", ErrSecret)
	case strings.ContainsFunc(s, unicode.IsSpace):
		return fmt.Errorf("%w: it contains white space, perhaps the newline of a file", ErrSecret)
	case len(s) < minSecret:
		return fmt.Errorf("%w: it is shorter than %d bytes", ErrSecret, minSecret)
	}
	return nil
}

// keyring is the secrets that are accepted now.
type keyring struct {
	fixed  []string
	source func(context.Context) ([]string, error)
}

// current returns the secrets without repetitions.
func (k *keyring) current(ctx context.Context) ([]string, error) {
	if k.source == nil {
		return k.fixed, nil
	}
	secrets, err := k.source(ctx)
	if err != nil {
		return nil, err
	}
	return distinct(secrets), checkSecrets(secrets)
}

func distinct(secrets []string) []string {
	var out []string
	for _, s := range secrets {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
