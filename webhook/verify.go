package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/askonce/askonce/internal/guard"
)

// Errors of [Verify].
var (
	ErrMissingSignature   = errors.New("webhook: no signature")
	ErrMalformedSignature = errors.New("webhook: malformed signature")
	ErrBadSignature       = errors.New("webhook: the signature does not match")
)

const (
	signatureHeader = "X-Webhook-Signature"
	scheme          = "sha256="
	maxTokens       = 16 // signatures in one request
)

// otherScheme matches a signature of another scheme: name=value, where the name is a
// token of RFC 9110, section 5.6.2.
var otherScheme = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+=[!-~]+$")

// Verify returns nil if the header carries a signature of the body made with one
// of the secrets: X-Webhook-Signature: sha256=<hex HMAC-SHA256 of the raw body>.
// The key is the secret as the literal string, whsec_ included. Signatures are
// compared in constant time.
//
// Verify returns [ErrMissingSignature], [ErrMalformedSignature],
// [ErrBadSignature], or an error that matches [ErrSecret] and says what is wrong
// with the secrets: an empty or weak secret never verifies anything. The header's
// key must be in canonical form, as net/http makes it.
func Verify(secrets []string, header http.Header, body []byte) error {
	if err := checkSecrets(secrets, tooWeak); err != nil {
		return err
	}
	signatures, err := parseSignatures(header)
	if err != nil {
		return err
	}
	if !anyMatches(signatures, secrets, body) {
		return ErrBadSignature
	}
	return nil
}

// parseSignatures returns the signatures of all fields and of the lists in them
// (RFC 9110, section 5.3). It skips schemes other than sha256, so that the provider
// can add one. It fails if anything else is not exactly a signature.
func parseSignatures(header http.Header) ([][]byte, error) {
	var signatures [][]byte
	tokens := 0
	for _, v := range header[signatureHeader] {
		for token := range strings.SplitSeq(v, ",") {
			if token = strings.Trim(token, " \t"); token == "" {
				continue // RFC 9110, section 5.6.1.2
			}
			if tokens++; tokens > maxTokens {
				return nil, ErrMalformedSignature
			}
			digits, ok := strings.CutPrefix(token, scheme)
			if !ok && otherScheme.MatchString(token) {
				continue
			}
			if !ok || len(digits) != hex.EncodedLen(sha256.Size) {
				return nil, ErrMalformedSignature
			}
			signature, err := hex.DecodeString(digits)
			if err != nil {
				return nil, ErrMalformedSignature
			}
			signatures = append(signatures, signature)
		}
	}
	switch {
	case tokens == 0:
		return nil, ErrMissingSignature
	case len(signatures) == 0:
		return nil, ErrMalformedSignature
	}
	return signatures, nil
}

// anyMatches compares every signature with every secret's. It does not stop at a
// match, so that its duration reveals nothing about the secrets.
func anyMatches(signatures [][]byte, secrets []string, body []byte) bool {
	found := false
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		want := mac.Sum(nil)
		for _, s := range signatures {
			found = hmac.Equal(want, s) || found
		}
	}
	return found
}

const (
	secretPrefix   = "whsec_"
	minSecret      = 16 // bytes; crypto/hmac refuses less than 14 in FIPS 140 mode
	maxSecrets     = 4  // every forged request costs one HMAC for each
	secretsTimeout = 5 * time.Second
)

// ErrSecret is matched by every error about an unusable signing secret.
var ErrSecret = errors.New("webhook: unusable signing secret")

// A SecretList holds signing secrets and never prints them: fmt, encoding/json and
// log/slog show a secret as whsec_…ca73. A []string is assignable to it.
type SecretList []string

func (l SecretList) redacted() []string {
	out := make([]string, len(l))
	for i, s := range l {
		if strings.HasPrefix(s, secretPrefix) {
			out[i] = secretPrefix
		}
		out[i] += "…"
		if len(s) >= minSecret {
			out[i] += s[len(s)-4:]
		}
	}
	return out
}

// Format implements [fmt.Formatter].
func (l SecretList) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, l.redacted()) }

// MarshalJSON implements [json.Marshaler].
func (l SecretList) MarshalJSON() ([]byte, error) { return json.Marshal(l.redacted()) }

// LogValue implements [slog.LogValuer].
func (l SecretList) LogValue() slog.Value { return slog.AnyValue(l.redacted()) }

// checkSecrets applies check to each secret and returns every fault. A secret
// that is listed twice counts once.
func checkSecrets(secrets []string, check func(string) error) error {
	if len(secrets) == 0 {
		return fmt.Errorf("%w: there is none", ErrSecret)
	}
	var errs []error
	distinct := 0
	for i, s := range secrets {
		if !slices.Contains(secrets[:i], s) {
			distinct++
			errs = append(errs, check(s))
		}
	}
	if distinct > maxSecrets {
		errs = append(errs, fmt.Errorf("%w: there are more than %d", ErrSecret, maxSecrets))
	}
	return errors.Join(errs...)
}

// tooWeak returns an error for a secret that can be guessed, or that can only be a
// mistake. The error never contains the secret.
func tooWeak(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: it is empty", ErrSecret)
	case strings.HasPrefix(s, "uj_"):
		return fmt.Errorf("%w: this is an API key; the signing secret begins with %s", ErrSecret, secretPrefix)
	case strings.ContainsFunc(s, isBlank):
		return fmt.Errorf("%w: it contains white space, perhaps the newline of a file or its byte order mark", ErrSecret)
	case s[0] == '"', s[0] == '\'':
		return fmt.Errorf("%w: it is in quotes, which are not part of it", ErrSecret)
	case len(s) < minSecret:
		return fmt.Errorf("%w: it is shorter than %d bytes", ErrSecret, minSecret)
	}
	return nil
}

// isBlank reports whether r is invisible: white space, or a format character
// such as a byte order mark.
func isBlank(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }

// misread is like tooWeak, and also refuses secrets that the provider does not issue.
// A secret that was read wrongly would verify nothing without saying why.
func misread(s string) error {
	if err := tooWeak(s); err != nil {
		return err
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			return fmt.Errorf("%w: it contains bytes that are not visible ASCII, perhaps it was read as UTF-16", ErrSecret)
		case c == '"', c == '\'', c == '`':
			return fmt.Errorf("%w: it contains quotes, which are not part of it", ErrSecret)
		case c == ',':
			return fmt.Errorf("%w: it contains a comma; give each secret by itself, without a version in front", ErrSecret)
		}
	}
	if strings.LastIndex(s, secretPrefix) > 0 {
		return fmt.Errorf("%w: it does not begin with %s: remove what is in front of it", ErrSecret, secretPrefix)
	}
	return nil
}

// newSecretSource returns a function that returns the accepted secrets. It fails if
// the options for them are wrong. The function holds the secrets because fmt would
// print a field of the Handler.
func newSecretSource(secret string, o *Options) (func(context.Context) ([]string, error), error) {
	if o.Secrets == nil {
		fixed := append([]string{secret}, o.PreviousSecrets...)
		return func(context.Context) ([]string, error) { return fixed, nil }, checkSecrets(fixed, misread)
	}
	if secret != "" || len(o.PreviousSecrets) > 0 {
		return nil, errors.New("webhook: Options.Secrets excludes a fixed secret and Options.PreviousSecrets: it returns every secret that is accepted")
	}
	source := o.Secrets
	return func(ctx context.Context) ([]string, error) {
		// A sender that hangs up must not make the source fail.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), secretsTimeout)
		defer cancel()
		secrets, err := guard.Get(func() ([]string, error) { return source(ctx) })
		if err == nil {
			err = checkSecrets(secrets, misread)
		}
		return secrets, err
	}, nil
}
