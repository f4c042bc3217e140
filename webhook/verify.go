package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"regexp"
	"strings"
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

// otherScheme is what a signature of another kind looks like: name=value, with a
// token of RFC 9110, section 5.6.2, as the name.
var otherScheme = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+=[!-~]+$")

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
// (RFC 9110, section 5.3). It skips schemes other than sha256, so that the
// provider can add one. Anything else that is not exactly a signature makes the
// request malformed.
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

// anyMatches compares every signature with that of every secret. It does not stop
// at a match, so that its duration says nothing about the secrets.
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
