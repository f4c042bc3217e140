package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
)

const (
	minSecret      = 16 // bytes; below 14 crypto/hmac refuses under FIPS 140
	maxSecrets     = 4  // each costs one HMAC for every forged request
	secretsTimeout = 5 * time.Second
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

// SecretList is a list of signing secrets that prints like Secret. A []string is
// assignable to it.
type SecretList []string

func (l SecretList) redacted() []Secret {
	out := make([]Secret, len(l))
	for i, s := range l {
		out[i] = Secret(s)
	}
	return out
}

// Format implements fmt.Formatter.
func (l SecretList) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, l.redacted()) }

// MarshalJSON implements json.Marshaler.
func (l SecretList) MarshalJSON() ([]byte, error) { return json.Marshal(l.redacted()) }

// LogValue implements slog.LogValuer.
func (l SecretList) LogValue() slog.Value { return slog.AnyValue(l.redacted()) }

var (
	errNoSecret       = fmt.Errorf("%w: there is none", ErrSecret)
	errTooManySecrets = fmt.Errorf("%w: more than %d", ErrSecret, maxSecrets)
)

// checkSecret never puts the secret into the error.
func checkSecret(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: it is empty", ErrSecret)
	case strings.HasPrefix(s, "uj_"):
		return fmt.Errorf("%w: this is an API key; the signing secret begins with whsec_", ErrSecret)
	case strings.ContainsFunc(s, isBlank):
		return fmt.Errorf("%w: it contains white space, perhaps the newline of a file or its byte order mark", ErrSecret)
	case s[0] == '"', s[0] == '\'':
		return fmt.Errorf("%w: it is in quotes, which are not part of it", ErrSecret)
	case len(s) < minSecret:
		return fmt.Errorf("%w: it is shorter than %d bytes", ErrSecret, minSecret)
	}
	return nil
}

// isBlank reports whether r is not to be seen: white space, or a mark that only
// says how the text around it is written.
func isBlank(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }

// keyring is the secrets that are accepted now. It keeps keyed states, not the
// secrets, so that a Handler has none to print.
type keyring struct {
	source func(context.Context) ([]string, error) // nil: those in fixed

	mu    sync.Mutex // for changing fixed
	fixed atomic.Pointer[[]key]
}

type key struct {
	mac   *mac
	until time.Time // the zero time: for good
}

// set makes the secrets the accepted ones, each once, and names every fault.
func (k *keyring) set(secrets []string) error {
	var keys []key
	var errs []error
	for i, s := range secrets {
		if slices.Contains(secrets[:i], s) {
			continue
		}
		errs = append(errs, checkSecret(s))
		keys = append(keys, key{mac: newMAC(s)})
	}
	if len(keys) > maxSecrets {
		errs = append(errs, errTooManySecrets)
	}
	k.fixed.Store(&keys)
	return errors.Join(errs...)
}

// adopt accepts the secret from now on, and those so far until then.
func (k *keyring) adopt(secret string, until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys := []key{{mac: newMAC(secret)}}
	for _, old := range *k.fixed.Load() {
		if old.until.IsZero() || old.until.After(until) {
			old.until = until
		}
		if len(keys) < maxSecrets {
			keys = append(keys, old)
		}
	}
	k.fixed.Store(&keys)
}

// verified reports whether one of the signatures is that of the body. The error
// is that of the source.
func (k *keyring) verified(ctx context.Context, sigs *signatures, body []byte) (ok bool, err error) {
	if k.source == nil {
		now := time.Now()
		for _, key := range *k.fixed.Load() {
			if key.until.IsZero() || now.Before(key.until) {
				ok = key.mac.matches(sigs, body) || ok
			}
		}
		return ok, nil
	}
	// Not the request's own context: whoever hangs up would make the source fail.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), secretsTimeout)
	defer cancel()
	secrets, err := k.source(ctx)
	if err != nil {
		return false, err
	}
	var macs [maxSecrets]*mac
	n, err := lookUp(secrets, &macs)
	for _, m := range macs[:n] {
		ok = m.matches(sigs, body) || ok
	}
	return ok, err
}
