package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"slices"
	"strings"
	"sync"
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

// Verify returns nil if the header carries a signature of the body made with one
// of the secrets: X-Webhook-Signature: sha256=<hex HMAC-SHA256 of the raw body>.
// The key is the secret as the literal string, whsec_ included. Signatures are
// compared in constant time.
//
// Verify returns [ErrMissingSignature], [ErrMalformedSignature],
// [ErrBadSignature], or an error that matches [ErrSecret] and says what is wrong
// with the secrets: an empty or weak one never verifies anything. The header's
// name must be in its canonical form, as net/http makes it.
func Verify(secrets []string, header http.Header, body []byte) error {
	if err := checkSecrets(secrets, tooWeak); err != nil {
		return err
	}
	var sigs signatures
	if err := sigs.parse(header); err != nil {
		return err
	}
	if !sigs.match(newKeys(secrets), body) {
		return ErrBadSignature
	}
	return nil
}

// signatures are those of one request.
type signatures struct {
	sums [maxTokens][sha256.Size]byte
	n    int
}

// parse reads all fields and the lists in them (RFC 9110, section 5.3). Schemes
// other than sha256 are skipped, so that the provider can add one. Anything else
// that is not exactly a signature makes the request malformed.
func (s *signatures) parse(header http.Header) error {
	tokens := 0
	for _, v := range header[signatureHeader] {
		for token := range strings.SplitSeq(v, ",") {
			if token = strings.Trim(token, " \t"); token == "" {
				continue // RFC 9110, section 5.6.1.2
			}
			if tokens++; tokens > maxTokens || !s.add(token) {
				return ErrMalformedSignature
			}
		}
	}
	switch {
	case tokens == 0:
		return ErrMissingSignature
	case s.n == 0:
		return ErrMalformedSignature
	}
	return nil
}

func (s *signatures) add(token string) bool {
	sum, ok := strings.CutPrefix(token, scheme)
	if !ok {
		return isOtherScheme(token)
	}
	if len(sum) != 2*sha256.Size {
		return false
	}
	if _, err := hex.Decode(s.sums[s.n][:], []byte(sum)); err != nil {
		return false
	}
	s.n++
	return true
}

// isOtherScheme reports whether the token looks like name=value: a token of RFC
// 9110, section 5.6.2, and visible characters.
func isOtherScheme(token string) bool {
	name, value, ok := strings.Cut(token, "=")
	if !ok || name == "" || value == "" {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	for i := range len(value) {
		if value[i] <= ' ' || value[i] > '~' {
			return false
		}
	}
	return true
}

// A key makes signatures with one secret. Keying costs as much as hashing two
// blocks, so a Handler keeps its keys, and a key its keyed states.
type key struct{ states sync.Pool }

// newKeys returns a key for each distinct secret.
func newKeys(secrets []string) []*key {
	var keys []*key
	for i, secret := range secrets {
		if slices.Contains(secrets[:i], secret) {
			continue
		}
		k := &key{}
		k.states.New = func() any { return hmac.New(sha256.New, []byte(secret)) }
		keys = append(keys, k)
	}
	return keys
}

// match compares every signature with that of every key, found or not.
func (s *signatures) match(keys []*key, body []byte) bool {
	found := false
	for _, k := range keys {
		mac := k.states.Get().(hash.Hash)
		mac.Reset()
		mac.Write(body)
		sum := mac.Sum(nil)
		k.states.Put(mac)
		for n := range s.n {
			found = hmac.Equal(sum, s.sums[n][:]) || found
		}
	}
	return found
}
