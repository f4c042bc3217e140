package sqlstore

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"hash"
	"sync"

	"github.com/askonce/askonce/store"
)

// hasher makes the keyed hashes by which users are found, even after they have been
// erased: HMAC-SHA256 truncated to 128 bits (RFC 2104, section 5, allows half of the
// output). Without the key, ids can be neither read from them nor guessed.
type hasher struct {
	pool  sync.Pool
	check int64 // identifies the key; stored beside every hash
}

func newHasher(secret []byte) *hasher {
	h := &hasher{pool: sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
	h.check = int64(binary.BigEndian.Uint64(h.user(""))) // no user has this id
	return h
}

// user returns the hash of a user, or an empty one without a key.
func (h *hasher) user(userID string) []byte {
	if h == nil {
		return []byte{}
	}
	mac := h.pool.Get().(hash.Hash)
	defer h.pool.Put(mac)
	mac.Reset()
	mac.Write([]byte(userID))
	return mac.Sum(nil)[:16]
}

const (
	selectSecret = `select secret, key_check from {prefix}secret where id = 1`
	insertSecret = `insert into {prefix}secret (id, secret, key_check) values (1, ?, ?)`
	selectCheck  = `select key_check from {prefix}person limit 1`

	// MySQL's safe updates require a condition on a key.
	deletePersons = `delete from {prefix}person where user_hash >= ''`
	deleteResets  = `delete from {prefix}reset where user_hash >= ''`
	deleteSecret  = `delete from {prefix}secret where id = 1`
)

// loadKey returns the hasher of the stored key, or nil if there is none yet. It does not
// write, so that look-ups work on a read replica.
func (s *Store) loadKey(ctx context.Context) (*hasher, error) {
	var used sql.Null[int64]
	err := s.db.QueryRowContext(ctx, s.text(selectCheck)).Scan(&used)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	var secret []byte
	var check int64
	err = s.db.QueryRowContext(ctx, s.text(selectSecret)).Scan(&secret, &check)
	switch {
	case errors.Is(err, sql.ErrNoRows) && used.Valid:
		return nil, ErrKey
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	h := newHasher(secret)
	if h.check != check || used.Valid && used.V != check {
		return nil, ErrKey
	}
	return h, nil
}

// makeKey stores a new key, unless another process is faster.
func (s *Store) makeKey(ctx context.Context) error {
	secret := make([]byte, sha256.Size)
	rand.Read(secret)
	_, err := s.db.ExecContext(ctx, s.text(insertSecret), secret, newHasher(secret).check)
	return err
}

// StartOver makes a new key for the hashes after the old one was lost. It restores
// completions from the recorded interviews. Everything known only by hash is lost:
// showings, answers, opt-outs, resets, and everything about erased users. An erased user
// may be asked again, and a late Record stores that user's id. The counts of
// [Store.Funnel] stay; users who see or answer a prompt again count once more.
//
// Other processes notice at their next call. If StartOver is interrupted, call it
// again.
func (s *Store) StartOver(ctx context.Context) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	err := s.retried(ctx, func() error {
		return querier{s: s, ready: &session{}}.inTx(ctx, func(tx querier) error {
			for _, statement := range []string{deletePersons, deleteResets, deleteSecret} {
				if _, err := tx.exec(ctx, statement); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return s.failed(ctx, "start over", err)
	}
	s.forget(s.session.Load())
	for c, err := range s.Completions(ctx, store.Filter{}) {
		if err == nil && c.UserID != "" && !c.Ignored {
			err = s.restore(ctx, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// restore makes an interview complete its study again, without counting it.
func (s *Store) restore(ctx context.Context, c store.Completion) error {
	return s.runTx(ctx, "restore a completion", func(tx querier) error {
		p, err := tx.lock(ctx, c.UserID)
		if err != nil {
			return err
		}
		i, _, err := tx.interview(ctx, c)
		if err != nil || !i.lacks(c) {
			return err
		}
		p.complete(i.StudyID, untilMicros(i.Until), i.CompletedAt.UnixMicro())
		p.funnel = nil
		return tx.save(ctx, p, i.StudyID)
	})
}
