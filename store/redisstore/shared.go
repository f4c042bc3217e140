package redisstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/askonce/askonce/store"
)

// addLetterScript writes the letter last, as recordScript does the interview.
var addLetterScript = redis.NewScript(`
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
	redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
	redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
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
	value := at + "\n" + printable(d.Reason) + "\n" + string(d.Body)
	names := []string{s.keys.letters, s.keys.lettersByTime}
	return failed("add dead letter", addLetterScript.Run(ctx, s.client, names, hex.EncodeToString(sum[:]), at, value).Err())
}

// DeadLetters implements [store.DeadLetters]. It yields what was stored when it began, and
// reads one letter at a time.
func (s *Store) DeadLetters(ctx context.Context) iter.Seq2[store.DeadLetter, error] {
	return func(yield func(store.DeadLetter, error) bool) {
		if err := check(ctx, nil); err != nil {
			yield(store.DeadLetter{}, err)
			return
		}
		ids, err := s.client.ZRange(ctx, s.keys.lettersByTime, 0, -1).Result()
		if err != nil {
			yield(store.DeadLetter{}, failed("dead letters", err))
			return
		}
		for _, id := range ids {
			text, err := s.client.HGet(ctx, s.keys.letters, id).Result()
			if err == redis.Nil {
				continue // deleted in the meantime
			}
			d, err := readLetter(id, text, err)
			if !yield(d, failed("dead letters", err)) || err != nil {
				return
			}
		}
	}
}

func readLetter(id, text string, err error) (store.DeadLetter, error) {
	if err != nil {
		return store.DeadLetter{}, err
	}
	at, text, _ := strings.Cut(text, "\n")
	reason, body, _ := strings.Cut(text, "\n")
	received, err := instant(at)
	return store.DeadLetter{ID: id, ReceivedAt: received, Reason: reason, Body: []byte(body)}, err
}

// DeleteDeadLetter implements [store.DeadLetters].
func (s *Store) DeleteDeadLetter(ctx context.Context, id string) error {
	if err := check(ctx, nil); err != nil {
		return err
	}
	n, err := s.remove(ctx, id, s.keys.letters, s.keys.lettersByTime)
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return failed("delete dead letter", err)
}

// remove deletes the id from a hash and from sorted sets.
func (s *Store) remove(ctx context.Context, id, from string, sets ...string) (int64, error) {
	var deleted *redis.IntCmd
	_, err := s.client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		deleted = tx.HDel(ctx, from, id)
		for _, set := range sets {
			tx.ZRem(ctx, set, id)
		}
		return nil
	})
	return deleted.Val(), err
}

var acquireScript = redis.NewScript(now + `
local name, holder, lease = ARGV[1], ARGV[2], ARGV[3]
local c = redis.call('HGET', KEYS[1], name)
c = c and cjson.decode(c) or {h = '', u = '0', s = ''}
if c.h ~= holder and tonumber(c.u) > tonumber(now) then return {0, c.s} end
c.h, c.u = holder, after(lease)
redis.call('HSET', KEYS[1], name, cjson.encode(c))
return {1, c.s}
`)

// Acquire implements [store.Checkpoints].
func (s *Store) Acquire(ctx context.Context, name, holder string, lease time.Duration) (state string, acquired bool, err error) {
	if err := check(ctx, cmp.Or(store.CheckID(name), store.CheckID(holder))); err != nil {
		return "", false, err
	}
	row, err := acquireScript.Run(ctx, s.client, []string{s.keys.checkpoints}, name, holder, lease.Microseconds()).Slice()
	if err != nil {
		return "", false, failed("acquire", err)
	}
	n, _ := row[0].(int64)
	state, _ = row[1].(string)
	return state, n == 1, nil
}

var saveScript = redis.NewScript(now + `
local name, holder, lease, state = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local c = redis.call('HGET', KEYS[1], name)
if not c or cjson.decode(c).h ~= holder then return 0 end
redis.call('HSET', KEYS[1], name, cjson.encode({h = holder, u = after(lease), s = state}))
return 1
`)

// Save implements [store.Checkpoints].
func (s *Store) Save(ctx context.Context, name, holder, state string, lease time.Duration) error {
	if err := check(ctx, cmp.Or(store.CheckID(name), store.CheckID(holder))); err != nil {
		return err
	}
	n, err := saveScript.Run(ctx, s.client, []string{s.keys.checkpoints}, name, holder, lease.Microseconds(), state).Int()
	if err == nil && n == 0 {
		err = store.ErrLeaseLost
	}
	return failed("save", err)
}

// Release implements [store.Checkpoints].
func (s *Store) Release(ctx context.Context, name, holder, state string) error {
	return s.Save(ctx, name, holder, state, 0)
}

// setting is how a store.Switch is stored.
type setting struct {
	On string `json:"o"` // "1" or ""
	By string `json:"b"`
	At string `json:"t"` // µs
}

var setSwitchScript = redis.NewScript(`
local had = redis.call('HGET', KEYS[1], ARGV[1])
if had and tonumber(cjson.decode(had).t) > tonumber(cjson.decode(ARGV[2]).t) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
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
	return failed("set switch", setSwitchScript.Run(ctx, s.client, []string{s.keys.switches}, sw.Name, text).Err())
}

// Switches implements [store.Switches].
func (s *Store) Switches(ctx context.Context) ([]store.Switch, error) {
	if err := check(ctx, nil); err != nil {
		return nil, err
	}
	found, err := s.client.HGetAll(ctx, s.keys.switches).Result()
	if err != nil {
		return nil, failed("switches", err)
	}
	var all []store.Switch
	for name, text := range found {
		var value setting
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			return nil, failed("switches", err)
		}
		at, err := instant(value.At)
		if err != nil {
			return nil, failed("switches", err)
		}
		all = append(all, store.Switch{Name: name, On: value.On == "1", By: value.By, At: at})
	}
	slices.SortFunc(all, func(a, b store.Switch) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// expireScript deletes up to ARGV[2] items that are older than ARGV[1]. KEYS are the
// sorted set of the items, the hash that holds them and, for items of interviews, the jobs
// and the interviews.
var expireScript = redis.NewScript(`
local what, before, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local times, items, jobs, interviews = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local n, skipped = 0, 0
while n < limit do
	local top = what == 'dead_jobs' and '+inf' or '(' .. before
	local ids = redis.call('ZRANGEBYSCORE', times, '-inf', top, 'LIMIT', skipped, limit)
	if #ids == 0 then break end
	for _, id in ipairs(ids) do
		local old = true
		if what == 'dead_jobs' then
			local job = redis.call('HGET', jobs, id)
			old = not job or tonumber(cjson.decode(job).q) < tonumber(before)
		elseif what == 'transcripts' then
			old = redis.call('HEXISTS', jobs, id) == 0
		end
		if not old or n == limit then
			skipped = skipped + 1
		else
			redis.call('ZREM', times, id)
			redis.call('HDEL', items, id)
			local i = what == 'dead_jobs' and redis.call('HGET', interviews, id)
			if i then
				i = cjson.decode(i)
				i.f = 'expired'
				redis.call('HSET', interviews, id, cjson.encode(i))
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
	k := s.keys
	names := map[store.Expirable][]string{
		store.ExpiredTranscripts: {k.transcriptsByTime, k.transcripts, k.jobs, k.interviews},
		store.ExpiredDeadJobs:    {k.dead, k.jobs, k.jobs, k.interviews},
		store.ExpiredDeadLetters: {k.lettersByTime, k.letters, k.jobs, k.interviews},
	}[what]
	n, err := expireScript.Run(ctx, s.client, names, what.String(), micros(before), limit).Int()
	return n, failed("delete what has expired", err)
}

var deleteTranscriptScript = redis.NewScript(`
local id = ARGV[1]
local n = redis.call('HDEL', KEYS[1], id) + redis.call('HDEL', KEYS[2], id)
for k = 3, 5 do redis.call('ZREM', KEYS[k], id) end
local i = redis.call('HGET', KEYS[6], id)
if i and n > 0 then
	i = cjson.decode(i)
	i.f = 'deleted'
	redis.call('HSET', KEYS[6], id, cjson.encode(i))
end
return n
`)

// DeleteTranscript implements [store.Retention].
func (s *Store) DeleteTranscript(ctx context.Context, interviewID string) error {
	if err := check(ctx, store.CheckID(interviewID)); err != nil {
		return err
	}
	k := s.keys
	names := []string{k.jobs, k.transcripts, k.transcriptsByTime, k.due, k.dead, k.interviews}
	n, err := deleteTranscriptScript.Run(ctx, s.client, names, interviewID).Int()
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return failed("delete transcript", err)
}
