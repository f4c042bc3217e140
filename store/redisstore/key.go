package redisstore

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/askonce/askonce/store"
)

// ErrKey means that {askonce}:key is missing, or is not the key with which the stored
// users' hashes were made. No user can be found, so nothing is read or written. Restore
// {askonce}:key from a backup, or call [Store.StartOver].
var ErrKey = errors.New("redisstore: {askonce}:key is missing or is not the one that {askonce}:people was written with: restore it, or call StartOver")

// hasher makes the keyed hashes by which users are found, even after they have been
// erased: HMAC-SHA256 truncated to 128 bits (RFC 2104, section 5).
type hasher struct {
	pool  sync.Pool
	check string // the hash of the empty id, kept with the users to check the key
}

func newHasher(key []byte) *hasher {
	h := &hasher{pool: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
	h.check = h.user("")
	return h
}

func (h *hasher) user(userID string) string {
	mac := h.pool.Get().(hash.Hash)
	defer h.pool.Put(mac)
	mac.Reset()
	mac.Write([]byte(userID))
	var sum [sha256.Size]byte
	return string(mac.Sum(sum[:0])[:16])
}

// readable returns the key, or nil if no user is stored. It does not write, so that
// look-ups work on a read replica and on a full server.
func (s *Store) readable(ctx context.Context) (*hasher, error) {
	if h := s.key.Load(); h != nil {
		return h, nil
	}
	pipe := s.client.Pipeline()
	key, fits, people := pipe.Get(ctx, s.prefix+"key"), pipe.HGet(ctx, s.prefix+"people", ""), pipe.Exists(ctx, s.prefix+"people")
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil {
		return nil, err
	}
	if key.Err() == redis.Nil {
		if people.Val() > 0 {
			return nil, ErrKey
		}
		return nil, nil
	}
	h := newHasher([]byte(key.Val()))
	if people.Val() > 0 && fits.Val() != h.check {
		return nil, ErrKey
	}
	s.key.Store(h)
	return h, nil
}

// makeKey keeps the first key that any process proposes.
var makeKey = newScript(`
local made = redis.call('GET', key)
if made then return made end
if redis.call('EXISTS', people) == 1 then return redis.error_reply('ASKONCE key lost') end
redis.call('SET', key, ARGV[1])
return ARGV[1]
`)

// keepCheck keeps the check value of a key beside the first user.
var keepCheck = newScript(`
if redis.call('EXISTS', people) == 0 then redis.call('HSET', people, '', ARGV[1]) end
return redis.call('HGET', people, '')
`)

// writable returns the key, and makes it if it is the first.
func (s *Store) writable(ctx context.Context) (*hasher, error) {
	fresh := make([]byte, 32)
	rand.Read(fresh)
	key, err := s.run(ctx, makeKey, "", fresh).Text()
	if isReply(err, "key lost") {
		return nil, ErrKey
	}
	if err != nil {
		return nil, err
	}
	h := newHasher([]byte(key))
	check, err := s.run(ctx, keepCheck, "", h.check).Text()
	if err == nil && check != h.check {
		err = ErrKey
	}
	if err != nil {
		return nil, err
	}
	s.key.Store(h)
	return h, nil
}

// fits begins every script that writes about a user. ARGV[1] is the check value of the
// caller's key.
const fits = `
if redis.call('HGET', people, '') ~= ARGV[1] then return redis.error_reply('ASKONCE stale key') end
`

// withKey runs do, which writes with the key. If the key is not the server's any
// more, as after FLUSHALL, do runs once more with the one that is.
func (s *Store) withKey(ctx context.Context, do func(h *hasher) error) error {
	if h := s.key.Load(); h != nil {
		err := do(h)
		if !isReply(err, "stale key") {
			return err
		}
	}
	h, err := s.writable(ctx)
	if err != nil {
		return err
	}
	return do(h)
}

func isReply(err error, text string) bool {
	var reply redis.Error
	return errors.As(err, &reply) && strings.Contains(reply.Error(), "ASKONCE "+text)
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
	if err := check(ctx, nil); err != nil {
		return err
	}
	if err := s.client.Del(ctx, s.prefix+"people", s.prefix+"key").Err(); err != nil {
		return failed("start over", err)
	}
	s.key.Store(nil)
	for c, err := range s.Completions(ctx, store.Filter{}) {
		if err == nil && c.UserID != "" {
			err = s.restore(ctx, c)
		}
		if err != nil {
			return failed("start over", err)
		}
	}
	return nil
}

var restoreScript = newScript(fits + personLua + `
local id, user, hash = ARGV[2], ARGV[3], ARGV[4]
local i = read(interviews, id)
if not i or i.u ~= user or i.i == '1' or i.r then return 0 end
local p = person(hash)
local st = study(p, i.s)
complete(st, i.e)
st.f = st.f or {}
st.f['4'] = math.min(st.f['4'] or days(i.t), days(i.t))
write(people, hash, p)
return 0
`)

// restore makes an interview complete its study again, without counting it.
func (s *Store) restore(ctx context.Context, c store.Completion) error {
	return s.withKey(ctx, func(h *hasher) error {
		return s.run(ctx, restoreScript, "", h.check, c.InterviewID, c.UserID, h.user(c.UserID)).Err()
	})
}
