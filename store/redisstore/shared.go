package redisstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/askonce/askonce/store"
)

// addLetterScript writes the letter last, as recordScript does the interview.
var addLetterScript = newScript(`
if redis.call('HEXISTS', letters, ARGV[1]) == 0 then
	redis.call('ZADD', letters_by_time, ARGV[2], ARGV[1])
	redis.call('HSET', letters, ARGV[1], ARGV[3])
end
return 0
`)

// AddDeadLetter implements [store.DeadLetters].
func (s *Store) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	if err := check(ctx, nil); err != nil {
		return err
	}
	sum := sha256.Sum256(d.Body)
	at := micros(d.ReceivedAt)
	value := fmt.Sprintf("%d\n%s\n%s", at, printable(d.Reason), d.Body)
	return failed("add dead letter", s.run(ctx, addLetterScript, "", hex.EncodeToString(sum[:]), at, value).Err())
}

// DeadLetters implements [store.DeadLetters]. It yields what was stored when it began, and
// reads one letter at a time.
func (s *Store) DeadLetters(ctx context.Context) iter.Seq2[store.DeadLetter, error] {
	return func(yield func(store.DeadLetter, error) bool) {
		if err := check(ctx, nil); err != nil {
			yield(store.DeadLetter{}, err)
			return
		}
		ids, err := s.client.ZRange(ctx, s.prefix+"letters_by_time", 0, -1).Result()
		if err != nil {
			yield(store.DeadLetter{}, failed("dead letters", err))
			return
		}
		for _, id := range ids {
			text, err := s.client.HGet(ctx, s.prefix+"letters", id).Result()
			if err == redis.Nil {
				continue // deleted in the meantime
			}
			var d store.DeadLetter
			if err == nil {
				d, err = readLetter(id, text)
			}
			if !yield(d, failed("dead letters", err)) || err != nil {
				return
			}
		}
	}
}

func readLetter(id, text string) (store.DeadLetter, error) {
	received, text, err := cutInstant(text)
	reason, body, _ := strings.Cut(text, "\n")
	return store.DeadLetter{ID: id, ReceivedAt: received, Reason: reason, Body: []byte(body)}, err
}

// DeleteDeadLetter implements [store.DeadLetters].
func (s *Store) DeleteDeadLetter(ctx context.Context, id string) error {
	if err := check(ctx, nil); err != nil {
		return err
	}
	var deleted *redis.IntCmd
	_, err := s.client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		deleted = tx.HDel(ctx, s.prefix+"letters", id)
		tx.ZRem(ctx, s.prefix+"letters_by_time", id)
		return nil
	})
	return failed("delete dead letter", orElse(int(deleted.Val()), err, store.ErrNotFound))
}

var acquireScript = newScript(now + jsonLua + `
local name, holder, lease = ARGV[1], ARGV[2], ARGV[3]
local c = read(checkpoints, name) or {h = '', u = '0', s = ''}
if c.h ~= holder and tonumber(c.u) > tonumber(now) then return {0, c.s} end
c.h, c.u = holder, after(lease)
write(checkpoints, name, c)
return {1, c.s}
`)

// Acquire implements [store.Checkpoints].
func (s *Store) Acquire(ctx context.Context, name, holder string, lease time.Duration) (state string, acquired bool, err error) {
	if err := check(ctx, cmp.Or(store.CheckID(name), store.CheckID(holder))); err != nil {
		return "", false, err
	}
	row, err := s.run(ctx, acquireScript, "", name, holder, lease.Microseconds()).Slice()
	if err != nil {
		return "", false, failed("acquire", err)
	}
	n, _ := row[0].(int64)
	state, _ = row[1].(string)
	return state, n == 1, nil
}

var saveScript = newScript(now + jsonLua + `
local name, holder, lease, state = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local c = read(checkpoints, name)
if not c or c.h ~= holder then return 0 end
write(checkpoints, name, {h = holder, u = after(lease), s = state})
return 1
`)

// Save implements [store.Checkpoints].
func (s *Store) Save(ctx context.Context, name, holder, state string, lease time.Duration) error {
	if err := check(ctx, cmp.Or(store.CheckID(name), store.CheckID(holder))); err != nil {
		return err
	}
	n, err := s.run(ctx, saveScript, "", name, holder, lease.Microseconds(), state).Int()
	return failed("save", orElse(n, err, store.ErrLeaseLost))
}

// Release implements [store.Checkpoints].
func (s *Store) Release(ctx context.Context, name, holder, state string) error {
	return s.Save(ctx, name, holder, state, 0)
}

// setting is how a store.Switch is stored.
type setting struct {
	On string `json:"o"` // "1" or ""
	By string `json:"b"`
	At int64  `json:"t,string"` // µs
}

var setSwitchScript = newScript(jsonLua + `
local had = read(switches, ARGV[1])
if had and tonumber(had.t) > tonumber(cjson.decode(ARGV[2]).t) then return 0 end
redis.call('HSET', switches, ARGV[1], ARGV[2])
return 0
`)

// SetSwitch implements [store.Switches].
func (s *Store) SetSwitch(ctx context.Context, sw store.Switch) error {
	if err := check(ctx, store.CheckSwitch(sw)); err != nil {
		return err
	}
	value := setting{By: sw.By, At: micros(sw.At)}
	if sw.On {
		value.On = "1"
	}
	text, err := json.Marshal(value)
	if err != nil {
		return failed("set switch", err)
	}
	return failed("set switch", s.run(ctx, setSwitchScript, "", sw.Name, text).Err())
}

// Switches implements [store.Switches].
func (s *Store) Switches(ctx context.Context) ([]store.Switch, error) {
	if err := check(ctx, nil); err != nil {
		return nil, err
	}
	found, err := s.client.HGetAll(ctx, s.prefix+"switches").Result()
	if err != nil {
		return nil, failed("switches", err)
	}
	var all []store.Switch
	for name, text := range found {
		var value setting
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			return nil, failed("switches", err)
		}
		all = append(all, store.Switch{Name: name, On: value.On == "1", By: value.By, At: instant(value.At)})
	}
	slices.SortFunc(all, func(a, b store.Switch) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// expireScript deletes up to ARGV[3] items that are older than ARGV[2].
var expireScript = newScript(jsonLua + `
local what, before, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local kind = ({
	transcripts = {times = transcripts_by_time, items = transcripts},
	dead_jobs = {times = dead, items = jobs},
	dead_letters = {times = letters_by_time, items = letters},
})[what]
local n, skipped = 0, 0
while n < limit do
	local top = what == 'dead_jobs' and '+inf' or '(' .. before
	local ids = redis.call('ZRANGEBYSCORE', kind.times, '-inf', top, 'LIMIT', skipped, limit)
	if #ids == 0 then break end
	for _, id in ipairs(ids) do
		local old = true
		if what == 'dead_jobs' then
			local job = read(jobs, id)
			old = not job or tonumber(job.q) < tonumber(before)
		elseif what == 'transcripts' then
			old = redis.call('HEXISTS', jobs, id) == 0
		end
		if not old or n == limit then
			skipped = skipped + 1
		else
			redis.call('ZREM', kind.times, id)
			redis.call('HDEL', kind.items, id)
			local i = what == 'dead_jobs' and read(interviews, id)
			if i then
				i.f = 'expired'
				write(interviews, id, i)
			end
			n = n + 1
		end
	end
end
return n
`)

// DeleteExpired implements [store.Retention].
func (s *Store) DeleteExpired(ctx context.Context, what store.Expirable, before time.Time, limit int) (int, error) {
	if err := check(ctx, store.CheckExpirable(what)); err != nil || limit <= 0 {
		return 0, err
	}
	n, err := s.run(ctx, expireScript, "", what.String(), micros(before), limit).Int()
	return n, failed("delete what has expired", err)
}

var deleteTranscriptScript = newScript(jsonLua + dropLua + `
local id = ARGV[1]
local n, i = drop(id), read(interviews, id)
if i and n > 0 then
	i.f = 'deleted'
	write(interviews, id, i)
end
return n
`)

// DeleteTranscript implements [store.Retention].
func (s *Store) DeleteTranscript(ctx context.Context, interviewID string) error {
	if err := check(ctx, store.CheckID(interviewID)); err != nil {
		return err
	}
	n, err := s.run(ctx, deleteTranscriptScript, "", interviewID).Int()
	return failed("delete transcript", orElse(n, err, store.ErrNotFound))
}
