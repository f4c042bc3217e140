package memstore

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/askonce/askonce/store"
)

// job is a [store.Job] without its completion, which is kept with the interview.
type job struct {
	id              string
	queuedAt, dueAt time.Time
	attempts        int
	reason          string
	claim           string // "" while it is not claimed
	fetched, dead   bool
	place           int // in the heap, unless it is dead
}

// dueJobs is a heap in the order in which jobs are claimed.
type dueJobs []*job

func (d dueJobs) Len() int { return len(d) }
func (d dueJobs) Less(i, j int) bool {
	return cmp.Or(d[i].dueAt.Compare(d[j].dueAt), strings.Compare(d[i].id, d[j].id)) < 0
}
func (d dueJobs) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = i, j
}

func (d *dueJobs) Push(x any) {
	j := x.(*job)
	j.place = len(*d)
	*d = append(*d, j)
}

func (d *dueJobs) Pop() any {
	last := len(*d) - 1
	j := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return j
}

// queue queues a job that is due now.
func (s *Store) queue(id string) {
	now := store.Instant(time.Now())
	_, fetched := s.transcripts[id]
	j := &job{id: id, queuedAt: now, dueAt: now, fetched: fetched}
	s.jobs[id] = j
	heap.Push(&s.due, j)
}

// unqueue drops an interview's job, if it has one.
func (s *Store) unqueue(id string) {
	j, ok := s.jobs[id]
	if !ok {
		return
	}
	delete(s.jobs, id)
	if !j.dead {
		heap.Remove(&s.due, j.place)
	}
}

// public returns j as a [store.Job].
func (s *Store) public(j *job) store.Job {
	return store.Job{
		Completion: s.interviews[j.id].Completion, QueuedAt: j.queuedAt, DueAt: j.dueAt,
		Attempts: j.attempts, Reason: j.reason, Fetched: j.fetched, Claim: j.claim,
	}
}

// ClaimJobs implements [store.Transcripts].
func (s *Store) ClaimJobs(ctx context.Context, lease time.Duration, limit int) ([]store.Job, error) {
	if err := s.lock(ctx, nil); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	now := time.Now()
	var due []*job
	for len(due) < limit && len(s.due) > 0 && !s.due[0].dueAt.After(now) {
		due = append(due, heap.Pop(&s.due).(*job))
	}
	var claimed []store.Job
	for _, j := range due {
		s.claims++
		j.dueAt, j.claim = store.Instant(now.Add(lease)), strconv.Itoa(s.claims)
		heap.Push(&s.due, j)
		claimed = append(claimed, s.public(j))
	}
	return claimed, nil
}

// withClaim runs do on the job that j has claimed.
func (s *Store) withClaim(ctx context.Context, j store.Job, do func(*job)) error {
	if err := s.lock(ctx, nil); err != nil {
		return err
	}
	defer s.mu.Unlock()
	have, ok := s.jobs[j.InterviewID]
	if !ok || have.dead || have.claim == "" || have.claim != j.Claim {
		return store.ErrLeaseLost
	}
	do(have)
	return nil
}

// ExtendJob implements [store.Transcripts].
func (s *Store) ExtendJob(ctx context.Context, j store.Job, lease time.Duration) error {
	return s.withClaim(ctx, j, func(have *job) {
		have.dueAt = store.Instant(time.Now().Add(lease))
		heap.Fix(&s.due, have.place)
	})
}

// SaveTranscript implements [store.Transcripts].
func (s *Store) SaveTranscript(ctx context.Context, j store.Job, t store.Transcript) error {
	return s.withClaim(ctx, j, func(have *job) {
		have.fetched = true
		t.InterviewID, t.FetchedAt, t.Body = have.id, store.Instant(t.FetchedAt), bytes.Clone(t.Body)
		s.transcripts[have.id] = t
	})
}

// FinishJob implements [store.Transcripts].
func (s *Store) FinishJob(ctx context.Context, j store.Job) error {
	return s.withClaim(ctx, j, func(have *job) { s.unqueue(have.id) })
}

// PostponeJob implements [store.Transcripts].
func (s *Store) PostponeJob(ctx context.Context, j store.Job, wait time.Duration) error {
	return s.withClaim(ctx, j, func(have *job) {
		have.dueAt, have.attempts, have.reason, have.claim = store.Instant(time.Now().Add(wait)), j.Attempts, j.Reason, ""
		heap.Fix(&s.due, have.place)
	})
}

// KillJob implements [store.Transcripts].
func (s *Store) KillJob(ctx context.Context, j store.Job) error {
	return s.withClaim(ctx, j, func(have *job) {
		heap.Remove(&s.due, have.place)
		have.dead, have.attempts, have.reason, have.claim = true, j.Attempts, j.Reason, ""
	})
}

// RequeueJob implements [store.Transcripts].
func (s *Store) RequeueJob(ctx context.Context, interviewID string) error {
	if err := s.lock(ctx, store.CheckID(interviewID)); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if j, ok := s.jobs[interviewID]; !ok || !j.dead {
		return store.ErrNotFound
	}
	s.queue(interviewID)
	return nil
}

// RequeueJobs implements [store.Transcripts].
func (s *Store) RequeueJobs(ctx context.Context) (n int, err error) {
	if err := s.lock(ctx, nil); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	for id, j := range s.jobs {
		if j.dead {
			s.queue(id)
			n++
		}
	}
	return n, nil
}

// PendingJobs implements [store.Transcripts].
func (s *Store) PendingJobs(ctx context.Context) iter.Seq2[store.Job, error] {
	return s.list(ctx, false)
}

// DeadJobs implements [store.Transcripts].
func (s *Store) DeadJobs(ctx context.Context) iter.Seq2[store.Job, error] { return s.list(ctx, true) }

func (s *Store) list(ctx context.Context, dead bool) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		if err := s.rlock(ctx, nil); err != nil {
			yield(store.Job{}, err)
			return
		}
		var found []store.Job
		for _, j := range s.jobs {
			if j.dead == dead {
				one := s.public(j)
				one.Claim = "" // it belongs to whoever claimed the job
				found = append(found, one)
			}
		}
		s.mu.RUnlock()
		slices.SortFunc(found, func(a, b store.Job) int {
			return cmp.Or(a.DueAt.Compare(b.DueAt), strings.Compare(a.InterviewID, b.InterviewID))
		})
		yieldAll(ctx, found, yield)
	}
}

// Transcript implements [store.Transcripts].
func (s *Store) Transcript(ctx context.Context, interviewID string) (store.Transcript, error) {
	if err := s.rlock(ctx, store.CheckID(interviewID)); err != nil {
		return store.Transcript{}, err
	}
	defer s.mu.RUnlock()
	t, ok := s.transcripts[interviewID]
	if !ok {
		return store.Transcript{}, store.ErrNotFound
	}
	t.Body = bytes.Clone(t.Body)
	return t, nil
}
