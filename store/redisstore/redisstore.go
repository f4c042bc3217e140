package redisstore

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/askonce/askonce/store"
)

// Options configure a Store. The zero value of each field means its default.
type Options struct {
	// Prefix is what all keys begin with, in braces: 1 to 64 letters, digits,
	// dashes, underscores, dots or colons. Defaults to "askonce".
	Prefix string
}

// Store is a store.Store with every optional capability. It is safe for
// concurrent use. The client is the app's own: the app closes it, and every
// method answers an error that matches store.ErrClosed afterwards.
type Store struct {
	client redis.UniversalClient
	keys   keys
	hmac   atomic.Pointer[[]byte] // what erased users are keyed with, once it is known
}

var _ interface {
	store.Store
	store.Transcripts
	store.Lister
	store.Eraser
	store.Resetter
	store.DeadLetters
	store.Checkpoints
} = (*Store)(nil)

// keys are the names of the package comment.
type keys struct {
	interviews, completed, byTime, byUser, erased, hmac string
	jobs, due, dead, transcripts                        string
	letters, lettersByTime, checkpoints                 string
}

var prefixShape = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)

// New returns a store in the server or cluster that client is connected to. It
// does not connect. A nil client panics; a nil opts means defaults.
func New(client redis.UniversalClient, opts *Options) (*Store, error) {
	if client == nil {
		panic("redisstore: New: client is nil")
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	o.Prefix = cmp.Or(o.Prefix, "askonce")
	if !prefixShape.MatchString(o.Prefix) {
		return nil, errors.New("redisstore: Prefix must be 1 to 64 letters, digits, dashes, underscores, dots or colons")
	}
	p := "{" + o.Prefix + "}:"
	return &Store{client: client, keys: keys{
		interviews: p + "interviews", completed: p + "completed", byTime: p + "by_time", byUser: p + "by_user",
		erased: p + "erased", hmac: p + "key",
		jobs: p + "jobs", due: p + "due", dead: p + "dead", transcripts: p + "transcripts",
		letters: p + "letters", lettersByTime: p + "letters_by_time", checkpoints: p + "checkpoints",
	}}, nil
}

// field is where the completion of k stands in keys.completed. A user's id
// begins with no control character, so the mark of an erased user, below, is
// never taken for one.
func field(k store.Key) string { return k.StudyID + "\x00" + k.UserID }

// mark is where the completion of an erased user stands.
func mark(studyID, userHash string) string { return studyID + "\x00\x00" + userHash }

// userHash is what remains of an erased user: HMAC-SHA256 of the id.
func (s *Store) userHash(ctx context.Context, userID string) (string, error) {
	key := s.hmac.Load()
	if key == nil {
		fresh := make([]byte, 32)
		rand.Read(fresh)
		if err := s.client.SetNX(ctx, s.keys.hmac, fresh, 0).Err(); err != nil {
			return "", failed("key", err)
		}
		kept, err := s.client.Get(ctx, s.keys.hmac).Bytes() // whoever was first
		if err != nil {
			return "", failed("key", err)
		}
		key = &kept
		s.hmac.Store(key)
	}
	mac := hmac.New(sha256.New, *key)
	mac.Write([]byte(userID))
	return string(mac.Sum(nil)), nil
}

// Completed implements store.Store, with one command.
func (s *Store) Completed(ctx context.Context, k store.Key) (bool, error) {
	if err := check(ctx, store.CheckKey(k)); err != nil {
		return false, err
	}
	hash, err := s.userHash(ctx, k.UserID)
	if err != nil {
		return false, err
	}
	ends, err := s.client.HMGet(ctx, s.keys.completed, field(k), mark(k.StudyID, hash)).Result()
	if err != nil {
		return false, failed("completed", err)
	}
	for _, v := range ends {
		if until, ok := v.(string); ok {
			end, err := instant(until)
			if err != nil {
				return false, failed("completed", err)
			}
			if end.IsZero() || time.Now().Before(end) {
				return true, nil
			}
		}
	}
	return false, nil
}

// Reset implements store.Resetter.
func (s *Store) Reset(ctx context.Context, k store.Key) error {
	if err := check(ctx, store.CheckKey(k)); err != nil {
		return err
	}
	hash, err := s.userHash(ctx, k.UserID)
	if err != nil {
		return err
	}
	return failed("reset", s.client.HDel(ctx, s.keys.completed, field(k), mark(k.StudyID, hash)).Err())
}

// check is what comes before every command: Redis is not asked in vain.
func check(ctx context.Context, err error) error { return cmp.Or(err, ctx.Err()) }

// failed wraps what a command answered.
func failed(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, redis.ErrClosed):
		return fmt.Errorf("redisstore: %s: %w", what, store.ErrClosed)
	}
	return fmt.Errorf("redisstore: %s: %w", what, err)
}

// micros is t as it stands in Redis: microseconds since 1970, 0 for no time.
// They are kept as text, for Lua's numbers and its JSON would round them.
func micros(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	n := t.UnixMicro()
	if n == 0 {
		n = 1 // 1970 itself is a time
	}
	return strconv.FormatInt(n, 10)
}

func instant(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, errors.New("a time that is none")
	}
	if n == 0 {
		return time.Time{}, nil
	}
	return time.UnixMicro(n).UTC(), nil
}
