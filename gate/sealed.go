package gate

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/gorilla/securecookie"

	"github.com/askonce/askonce/store"
)

const (
	// sealedPurpose is the name that securecookie binds into each token.
	sealedPurpose = "askonce.ref.v1"

	// studyHashLen is how much of the study's SHA-256 a sealed token holds.
	studyHashLen = 16

	// maxSealedLen is more than the longest token, which has 571 characters
	// (an id of 256 bytes).
	maxSealedLen = 1024
)

// SealedReferences returns References that cannot be forged and hide the user id.
// They are encrypted with AES-CTR and authenticated with HMAC-SHA256, by
// gorilla/securecookie. Each one is different, even for the same user and study, so
// the provider cannot tell who took part twice. They do not expire, and show when
// they were made. An id of 64 bytes makes 230 characters.
//
// The arguments are pairs of a hash key of at least 32 bytes and a block key of 16,
// 24 or 32 bytes (AES-128, -192 or -256), all random. The first pair seals, and all
// pairs open. They rotate like the keys of [SignedReferences]. The error names every
// fault.
func SealedReferences(pairs ...[]byte) (References, error) {
	if err := checkPairs(pairs); err != nil {
		return nil, err
	}
	var codecs []*securecookie.SecureCookie
	for i := 0; i < len(pairs); i += 2 {
		// Copies: the codec keeps the hash key as it is given.
		codec := securecookie.New(bytes.Clone(pairs[i]), bytes.Clone(pairs[i+1]))
		codec.MaxAge(0) // a link that is opened late still identifies its user
		codec.MaxLength(maxSealedLen)
		codec.SetSerializer(securecookie.NopEncoder{})
		codecs = append(codecs, codec)
	}
	// A codec reports its faults only when it is used, and only the first one seals.
	var errs []error
	probe := store.Key{StudyID: "study", UserID: "user"}
	for i := range codecs {
		one := sealWith(codecs[i : i+1])
		token, err := one.Reference(probe)
		if err == nil {
			_, err = one.UserID(probe.StudyID, token)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("gate: SealedReferences: pair %d does not work: %w", i, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return sealWith(codecs), nil
}

func checkPairs(pairs [][]byte) error {
	var errs []error
	fault := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("gate: SealedReferences: "+format, a...))
	}
	if len(pairs) == 0 {
		fault("no keys")
	}
	if len(pairs)%2 != 0 {
		fault("%d keys: each hash key needs a block key", len(pairs))
	}
	for i, key := range pairs {
		if i%2 == 0 {
			if err := checkKey(key); err != nil {
				fault("key %d, a hash key, %w", i, err)
			}
		} else if n := len(key); n != 16 && n != 24 && n != 32 {
			fault("key %d, a block key, has %d bytes, not 16, 24 or 32", i, n)
		}
		for j, other := range pairs[:i] {
			if len(key) > 0 && bytes.Equal(key, other) {
				fault("key %d is a duplicate of key %d", i, j)
			}
		}
	}
	return errors.Join(errs...)
}

// sealedReferences keeps its codecs, which hold the keys, in a function because
// fmt prints the fields of any struct.
type sealedReferences struct {
	codecs func() []*securecookie.SecureCookie
}

func sealWith(codecs []*securecookie.SecureCookie) sealedReferences {
	return sealedReferences{func() []*securecookie.SecureCookie { return codecs }}
}

func (s sealedReferences) Reference(k store.Key) (string, error) {
	if err := store.CheckKey(k); err != nil {
		return "", err
	}
	// The codec encrypts in place, so the slice is made for it.
	payload := append(studyHash(k.StudyID), k.UserID...)
	token, err := s.codecs()[0].Encode(sealedPurpose, payload)
	if err != nil {
		return "", fmt.Errorf("gate: seal: %w", err)
	}
	return strings.TrimRight(token, "="), nil // a URL would escape the padding
}

func (s sealedReferences) UserID(studyID, reference string) (string, error) {
	// The codec's decoder takes several spellings of one token.
	if _, ok := decodeToken(reference, maxSealedLen); !ok {
		return "", ErrBadReference
	}
	padded := reference + strings.Repeat("=", (4-len(reference)%4)%4)
	for _, codec := range s.codecs() {
		var payload []byte
		if codec.Decode(sealedPurpose, padded, &payload) != nil || len(payload) < studyHashLen {
			continue
		}
		userID := string(payload[studyHashLen:])
		if !hmac.Equal(payload[:studyHashLen], studyHash(studyID)) || store.CheckID(userID) != nil {
			break
		}
		return userID, nil
	}
	return "", ErrBadReference
}

func studyHash(studyID string) []byte {
	sum := sha256.Sum256([]byte(studyID))
	return sum[:studyHashLen]
}
