package sqlstore

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"hash"
	"sync"
)

// ErrKey means that the key by which users are found does not belong to the rows
// that are there. Nobody can be found until it does, so nothing is read or
// written. Restore the table "secret" from a backup. To start over without what
// the store knows about users, empty the tables "person" and "secret"; everybody
// may then be asked again, and whoever was erased is unknown.
var ErrKey = errors.New("sqlstore: the key in the table \"secret\" is missing or is not the one that the table \"person\" was written with")

// errStale means that the session's key is no longer that of the database.
var errStale = errors.New("sqlstore: the tables were emptied or restored while the store was in use")

// hasher makes the keyed hashes by which users are found, also once they are
// erased: HMAC-SHA256, truncated to 128 bits (RFC 2104, section 5, allows half of
// the output). Without the key an id can be neither recovered nor guessed.
type hasher struct {
	pool  sync.Pool
	check []byte // the hash of no user: a row under it shows that the key fits
}

func newHasher(secret []byte) *hasher {
	h := &hasher{pool: sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
	h.check = h.user("")
	return h
}

func (h *hasher) user(userID string) []byte {
	mac := h.pool.Get().(hash.Hash)
	defer h.pool.Put(mac)
	mac.Reset()
	mac.Write([]byte(userID))
	return mac.Sum(make([]byte, 0, sha256.Size))[:16]
}

// findKey returns the key, or nil while the store is empty. It does not write, so
// that look-ups work on a replica.
func (s *Store) findKey(ctx context.Context) (*hasher, error) {
	h, err := s.readKey(ctx)
	if errors.Is(err, ErrKey) {
		return s.readKey(ctx) // the first row may have come between the two queries
	}
	return h, err
}

func (s *Store) readKey(ctx context.Context) (*hasher, error) {
	var secret []byte
	err := s.db.QueryRowContext(ctx, s.text.secret).Scan(&secret)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	var h *hasher
	check := []byte{}
	if err == nil {
		h = newHasher(secret)
		check = h.check
	}
	var fits, people int
	if err := s.db.QueryRowContext(ctx, s.text.keyFits, check).Scan(&fits, &people); err != nil {
		return nil, err
	}
	switch {
	case fits == 1:
		return h, nil
	case people == 1:
		return nil, ErrKey
	}
	return nil, nil
}

// readable returns a session, with the key if there is one by now.
func (s *Store) readable(ctx context.Context) (*session, error) {
	ready, err := s.ready(ctx)
	if err != nil || ready.key != nil {
		return ready, err
	}
	key, err := s.findKey(ctx)
	if err != nil || key == nil {
		return ready, err
	}
	keyed := &session{key: key, prepared: ready.prepared}
	if s.session.CompareAndSwap(ready, keyed) {
		return keyed, nil
	}
	return s.ready(ctx)
}

// writable returns a session with a key. The first of all processes makes it.
func (s *Store) writable(ctx context.Context) (*session, error) {
	ready, err := s.readable(ctx)
	if err != nil || ready.key != nil {
		return ready, err
	}
	err = s.inTx(ctx, func(tx querier) error {
		fresh := make([]byte, 32)
		rand.Read(fresh)
		if _, err := tx.exec(ctx, s.text.keepSecret, fresh); err != nil {
			return err
		}
		var secret []byte // somebody else's, if that came first
		if err := tx.row(ctx, s.text.secret).Scan(&secret); err != nil {
			return err
		}
		_, err := tx.exec(ctx, s.text.keepCheck, newHasher(secret).check)
		return err
	})
	if err != nil {
		return nil, err
	}
	ready, err = s.readable(ctx)
	if err == nil && ready.key == nil {
		err = ErrKey
	}
	return ready, err
}

// withKey runs do with a session whose key fits. If the key was replaced while the
// store was in use, do runs once more with the new one.
func (s *Store) withKey(ctx context.Context, session func(context.Context) (*session, error), do func(*session) error) error {
	for again := false; ; again = true {
		ready, err := session(ctx)
		if err != nil {
			return err
		}
		err = do(ready)
		if !errors.Is(err, errStale) || again {
			return err
		}
		s.forget(ready)
	}
}
