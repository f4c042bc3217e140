package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/askonce/askonce/store"
)

// job is how a store.Job is stored, without its completion and its due time.
type job struct {
	QueuedAt int64  `json:"q,string"` // µs
	Attempts int    `json:"a,string"`
	Reason   string `json:"r"`
	Claim    string `json:"c"` // "" while nobody has claimed it
	Fetched  string `json:"f"` // "1" once the transcript is stored
	Released string `json:"p"` // the call that gave the job back last
}

// claimScript remembers for a minute what it claimed: if an answer is lost, the client
// sends the script again, and would otherwise not get the jobs that it has claimed. Ids
// whose job or interview is missing leave the queue.
var claimScript = newScript(now + `
local remembered = KEYS[#KEYS]
local lease, limit, claim = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local ends, rows, orphans = after(lease), {}, {}

local before = redis.call('GET', remembered)
if before then
	for _, id in ipairs(cjson.decode(before)) do
		local job, interview = redis.call('HGET', jobs, id), redis.call('HGET', interviews, id)
		if job and interview and string.sub(cjson.decode(job).c, 1, #claim) == claim then table.insert(rows, {id, ends, job, interview}) end
	end
	return {rows, orphans}
end

local ids = {}
while #rows < limit do
	local found = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, limit - #rows)
	if #found == 0 then break end
	for _, id in ipairs(found) do
		local job, interview = redis.call('HGET', jobs, id), redis.call('HGET', interviews, id)
		redis.call('ZREM', due, id)
		if job and interview then
			job = cjson.decode(job)
			job.c = claim .. '.' .. (#rows + 1)
			job = cjson.encode(job)
			redis.call('HSET', jobs, id, job)
			table.insert(rows, {id, ends, job, interview})
			table.insert(ids, id)
		else
			redis.call('HDEL', jobs, id)
			table.insert(orphans, id)
		end
	end
end
for _, id in ipairs(ids) do redis.call('ZADD', due, ends, id) end
if #ids > 0 then redis.call('SET', remembered, cjson.encode(ids), 'EX', 60) end
return {rows, orphans}
`)

// ClaimJobs implements [store.Transcripts], in one atomic script.
func (s *Store) ClaimJobs(ctx context.Context, lease time.Duration, limit int) ([]store.Job, error) {
	if err := check(ctx, nil); err != nil || limit <= 0 {
		return nil, err
	}
	claim := rand.Text()
	reply, err := s.run(ctx, claimScript, "claim:"+claim, lease.Microseconds(), limit, claim).Slice()
	if err != nil {
		return nil, failed("claim jobs", err)
	}
	for _, id := range reply[1].([]any) {
		s.log.WarnContext(ctx, "askonce: job dropped because its interview is missing", "interview", id)
	}
	claimed, err := readJobs(reply[0])
	return claimed, failed("claim jobs", err)
}

// claimed begins every script that changes a claimed job.
const claimed = now + jsonLua + `
local id, claim = ARGV[1], ARGV[2]
local job = read(jobs, id)
local held = job and job.c ~= '' and job.c == claim
`

var extendScript = newScript(claimed + `
if not held then return 0 end
redis.call('ZADD', due, after(ARGV[3]), id)
return 1
`)

// ExtendJob implements [store.Transcripts].
func (s *Store) ExtendJob(ctx context.Context, j store.Job, lease time.Duration) error {
	return s.claimed(ctx, "extend job", extendScript, j, lease.Microseconds())
}

var saveTranscriptScript = newScript(claimed + `
if not held then return 0 end
redis.call('ZADD', transcripts_by_time, ARGV[4], id)
redis.call('HSET', transcripts, id, ARGV[3])
job.f = '1'
write(jobs, id, job)
return 1
`)

// SaveTranscript implements [store.Transcripts].
func (s *Store) SaveTranscript(ctx context.Context, j store.Job, t store.Transcript) error {
	at := micros(t.FetchedAt)
	return s.claimed(ctx, "save transcript", saveTranscriptScript, j, fmt.Sprintf("%d\n%s", at, t.Body), at)
}

// finishScript recognises its own call, for a client that sends it twice.
var finishScript = newScript(claimed + `
local i = read(interviews, id)
if not held then return not job and i and i.f == ARGV[3] and 1 or 0 end
if i then
	i.f = ARGV[3]
	write(interviews, id, i)
end
redis.call('HDEL', jobs, id)
redis.call('ZREM', due, id)
return 1
`)

// FinishJob implements [store.Transcripts].
func (s *Store) FinishJob(ctx context.Context, j store.Job) error {
	return s.claimed(ctx, "finish job", finishScript, j, rand.Text())
}

// releaseScript recognises its own call, as finishScript does.
var releaseScript = newScript(claimed + `
if not held then return job and job.p == ARGV[6] and 1 or 0 end
job.a, job.r, job.c, job.p = ARGV[3], ARGV[4], '', ARGV[6]
write(jobs, id, job)
redis.call('ZREM', due, id)
redis.call('ZADD', ARGV[7] == 'dead' and dead or due, after(ARGV[5]), id)
return 1
`)

// PostponeJob implements [store.Transcripts].
func (s *Store) PostponeJob(ctx context.Context, j store.Job, wait time.Duration) error {
	return s.release(ctx, "postpone job", j, wait, "due")
}

// KillJob implements [store.Transcripts].
func (s *Store) KillJob(ctx context.Context, j store.Job) error {
	return s.release(ctx, "kill job", j, 0, "dead")
}

func (s *Store) release(ctx context.Context, doing string, j store.Job, wait time.Duration, into string) error {
	return s.claimed(ctx, doing, releaseScript, j, strconv.Itoa(j.Attempts), printable(j.Reason), wait.Microseconds(), rand.Text(), into)
}

func (s *Store) claimed(ctx context.Context, doing string, script *redis.Script, j store.Job, args ...any) error {
	if err := check(ctx, nil); err != nil {
		return err
	}
	n, err := s.run(ctx, script, "", append([]any{j.InterviewID, j.Claim}, args...)...).Int()
	return failed(doing, orElse(n, err, store.ErrLeaseLost))
}

// requeueScript requeues the named dead jobs, or all if none is named.
var requeueScript = newScript(now + jsonLua + `
local ids = ARGV
if #ids == 0 then ids = redis.call('ZRANGE', dead, 0, -1) end
local n = 0
for _, id in ipairs(ids) do
	if redis.call('ZREM', dead, id) == 1 then
		local job = read(jobs, id)
		write(jobs, id, {q = now, a = '0', r = '', c = '', f = job and job.f or ''})
		redis.call('ZADD', due, now, id)
		n = n + 1
	end
end
return n
`)

// RequeueJob implements [store.Transcripts].
func (s *Store) RequeueJob(ctx context.Context, interviewID string) error {
	n, err := s.requeue(ctx, store.CheckID(interviewID), interviewID)
	return orElse(n, err, store.ErrNotFound)
}

// RequeueJobs implements [store.Transcripts].
func (s *Store) RequeueJobs(ctx context.Context) (int, error) { return s.requeue(ctx, nil) }

func (s *Store) requeue(ctx context.Context, invalid error, ids ...any) (int, error) {
	if err := check(ctx, invalid); err != nil {
		return 0, err
	}
	n, err := s.run(ctx, requeueScript, "", ids...).Int()
	return n, failed("requeue jobs", err)
}

// PendingJobs implements [store.Transcripts]. It yields what was queued when it began.
func (s *Store) PendingJobs(ctx context.Context) iter.Seq2[store.Job, error] {
	return s.listJobs(ctx, "due")
}

// DeadJobs implements [store.Transcripts], as PendingJobs does.
func (s *Store) DeadJobs(ctx context.Context) iter.Seq2[store.Job, error] {
	return s.listJobs(ctx, "dead")
}

func (s *Store) listJobs(ctx context.Context, queue string) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		if err := check(ctx, nil); err != nil {
			yield(store.Job{}, err)
			return
		}
		for ids, begun := []any(nil), false; !begun || len(ids) > 0; begun = true {
			n := min(len(ids), listPage)
			reply, err := s.run(ctx, jobsScript, queue, append([]any{listPage}, ids[:n]...)...).Slice()
			if err != nil {
				yield(store.Job{}, failed("jobs", err))
				return
			}
			jobs, err := readJobs(reply[0])
			if err != nil {
				yield(store.Job{}, failed("jobs", err))
				return
			}
			for _, j := range jobs {
				j.Claim = "" // it belongs to whoever claimed the job
				if !yield(j, nil) {
					return
				}
			}
			ids = append(ids[n:], reply[1].([]any)...)
		}
	}
}

// jobsScript reads the named jobs that are in the queue. If none is named, it reads the
// first ones and also returns the ids of the others. It is a script, so that a job cannot
// move to the other queue between two commands.
var jobsScript = newScript(`
local queue = KEYS[#KEYS]
local ids, rows, rest = ARGV, {}, {}
if #ids == 1 then
	ids = redis.call('ZRANGE', queue, 0, -1)
	table.insert(ids, 1, ARGV[1])
end
local most = tonumber(ARGV[1])
for n = 2, #ids do
	local id = ids[n]
	if n > most + 1 then
		table.insert(rest, id)
	else
		local due, job, interview = redis.call('ZSCORE', queue, id), redis.call('HGET', jobs, id), redis.call('HGET', interviews, id)
		if due and job and interview then table.insert(rows, {id, due, job, interview}) end
	end
end
return {rows, rest}
`)

// readJobs reads rows of an interview's id, the due time, the job and the interview.
func readJobs(rows any) (all []store.Job, err error) {
	for _, row := range rows.([]any) {
		row := row.([]any)
		var j job
		if err := json.Unmarshal([]byte(row[2].(string)), &j); err != nil {
			return nil, fmt.Errorf("unreadable job: %w", err)
		}
		due, err := strconv.ParseFloat(row[1].(string), 64) // a score
		if err != nil {
			return nil, fmt.Errorf("unreadable due time: %w", err)
		}
		c, err := completion(row[0].(string), row[3].(string))
		if err != nil {
			return nil, err
		}
		all = append(all, store.Job{
			Completion: c, QueuedAt: instant(j.QueuedAt), DueAt: instant(int64(due)),
			Attempts: j.Attempts, Reason: j.Reason, Fetched: j.Fetched == "1", Claim: j.Claim,
		})
	}
	return all, nil
}

// Transcript implements [store.Transcripts].
func (s *Store) Transcript(ctx context.Context, interviewID string) (store.Transcript, error) {
	if err := check(ctx, store.CheckID(interviewID)); err != nil {
		return store.Transcript{}, err
	}
	text, err := s.client.HGet(ctx, s.prefix+"transcripts", interviewID).Result()
	if err == redis.Nil {
		return store.Transcript{}, store.ErrNotFound
	}
	if err != nil {
		return store.Transcript{}, failed("transcript", err)
	}
	fetched, body, err := cutInstant(text)
	if err != nil {
		return store.Transcript{}, failed("transcript", err)
	}
	return store.Transcript{InterviewID: interviewID, FetchedAt: fetched, Body: []byte(body)}, nil
}
