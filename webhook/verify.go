package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"slices"
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
// time whatever it finds. It answers one of the three errors above, or an
// ErrSecret that says what is wrong with the secrets: one that is empty or weak
// never verifies anything. The header's name must be in its canonical form, as
// net/http makes it. It is safe for concurrent use.
func Verify(secrets []string, header http.Header, body []byte) error {
	var macs [maxSecrets]*mac
	n, err := lookUp(secrets, &macs)
	if err != nil {
		return err
	}
	var sigs signatures
	if err := sigs.parse(header); err != nil {
		return err
	}
	ok := false
	for _, m := range macs[:n] {
		ok = m.matches(&sigs, body) || ok
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

// isOtherScheme reports whether a token looks like name=value: a token of RFC
// 9110, section 5.6.2, and visible characters.
func isOtherScheme(token string) bool {
	name, value, ok := strings.Cut(token, "=")
	if !ok || name == "" || value == "" {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
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

// macs keeps the states of the secrets that Verify, or a handler with
// Options.Secrets, was called with lately.
var macs struct {
	sync.RWMutex
	bySecret map[string]*mac
}

// lookUp finds the states of the secrets, each secret once. A secret that is
// not usable never gets one.
func lookUp(secrets []string, into *[maxSecrets]*mac) (n int, err error) {
	if len(secrets) == 0 {
		return 0, errNoSecret
	}
	for i, s := range secrets {
		if slices.Contains(secrets[:i], s) {
			continue
		}
		if n == maxSecrets {
			return 0, errTooManySecrets
		}
		if into[n], err = macOf(s); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

func macOf(secret string) (*mac, error) {
	macs.RLock()
	m := macs.bySecret[secret]
	macs.RUnlock()
	if m != nil {
		return m, nil
	}
	if err := checkSecret(secret); err != nil {
		return nil, err
	}
	macs.Lock()
	defer macs.Unlock()
	if m = macs.bySecret[secret]; m != nil {
		return m, nil
	}
	if len(macs.bySecret) >= 64 || macs.bySecret == nil { // secrets rotate: the old ones go
		macs.bySecret = map[string]*mac{}
	}
	m = newMAC(secret)
	macs.bySecret[strings.Clone(secret)] = m
	return m, nil
}
