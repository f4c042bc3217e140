package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"strings"
	"sync"
)

// Errors of Verify.
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

// Verify returns nil if the header carries the signature of the body under one
// of the secrets: X-Webhook-Signature: sha256=<hex HMAC-SHA256 of the raw body>,
// keyed with the secret as the literal string. The comparison takes the same
// time whatever it finds. It answers one of the three errors above, or what is
// wrong with the secrets: one that is empty or weak never verifies anything.
func Verify(secrets []string, header http.Header, body []byte) error {
	if err := checkSecrets(secrets); err != nil {
		return err
	}
	var sigs signatures
	if err := sigs.parse(header); err != nil {
		return err
	}
	ok := false
	for _, s := range secrets {
		ok = macOf(s).matches(&sigs, body) || ok
	}
	if !ok {
		return ErrBadSignature
	}
	return nil
}

// signatures are those that a request carries.
type signatures struct {
	sums [maxTokens][sha256.Size]byte
	n    int
}

// parse reads all fields and the lists in them (RFC 9110, section 5.3).
// Another scheme than sha256 is skipped, so that the provider can add one;
// whatever else is not exactly a signature makes the request malformed.
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
	var digits [2 * sha256.Size]byte
	copy(digits[:], sum)
	if _, err := hex.Decode(s.sums[s.n][:], digits[:]); err != nil {
		return false
	}
	s.n++
	return true
}

// isOtherScheme reports whether a token looks like name=value.
func isOtherScheme(token string) bool {
	name, value, ok := strings.Cut(token, "=")
	if !ok || name == "" || value == "" {
		return false
	}
	for i := range len(name) {
		c := name[i] | 0x20
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || name[i] == '-' || name[i] == '_') {
			return false
		}
	}
	return true
}

// mac holds keyed hash states for one secret. Keying costs as much as hashing
// two blocks and allocates, so states are used again.
type mac struct{ pool sync.Pool }

type macState struct {
	hash hash.Hash
	sum  [sha256.Size]byte
}

func newMAC(secret string) *mac {
	m := &mac{}
	m.pool.New = func() any { return &macState{hash: hmac.New(sha256.New, []byte(secret))} }
	return m
}

// matches compares with every signature, found or not.
func (m *mac) matches(sigs *signatures, body []byte) bool {
	st := m.pool.Get().(*macState)
	st.hash.Reset()
	st.hash.Write(body)
	sum := st.hash.Sum(st.sum[:0])
	match := 0
	for i := range sigs.n {
		match |= subtle.ConstantTimeCompare(sum, sigs.sums[i][:])
	}
	m.pool.Put(st)
	return match == 1
}

// macs keeps the states of the secrets that Verify was called with lately.
var macs struct {
	sync.RWMutex
	bySecret map[string]*mac
}

func macOf(secret string) *mac {
	macs.RLock()
	m := macs.bySecret[secret]
	macs.RUnlock()
	if m != nil {
		return m
	}
	macs.Lock()
	defer macs.Unlock()
	if m = macs.bySecret[secret]; m != nil {
		return m
	}
	if len(macs.bySecret) >= 64 || macs.bySecret == nil { // secrets rotate: the old ones go
		macs.bySecret = map[string]*mac{}
	}
	m = newMAC(secret)
	macs.bySecret[secret] = m
	return m
}
