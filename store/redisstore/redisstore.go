package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"

	"github.com/askonce/askonce/store"
)

// Options configure [New]. A zero field means its default.
type Options struct {
	// Prefix begins the name of every key, in braces. It is 1 to 64 letters, digits,
	// dashes, underscores, dots or colons. Defaults to "askonce".
	Prefix string

	// Logger receives one line for each queued job whose interview is missing. Defaults
	// to [slog.Default].
	Logger *slog.Logger
}

// A Store is a [store.Store] with every optional capability. It is safe for
// concurrent use. The client belongs to the app, which closes it; from then on
// every method returns an error that matches [store.ErrClosed].
type Store struct {
	client redis.UniversalClient
	prefix string   // of every key
	names  []string // scriptKeys with the prefix
	log    *slog.Logger
	key    atomic.Pointer[hasher] // nil until it has been read
}

var _ interface {
	store.Store
	store.Transcripts
	store.Interactions
	store.Lister
	store.Eraser
	store.Resetter
	store.Retention
	store.DeadLetters
	store.Checkpoints
	store.Switches
} = (*Store)(nil)

// scriptKeys are the keys that every script knows by name.
var scriptKeys = []string{"interviews", "by_time", "by_user", "people", "key", "funnel", "jobs", "due", "dead",
	"transcripts", "transcripts_by_time", "letters", "letters_by_time", "checkpoints", "switches"}

// newScript returns a script for [Store.run]. KEYS[#KEYS] is the further key.
func newScript(lua string) *redis.Script {
	return redis.NewScript("local " + strings.Join(scriptKeys, ", ") + " = unpack(KEYS)\n" + lua)
}

// run runs a script. further, if it is not "", is a key that the script needs besides
// scriptKeys.
func (s *Store) run(ctx context.Context, script *redis.Script, further string, args ...any) *redis.Cmd {
	names := s.names
	if further != "" {
		names = append(names[:len(names):len(names)], s.prefix+further)
	}
	return script.Run(ctx, s.client, names, args...)
}

var prefixShape = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)

// New returns a store in the server or cluster of client. It does not connect. A
// nil client panics. Nil opts mean the defaults.
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
		return nil, errors.New("redisstore: Options.Prefix must be 1 to 64 letters, digits, dashes, underscores, dots or colons")
	}
	s := &Store{client: client, prefix: "{" + o.Prefix + "}:", log: cmp.Or(o.Logger, slog.Default())}
	for _, name := range scriptKeys {
		s.names = append(s.names, s.prefix+name)
	}
	return s, nil
}

// check precedes every command, so that an invalid one is not sent.
func check(ctx context.Context, err error) error { return cmp.Or(err, ctx.Err()) }

// failed wraps the error of a command.
func failed(doing string, err error) error {
	switch {
	case err == nil, err == store.ErrLeaseLost, err == store.ErrNotFound:
		return err
	case errors.Is(err, redis.ErrClosed):
		return fmt.Errorf("redisstore: %s: %w", doing, store.ErrClosed)
	}
	return fmt.Errorf("redisstore: %s: %w", doing, err)
}

// micros returns t as it is stored: in microseconds since 1970, or 0 for no time. In JSON
// it is text, because Lua rounds large numbers.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return cmp.Or(t.UnixMicro(), 1) // 1970 itself is a time
}

func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// cutInstant splits a value that begins with a time and a line feed.
func cutInstant(text string) (at time.Time, rest string, err error) {
	first, rest, _ := strings.Cut(text, "\n")
	us, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return time.Time{}, "", errors.New("unreadable time") // not err, which quotes what may be personal
	}
	return instant(us), rest, nil
}

// printable turns a reason into one line of valid UTF-8 of at most 1 KB.
func printable(reason string) string {
	reason = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(reason, "\uFFFD"))
	return strings.ToValidUTF8(reason[:min(len(reason), 1<<10)], "")
}

// orElse returns none if a script has changed nothing.
func orElse(n int, err, none error) error {
	if err == nil && n == 0 {
		err = none
	}
	return err
}

// now is the Lua for the server's clock, in microseconds.
const now = `
local t = redis.call('TIME')
local now = t[1] .. string.format('%06d', t[2])
local function after(us) return string.format('%.0f', tonumber(now) + tonumber(us)) end
`
