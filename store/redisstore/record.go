package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/askonce/askonce/store"
)

// interview is how a completion stands in Redis. All fields are text: Lua's
// JSON writes numbers with 14 digits.
type interview struct {
	Study       string `json:"s"`
	User        string `json:"u"`
	CompletedAt string `json:"t"` // µs
	Quality     string `json:"q"`
	Language    string `json:"l"`
	Duration    string `json:"d"` // µs
	Until       string `json:"e"` // µs, 0 for never
	// Gone is "1" once the interview is known as one of an erased user: nobody's
	// name goes into it again.
	Gone string `json:"g,omitempty"`
}

// completes keeps the latest end of a user's completions of one study.
const completes = `
local function complete(key, field, ends)
	local had = redis.call('HGET', key, field)
	if had and (had == '0' or (ends ~= '0' and tonumber(had) >= tonumber(ends))) then return end
	redis.call('HSET', key, field, ends)
end
`

// forgets drops what an interview has left beside its completion.
const forgets = `
local function forget(id, transcripts, jobs, due, dead)
	redis.call('HDEL', transcripts, id)
	redis.call('HDEL', jobs, id)
	redis.call('ZREM', due, id)
	redis.call('ZREM', dead, id)
end
`

var recordScript = redis.NewScript(completes + forgets + `
local interviews, completed, by_time, by_user, erased = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local jobs, due, dead, transcripts = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local id, user, hash, now = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local new = cjson.decode(ARGV[5])

local gone = user ~= '' and redis.call('SISMEMBER', erased, hash) == 1
local kept = redis.call('HGET', interviews, id)
if not kept then
	if gone then new.u, new.g = '', '1' end
	redis.call('HSET', interviews, id, cjson.encode(new))
	redis.call('ZADD', by_time, new.t, id)
	if gone then
		complete(completed, new.s .. '\0\0' .. hash, new.e)
		return 1
	end
	if user ~= '' then
		complete(completed, new.s .. '\0' .. user, new.e)
		redis.call('ZADD', by_user, 0, user .. '\0' .. id)
	end
	redis.call('HSET', jobs, id, cjson.encode({q = now, a = '0', r = '', c = ''}))
	redis.call('ZADD', due, now, id)
	return 1
end

kept = cjson.decode(kept)
if kept.q == '' then kept.q = new.q end
if kept.u == '' and kept.g ~= '1' and user ~= '' then
	if gone then
		kept.g = '1'
		complete(completed, kept.s .. '\0\0' .. hash, kept.e)
		forget(id, transcripts, jobs, due, dead)
	else
		kept.u = user
		complete(completed, kept.s .. '\0' .. user, kept.e)
		redis.call('ZADD', by_user, 0, user .. '\0' .. id)
	end
end
redis.call('HSET', interviews, id, cjson.encode(kept))
return 0
`)

// Record implements store.Store: the completion, the user's mark and the job in
// one atomic script. When the connection breaks after the script has run, the
// client sends it again by itself, and then nobody is told that it was the
// first; the job is there all the same.
func (s *Store) Record(ctx context.Context, c store.Completion) (first bool, err error) {
	if err := check(ctx, store.CheckCompletion(c)); err != nil {
		return false, err
	}
	hash := ""
	if c.UserID != "" {
		if hash, err = s.userHash(ctx, c.UserID); err != nil {
			return false, err
		}
	}
	i, err := json.Marshal(interview{
		Study: c.StudyID, User: c.UserID, CompletedAt: micros(c.CompletedAt), Quality: c.Quality, Language: c.Language,
		Duration: strconv.FormatInt(c.Duration.Microseconds(), 10), Until: micros(c.Until),
	})
	if err != nil {
		return false, failed("record", err)
	}
	k := s.keys
	keys := []string{k.interviews, k.completed, k.byTime, k.byUser, k.erased, k.jobs, k.due, k.dead, k.transcripts}
	n, err := recordScript.Run(ctx, s.client, keys, c.InterviewID, c.UserID, hash, micros(time.Now()), i).Int()
	return n == 1 && err == nil, failed("record", err)
}

var eraseScript = redis.NewScript(completes + forgets + `
local interviews, completed, by_user, erased = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local jobs, due, dead, transcripts = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local user, hash = ARGV[1], ARGV[2]

redis.call('SADD', erased, hash)
for _, member in ipairs(redis.call('ZRANGEBYLEX', by_user, '[' .. user .. '\0', '(' .. user .. '\1')) do
	local id = string.sub(member, #user + 2)
	local i = cjson.decode(redis.call('HGET', interviews, id))
	local ends = redis.call('HGET', completed, i.s .. '\0' .. user)
	if ends then
		complete(completed, i.s .. '\0\0' .. hash, ends)
		redis.call('HDEL', completed, i.s .. '\0' .. user)
	end
	i.u, i.g = '', '1'
	redis.call('HSET', interviews, id, cjson.encode(i))
	forget(id, transcripts, jobs, due, dead)
	redis.call('ZREM', by_user, member)
end
return 0
`)

// Erase implements store.Eraser, in one atomic script.
func (s *Store) Erase(ctx context.Context, userID string) error {
	if err := check(ctx, store.CheckID(userID)); err != nil {
		return err
	}
	hash, err := s.userHash(ctx, userID)
	if err != nil {
		return err
	}
	k := s.keys
	keys := []string{k.interviews, k.completed, k.byUser, k.erased, k.jobs, k.due, k.dead, k.transcripts}
	return failed("erase", eraseScript.Run(ctx, s.client, keys, userID, hash).Err())
}

// listPage is how many values are read at a time.
const listPage = 500

// Completions implements store.Lister. It reads a page at a time.
func (s *Store) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	return func(yield func(store.Completion, error) bool) {
		if err := check(ctx, store.CheckFilter(f)); err != nil {
			yield(store.Completion{}, err)
			return
		}
		for ids, err := range s.selectIDs(ctx, f) {
			if err != nil {
				yield(store.Completion{}, failed("completions", err))
				return
			}
			all, err := s.completions(ctx, ids)
			if err != nil {
				yield(store.Completion{}, failed("completions", err))
				return
			}
			for _, c := range all {
				if fits(f, c) && !yield(c, nil) {
					return
				}
			}
		}
	}
}

func fits(f store.Filter, c store.Completion) bool {
	return (f.StudyID == "" || f.StudyID == c.StudyID) && (f.UserID == "" || f.UserID == c.UserID) && !c.CompletedAt.Before(f.Since)
}

// selectIDs yields pages of interview ids, in their order, with at least those
// that f selects among them.
func (s *Store) selectIDs(ctx context.Context, f store.Filter) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		if f.InterviewID != "" {
			yield([]string{f.InterviewID}, nil)
			return
		}
		// From the last score on, past those of it that have been read: members
		// of one score come in the order of their bytes.
		from, read := "-inf", int64(0)
		if !f.Since.IsZero() {
			from = micros(f.Since)
		}
		last, lastID := 0.0, ""
		for {
			page, err := s.client.ZRangeByScoreWithScores(ctx, s.keys.byTime, &redis.ZRangeBy{Min: from, Max: "+inf", Offset: read, Count: listPage}).Result()
			if err != nil {
				yield(nil, err)
				return
			}
			var ids []string
			for _, z := range page {
				id := z.Member.(string)
				if lastID == "" || z.Score > last {
					read = 0
				} else if id <= lastID { // one that came in between has moved it
					read++
					continue
				}
				last, lastID = z.Score, id
				read++
				ids = append(ids, id)
			}
			if len(ids) > 0 && !yield(ids, nil) || len(page) < listPage {
				return
			}
			from = strconv.FormatFloat(last, 'f', -1, 64)
		}
	}
}

// completions reads those that are there.
func (s *Store) completions(ctx context.Context, ids []string) ([]store.Completion, error) {
	values, err := s.client.HMGet(ctx, s.keys.interviews, ids...).Result()
	if err != nil {
		return nil, err
	}
	var all []store.Completion
	for n, v := range values {
		text, ok := v.(string)
		if !ok {
			continue
		}
		c, err := completion(ids[n], text)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// completion reads what Record has written.
func completion(id, text string) (store.Completion, error) {
	var i interview
	if err := json.Unmarshal([]byte(text), &i); err != nil {
		return store.Completion{}, fmt.Errorf("an interview that cannot be read: %w", err)
	}
	c := store.Completion{Key: store.Key{StudyID: i.Study, UserID: i.User}, InterviewID: id, Quality: i.Quality, Language: i.Language}
	for _, t := range []struct {
		text string
		to   *time.Time
	}{{i.CompletedAt, &c.CompletedAt}, {i.Until, &c.Until}} {
		var err error
		if *t.to, err = instant(t.text); err != nil {
			return store.Completion{}, err
		}
	}
	us, err := strconv.ParseInt(i.Duration, 10, 64)
	c.Duration = time.Duration(us) * time.Microsecond
	return c, err
}
