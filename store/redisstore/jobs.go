package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"

	"github.com/askonce/askonce/store"
)

// job is how a store.Job stands in Redis, without its completion and its due
// time.
type job struct {
	QueuedAt string `json:"q"` // µs
	Attempts string `json:"a"`
	Reason   string `json:"r"`
	Claim    string `json:"c"` // "" while nobody has claimed it
}

var claimScript = redis.NewScript(`
local jobs, due, interviews = KEYS[1], KEYS[2], KEYS[3]
local now, ends, limit, claim = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local claimed = {}
for n, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, limit)) do
	local job = cjson.decode(redis.call('HGET', jobs, id))
	job.c = claim .. '.' .. n
	job = cjson.encode(job)
	redis.call('HSET', jobs, id, job)
	redis.call('ZADD', due, ends, id)
	table.insert(claimed, id)
	table.insert(claimed, job)
	table.insert(claimed, redis.call('HGET', interviews, id))
end
return claimed
`)

// ClaimJobs implements store.Transcripts.
func (s *Store) ClaimJobs(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Job, error) {
	if err := check(ctx, nil); err != nil || limit <= 0 {
		return nil, err
	}
	ends := store.Instant(now.Add(lease))
	keys := []string{s.keys.jobs, s.keys.due, s.keys.interviews}
	rows, err := claimScript.Run(ctx, s.client, keys, micros(now), micros(ends), limit, rand.Text()).StringSlice()
	if err != nil {
		return nil, failed("claim jobs", err)
	}
	var claimed []store.Job
	for ; len(rows) >= 3; rows = rows[3:] {
		j, err := readJob(rows[0], rows[1], rows[2], ends)
		if err != nil {
			return nil, failed("claim jobs", err)
		}
		claimed = append(claimed, j)
	}
	return claimed, nil
}

// claimedScript begins every script that changes a claimed job.
const claimedScript = `
local id, claim = ARGV[1], ARGV[2]
local job = redis.call('HGET', KEYS[1], id)
if not job then return 0 end
job = cjson.decode(job)
if job.c == '' or job.c ~= claim then return 0 end
`

var finishScript = redis.NewScript(claimedScript + `
redis.call('HDEL', KEYS[1], id)
redis.call('ZREM', KEYS[2], id)
redis.call('HSET', KEYS[3], id, ARGV[3])
return 1
`)

// FinishJob implements store.Transcripts.
func (s *Store) FinishJob(ctx context.Context, j store.Job, t store.Transcript) error {
	keys := []string{s.keys.jobs, s.keys.due, s.keys.transcripts}
	return s.claimed(ctx, "finish job", finishScript, keys, j, micros(t.FetchedAt)+"\n"+string(t.Body))
}

var releaseScript = redis.NewScript(claimedScript + `
job.a, job.r, job.c = ARGV[3], ARGV[4], ''
redis.call('HSET', KEYS[1], id, cjson.encode(job))
redis.call('ZREM', KEYS[2], id)
redis.call('ZADD', KEYS[3], ARGV[5], id)
return 1
`)

// PostponeJob implements store.Transcripts.
func (s *Store) PostponeJob(ctx context.Context, j store.Job, next time.Time) error {
	return s.release(ctx, "postpone job", s.keys.due, j, next)
}

// KillJob implements store.Transcripts.
func (s *Store) KillJob(ctx context.Context, j store.Job) error {
	return s.release(ctx, "kill job", s.keys.dead, j, j.DueAt)
}

func (s *Store) release(ctx context.Context, what, into string, j store.Job, due time.Time) error {
	keys := []string{s.keys.jobs, s.keys.due, into}
	return s.claimed(ctx, what, releaseScript, keys, j, strconv.Itoa(j.Attempts), printable(j.Reason), micros(due))
}

func (s *Store) claimed(ctx context.Context, what string, script *redis.Script, keys []string, j store.Job, args ...any) error {
	if err := check(ctx, nil); err != nil {
		return err
	}
	n, err := script.Run(ctx, s.client, keys, append([]any{j.InterviewID, j.Claim}, args...)...).Int()
	if err == nil && n == 0 {
		return store.ErrLeaseLost
	}
	return failed(what, err)
}

var requeueScript = redis.NewScript(`
local jobs, due, dead = KEYS[1], KEYS[2], KEYS[3]
local id, now = ARGV[1], ARGV[2]
if redis.call('ZREM', dead, id) == 0 then return 0 end
redis.call('HSET', jobs, id, cjson.encode({q = now, a = '0', r = '', c = ''}))
redis.call('ZADD', due, now, id)
return 1
`)

// RequeueJob implements store.Transcripts.
func (s *Store) RequeueJob(ctx context.Context, interviewID string, now time.Time) error {
	if err := check(ctx, store.CheckID(interviewID)); err != nil {
		return err
	}
	n, err := requeueScript.Run(ctx, s.client, []string{s.keys.jobs, s.keys.due, s.keys.dead}, interviewID, micros(now)).Int()
	if err == nil && n == 0 {
		return store.ErrNotFound
	}
	return failed("requeue job", err)
}

// Jobs implements store.Transcripts. It lists what was queued when it began.
func (s *Store) Jobs(ctx context.Context, dead bool) iter.Seq2[store.Job, error] {
	queue := s.keys.due
	if dead {
		queue = s.keys.dead
	}
	return func(yield func(store.Job, error) bool) {
		if err := check(ctx, nil); err != nil {
			yield(store.Job{}, err)
			return
		}
		queued, err := s.client.ZRangeWithScores(ctx, queue, 0, -1).Result()
		if err != nil {
			yield(store.Job{}, failed("jobs", err))
			return
		}
		for len(queued) > 0 {
			n := min(len(queued), listPage)
			jobs, err := s.jobs(ctx, queued[:n])
			if err != nil {
				yield(store.Job{}, failed("jobs", err))
				return
			}
			for _, j := range jobs {
				if !yield(j, nil) {
					return
				}
			}
			queued = queued[n:]
		}
	}
}

// jobs reads those that are still there.
func (s *Store) jobs(ctx context.Context, queued []redis.Z) ([]store.Job, error) {
	ids := make([]string, len(queued))
	for n, z := range queued {
		ids[n] = z.Member.(string)
	}
	pipe := s.client.Pipeline()
	jobs, interviews := pipe.HMGet(ctx, s.keys.jobs, ids...), pipe.HMGet(ctx, s.keys.interviews, ids...)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	var all []store.Job
	for n, z := range queued {
		jobText, ok := jobs.Val()[n].(string)
		interviewText, there := interviews.Val()[n].(string)
		if !ok || !there {
			continue
		}
		j, err := readJob(ids[n], jobText, interviewText, time.UnixMicro(int64(z.Score)).UTC())
		if err != nil {
			return nil, err
		}
		j.Claim = "" // it is its owner's
		all = append(all, j)
	}
	return all, nil
}

func readJob(id, jobText, interviewText string, due time.Time) (store.Job, error) {
	var j job
	if err := json.Unmarshal([]byte(jobText), &j); err != nil {
		return store.Job{}, fmt.Errorf("a job that cannot be read: %w", err)
	}
	c, err := completion(id, interviewText)
	if err != nil {
		return store.Job{}, err
	}
	queued, err := instant(j.QueuedAt)
	if err != nil {
		return store.Job{}, err
	}
	attempts, err := strconv.Atoi(j.Attempts)
	return store.Job{Completion: c, QueuedAt: queued, DueAt: due, Attempts: attempts, Reason: j.Reason, Claim: j.Claim}, err
}

// Transcript implements store.Transcripts.
func (s *Store) Transcript(ctx context.Context, interviewID string) (store.Transcript, error) {
	if err := check(ctx, store.CheckID(interviewID)); err != nil {
		return store.Transcript{}, err
	}
	text, err := s.client.HGet(ctx, s.keys.transcripts, interviewID).Result()
	if err == redis.Nil {
		return store.Transcript{}, store.ErrNotFound
	}
	if err != nil {
		return store.Transcript{}, failed("transcript", err)
	}
	at, body, _ := strings.Cut(text, "\n")
	fetched, err := instant(at)
	if err != nil {
		return store.Transcript{}, failed("transcript", err)
	}
	return store.Transcript{InterviewID: interviewID, FetchedAt: fetched, Body: []byte(body)}, nil
}

// printable makes a reason one line of valid UTF-8 of at most 1 KB.
func printable(reason string) string {
	reason = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(reason, "\uFFFD"))
	return strings.ToValidUTF8(reason[:min(len(reason), 1<<10)], "")
}
