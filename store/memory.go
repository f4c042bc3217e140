package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Memory keeps everything in the memory of this process. It is not durable:
// a restart forgets who has completed what, and those users are asked again.
// It serves tests, examples and a first try; for anything else use NewSQL. A
// completion takes about 500 bytes until its job is done. A Memory has every
// optional capability and is safe for concurrent use.
type Memory struct {
	mu          sync.RWMutex
	closed      bool
	seed        maphash.Seed
	interviews  map[string]*memoryEntry
	users       map[Key]*memoryEntry // the latest
	erased      map[uint64]bool      // users, by keyed hash
	marks       map[uint64]time.Time // what erased users completed, by keyed hash: the end of it
	jobs        map[string]*memoryJob
	claims      uint64
	transcripts map[string]Transcript
	letters     map[string]DeadLetter
	checkpoints map[string]memoryCheckpoint
}

type memoryEntry struct {
	Completion
	reset bool
	next  *memoryEntry // an earlier interview of the same user in the same study
}

// memoryJob is a Job without its completion, which the interview has.
type memoryJob struct {
	queuedAt, dueAt int64 // in microseconds
	attempts        int
	reason, claim   string
	dead            bool
}

func newMemoryJob(now time.Time) *memoryJob {
	return &memoryJob{queuedAt: now.UnixMicro(), dueAt: now.UnixMicro()}
}

type memoryCheckpoint struct {
	holder, state string
	until         time.Time
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{
		seed:        maphash.MakeSeed(),
		interviews:  map[string]*memoryEntry{},
		users:       map[Key]*memoryEntry{},
		erased:      map[uint64]bool{},
		marks:       map[uint64]time.Time{},
		jobs:        map[string]*memoryJob{},
		transcripts: map[string]Transcript{},
		letters:     map[string]DeadLetter{},
		checkpoints: map[string]memoryCheckpoint{},
	}
}

// live reports whether a completion that ends at until counts now.
func live(until time.Time) bool { return until.IsZero() || time.Now().Before(until) }

// Close makes every later call return ErrClosed.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// lock takes the lock for writing, unless the context or the store has ended.
func (m *Memory) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return ErrClosed
	}
	return nil
}

// rlock is lock for reading.
func (m *Memory) rlock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.RLock()
	if m.closed {
		m.mu.RUnlock()
		return ErrClosed
	}
	return nil
}

func (m *Memory) hash(parts ...string) uint64 {
	return maphash.Comparable(m.seed, fmt.Sprintf("%q", parts))
}

// Completed implements Store.
func (m *Memory) Completed(ctx context.Context, k Key) (bool, error) {
	if err := CheckKey(k); err != nil {
		return false, err
	}
	if err := m.rlock(ctx); err != nil {
		return false, err
	}
	defer m.mu.RUnlock()
	return m.completed(k), nil
}

// Peek is Completed for callers that must not wait. It is always known, except
// for a key that Completed refuses and in a closed store.
func (m *Memory) Peek(k Key) (completed, known bool) {
	if CheckKey(k) != nil {
		return false, false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.completed(k), !m.closed
}

func (m *Memory) completed(k Key) bool {
	for e := m.users[k]; e != nil; e = e.next {
		if !e.reset && live(e.Until) {
			return true
		}
	}
	if len(m.marks) == 0 {
		return false
	}
	until, ok := m.marks[m.hash(k.StudyID, k.UserID)]
	return ok && live(until)
}

// Record implements Store.
func (m *Memory) Record(ctx context.Context, c Completion) (first bool, err error) {
	if err := CheckCompletion(c); err != nil {
		return false, err
	}
	c.CompletedAt, c.Until = Instant(c.CompletedAt), Instant(c.Until)
	if err := m.lock(ctx); err != nil {
		return false, err
	}
	defer m.mu.Unlock()
	e, known := m.interviews[c.InterviewID]
	gone := c.UserID != "" && len(m.erased) > 0 && m.erased[m.hash(c.UserID)]
	if !known {
		user := c.UserID
		if gone {
			c.UserID = ""
		}
		e = &memoryEntry{Completion: c}
		m.interviews[c.InterviewID] = e
		if gone {
			m.mark(Key{c.StudyID, user}, c.Until)
			return true, nil
		}
		m.complete(e)
		m.jobs[c.InterviewID] = newMemoryJob(time.Now())
		return true, nil
	}
	e.Quality = cmp.Or(e.Quality, c.Quality)
	switch {
	case e.UserID != "" || c.UserID == "":
	case gone:
		m.forget(e.InterviewID)
		m.mark(Key{e.StudyID, c.UserID}, e.Until)
	default:
		e.UserID = c.UserID
		m.complete(e)
	}
	return false, nil
}

// complete lets an interview count for its user, if it has one.
func (m *Memory) complete(e *memoryEntry) {
	if e.UserID == "" {
		return
	}
	e.next = m.users[e.Key]
	m.users[e.Key] = e
}

// mark notes that an erased user has completed a study.
func (m *Memory) mark(k Key, until time.Time) {
	h := m.hash(k.StudyID, k.UserID)
	if old, ok := m.marks[h]; ok && (old.IsZero() || !until.IsZero() && until.Before(old)) {
		return
	}
	m.marks[h] = until
}

// forget drops what an interview has left beside its completion.
func (m *Memory) forget(interviewID string) {
	delete(m.jobs, interviewID)
	delete(m.transcripts, interviewID)
}

// Reset implements Resetter.
func (m *Memory) Reset(ctx context.Context, k Key) error {
	if err := CheckKey(k); err != nil {
		return err
	}
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for e := m.users[k]; e != nil; e = e.next {
		e.reset = true
	}
	delete(m.marks, m.hash(k.StudyID, k.UserID))
	return nil
}

// Erase implements Eraser.
func (m *Memory) Erase(ctx context.Context, userID string) error {
	if err := CheckID(userID); err != nil {
		return err
	}
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.erased[m.hash(userID)] = true
	for k, e := range m.users {
		if k.UserID != userID {
			continue
		}
		for ; e != nil; e = e.next {
			if !e.reset {
				m.mark(k, e.Until)
			}
			m.forget(e.InterviewID)
			e.UserID = ""
		}
		delete(m.users, k)
	}
	return nil
}

// Completions implements Lister.
func (m *Memory) Completions(ctx context.Context, f Filter) iter.Seq2[Completion, error] {
	return func(yield func(Completion, error) bool) {
		if err := CheckFilter(f); err != nil {
			yield(Completion{}, err)
			return
		}
		if err := m.rlock(ctx); err != nil {
			yield(Completion{}, err)
			return
		}
		among := m.interviews
		if f.InterviewID != "" {
			among = map[string]*memoryEntry{}
			if e, ok := m.interviews[f.InterviewID]; ok {
				among[f.InterviewID] = e
			}
		}
		var found []Completion
		for _, e := range among {
			if (f.StudyID == "" || f.StudyID == e.StudyID) && (f.UserID == "" || f.UserID == e.UserID) && !e.CompletedAt.Before(f.Since) {
				found = append(found, e.Completion)
			}
		}
		m.mu.RUnlock()
		slices.SortFunc(found, func(a, b Completion) int {
			return cmp.Or(a.CompletedAt.Compare(b.CompletedAt), cmp.Compare(a.InterviewID, b.InterviewID))
		})
		yieldAll(ctx, found, yield)
	}
}

// yieldAll yields all, until the consumer or ctx ends it.
func yieldAll[T any](ctx context.Context, all []T, yield func(T, error) bool) {
	for _, v := range all {
		if err := ctx.Err(); err != nil {
			yield(*new(T), err)
			return
		}
		if !yield(v, nil) {
			return
		}
	}
}

// job returns j as it is to be seen from outside.
func (m *Memory) job(interviewID string, j *memoryJob) Job {
	return Job{
		Completion: m.interviews[interviewID].Completion,
		QueuedAt:   instant(j.queuedAt), DueAt: instant(j.dueAt),
		Attempts: j.attempts, Reason: j.reason, Claim: j.claim,
	}
}

// ClaimJobs implements Transcripts.
func (m *Memory) ClaimJobs(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Job, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var due []string
	for id, j := range m.jobs {
		if !j.dead && j.dueAt <= now.UnixMicro() {
			due = append(due, id)
		}
	}
	slices.SortFunc(due, func(a, b string) int {
		return cmp.Or(cmp.Compare(m.jobs[a].dueAt, m.jobs[b].dueAt), cmp.Compare(a, b))
	})
	var claimed []Job
	for _, id := range due[:max(0, min(limit, len(due)))] {
		j := m.jobs[id]
		m.claims++
		j.dueAt, j.claim = now.Add(lease).UnixMicro(), strconv.FormatUint(m.claims, 10)
		claimed = append(claimed, m.job(id, j))
	}
	return claimed, nil
}

// claimed runs do on the job that j has claimed.
func (m *Memory) claimed(ctx context.Context, j Job, do func(*memoryJob)) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	have, ok := m.jobs[j.InterviewID]
	if !ok || have.dead || have.claim == "" || have.claim != j.Claim {
		return ErrLeaseLost
	}
	do(have)
	return nil
}

// FinishJob implements Transcripts.
func (m *Memory) FinishJob(ctx context.Context, j Job, t Transcript) error {
	return m.claimed(ctx, j, func(*memoryJob) {
		delete(m.jobs, j.InterviewID)
		m.transcripts[j.InterviewID] = Transcript{j.InterviewID, Instant(t.FetchedAt), bytes.Clone(t.Body)}
	})
}

// PostponeJob implements Transcripts.
func (m *Memory) PostponeJob(ctx context.Context, j Job, next time.Time) error {
	return m.claimed(ctx, j, func(have *memoryJob) {
		have.dueAt, have.attempts, have.reason, have.claim = next.UnixMicro(), j.Attempts, j.Reason, ""
	})
}

// KillJob implements Transcripts.
func (m *Memory) KillJob(ctx context.Context, j Job) error {
	return m.claimed(ctx, j, func(have *memoryJob) {
		have.dead, have.attempts, have.reason, have.claim = true, j.Attempts, j.Reason, ""
	})
}

// RequeueJob implements Transcripts.
func (m *Memory) RequeueJob(ctx context.Context, interviewID string, now time.Time) error {
	if err := CheckID(interviewID); err != nil {
		return err
	}
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	j, ok := m.jobs[interviewID]
	if !ok || !j.dead {
		return ErrNotFound
	}
	*j = *newMemoryJob(now)
	return nil
}

// Jobs implements Transcripts.
func (m *Memory) Jobs(ctx context.Context, dead bool) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		if err := m.rlock(ctx); err != nil {
			yield(Job{}, err)
			return
		}
		var found []Job
		for id, j := range m.jobs {
			if j.dead == dead {
				job := m.job(id, j)
				job.Claim = ""
				found = append(found, job)
			}
		}
		m.mu.RUnlock()
		slices.SortFunc(found, func(a, b Job) int {
			return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.InterviewID, b.InterviewID))
		})
		yieldAll(ctx, found, yield)
	}
}

// Transcript implements Transcripts.
func (m *Memory) Transcript(ctx context.Context, interviewID string) (Transcript, error) {
	if err := CheckID(interviewID); err != nil {
		return Transcript{}, err
	}
	if err := m.rlock(ctx); err != nil {
		return Transcript{}, err
	}
	defer m.mu.RUnlock()
	t, ok := m.transcripts[interviewID]
	if !ok {
		return Transcript{}, ErrNotFound
	}
	t.Body = bytes.Clone(t.Body)
	return t, nil
}
