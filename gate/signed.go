package gate

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/askonce/askonce/store"
)

const (
	minKeyLen = 32 // of HMAC keys: as long as the hash (RFC 2104, section 3)
	tagLen    = 16 // a MAC of 128 bits (RFC 2104, section 5)

	// signedPurpose separates references from anything else that is signed with
	// the same key.
	signedPurpose = "askonce signed reference 1\x00"
)

// tokenText encodes signed and sealed references in characters that URLs do not
// escape (RFC 3986, section 2.3).
var tokenText = base64.RawURLEncoding

// SignedReferences returns References that carry the user id in the clear
// (base64url) and cannot be forged. They are signed with HMAC-SHA256 over study and
// user, truncated to 128 bits. A user always has the same reference in a study, so
// the provider sees repeated interviews as one user's. It has 107 characters for an
// id of 64 bytes, and does not expire.
//
// The first key signs, and all keys verify. To rotate, append a new key and deploy;
// move it to the front and deploy; remove the old key once no link made with it is
// expected back. Keys must be random and at least 32 bytes long. The error names
// every key that is too short or a duplicate.
func SignedReferences(keys ...[]byte) (References, error) {
	var errs []error
	if len(keys) == 0 {
		errs = append(errs, errors.New("gate: SignedReferences: no key"))
	}
	for i, key := range keys {
		if err := checkKey(key); err != nil {
			errs = append(errs, fmt.Errorf("gate: SignedReferences: key %d %w", i, err))
		} else if slices.ContainsFunc(keys[:i], func(k []byte) bool { return bytes.Equal(k, key) }) {
			errs = append(errs, fmt.Errorf("gate: SignedReferences: key %d is a duplicate", i))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	own := make([][]byte, len(keys))
	for i, key := range keys {
		own[i] = bytes.Clone(key)
	}
	return signedReferences{func() [][]byte { return own }}, nil
}

func checkKey(key []byte) error {
	switch {
	case len(key) == 0:
		return errors.New("is empty")
	case len(key) < minKeyLen:
		return fmt.Errorf("has %d bytes, fewer than %d", len(key), minKeyLen)
	}
	return nil
}

// signedReferences makes tokens of a tag and the user id. The keys are kept in a
// function because fmt prints the fields of any struct.
type signedReferences struct{ keys func() [][]byte }

func (s signedReferences) Reference(k store.Key) (string, error) {
	if err := store.CheckKey(k); err != nil {
		return "", err
	}
	token := make([]byte, 0, tagLen+len(k.UserID))
	token = append(token, tag(s.keys()[0], k.StudyID, k.UserID)...)
	token = append(token, k.UserID...)
	return tokenText.EncodeToString(token), nil
}

func (s signedReferences) UserID(studyID, reference string) (string, error) {
	token, ok := decodeToken(reference, tagLen+store.MaxIDLen)
	if !ok || len(token) <= tagLen {
		return "", ErrBadReference
	}
	userID := string(token[tagLen:])
	if store.CheckKey(store.Key{StudyID: studyID, UserID: userID}) != nil {
		return "", ErrBadReference
	}
	for _, key := range s.keys() {
		if hmac.Equal(token[:tagLen], tag(key, studyID, userID)) {
			return userID, nil
		}
	}
	return "", ErrBadReference
}

// tag is the MAC over study, NUL and user; neither id contains a NUL.
func tag(key []byte, studyID, userID string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signedPurpose + studyID + "\x00" + userID))
	return mac.Sum(nil)[:tagLen]
}

// decodeToken decodes a token of up to maxLen bytes that is spelled in the one
// way in which it was written: the decoder alone would skip line breaks and
// ignore the bits that are left over in the last character.
func decodeToken(token string, maxLen int) ([]byte, bool) {
	if len(token) > tokenText.EncodedLen(maxLen) {
		return nil, false
	}
	b, err := tokenText.DecodeString(token)
	if err != nil || tokenText.EncodeToString(b) != token {
		return nil, false
	}
	return b, true
}
