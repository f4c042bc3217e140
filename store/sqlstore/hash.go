package sqlstore

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"

	"github.com/askonce/askonce/store"
)

// hasher makes the keyed hashes by which a SQL knows who has completed what,
// also when the person is erased: HMAC-SHA256, cut to 128 bits (RFC 2104,
// section 5, allows half of the output). An id cannot be had back from them,
// nor guessed without the key.
type hasher struct{ pool sync.Pool }

type hashState struct {
	mac hash.Hash
	buf []byte
}

func newHasher(secret []byte) *hasher {
	return &hasher{sync.Pool{New: func() any {
		return &hashState{hmac.New(sha256.New, secret), make([]byte, 0, 2*store.MaxIDLen+1+sha256.Size)}
	}}}
}

// key hashes a user in a study.
func (h *hasher) key(k store.Key) []byte { return h.sum(k.StudyID, k.UserID) }

// user hashes a user. No study is "", so it is no key's hash.
func (h *hasher) user(userID string) []byte { return h.sum("", userID) }

// sum hashes both ids; they have no NUL.
func (h *hasher) sum(studyID, userID string) []byte {
	s := h.pool.Get().(*hashState)
	defer h.pool.Put(s)
	s.mac.Reset()
	s.buf = append(append(append(s.buf[:0], studyID...), 0), userID...)
	s.mac.Write(s.buf)
	return append(make([]byte, 0, 16), s.mac.Sum(s.buf[:0])[:16]...)
}
