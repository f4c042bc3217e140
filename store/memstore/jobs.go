package memstore

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/askonce/askonce/store"
)

// memoryJob is a Job without its completion, which the interview has.
type memoryJob struct {
	queuedAt, dueAt int64 // in microseconds
	claim           uint64
	reason          string
	attempts        int32
	place           int32  // in the heap, unless it is dead
	ref             uint32 // of the interview
	dead            bool
}

type memoryTranscript struct {
	fetchedAt int64 // in microseconds
	body      []byte
}

// dueJobs is a heap, oldest due first.
type dueJobs []*memoryJob

func (d dueJobs) Len() int           { return len(d) }
func (d dueJobs) Less(i, j int) bool { return d[i].dueAt < d[j].dueAt }
func (d dueJobs) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = int32(i), int32(j)
}

func (d *dueJobs) Push(x any) {
	j := x.(*memoryJob)
	j.place = int32(len(*d))
	*d = append(*d, j)
}

func (d *dueJobs) Pop() any {
	last := len(*d) - 1
	j := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return j
}

// queue queues a job that is due at now.
func (m *Store) queue(ref uint32, now time.Time) {
	j := &memoryJob{ref: ref, queuedAt: now.UnixMicro(), dueAt: now.UnixMicro()}
	m.jobs[ref] = j
	heap.Push(&m.due, j)
}

// unqueue drops a job, if there is one.
func (m *Store) unqueue(ref uint32) {
	j, ok := m.jobs[ref]
	if !ok {
		return
	}
	delete(m.jobs, ref)
	if !j.dead {
		heap.Remove(&m.due, int(j.place))
	}
}

// job returns j as it is to be seen from outside.
func (m *Store) job(j *memoryJob) store.Job {
	return store.Job{
		Completion: m.interviews.completion(m.interviews.at(j.ref)),
		QueuedAt:   instant(j.queuedAt), DueAt: instant(j.dueAt),
		Attempts: int(j.attempts), Reason: j.reason, Claim: strconv.FormatUint(j.claim, 10),
	}
}

// ClaimJobs implements Transcripts.
func (m *Store) ClaimJobs(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Job, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var due []*memoryJob
	for len(due) < limit && len(m.due) > 0 && m.due[0].dueAt <= now.UnixMicro() {
		due = append(due, heap.Pop(&m.due).(*memoryJob))
	}
	var claimed []store.Job
	for _, j := range due {
		m.claims++
		j.dueAt, j.claim = now.Add(lease).UnixMicro(), m.claims
		heap.Push(&m.due, j)
		claimed = append(claimed, m.job(j))
	}
	return claimed, nil
}

// claimed runs do on the job that j has claimed.
func (m *Store) claimed(ctx context.Context, j store.Job, do func(*memoryJob)) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	e, known := m.interviews.find(j.InterviewID)
	have, ok := m.jobs[e.ref]
	if !known || !ok || have.dead || have.claim == 0 || strconv.FormatUint(have.claim, 10) != j.Claim {
		return store.ErrLeaseLost
	}
	do(have)
	return nil
}

// FinishJob implements Transcripts.
func (m *Store) FinishJob(ctx context.Context, j store.Job, t store.Transcript) error {
	return m.claimed(ctx, j, func(have *memoryJob) {
		m.unqueue(have.ref)
		m.transcripts[have.ref] = memoryTranscript{t.FetchedAt.UnixMicro(), bytes.Clone(t.Body)}
	})
}

// PostponeJob implements Transcripts.
func (m *Store) PostponeJob(ctx context.Context, j store.Job, next time.Time) error {
	return m.claimed(ctx, j, func(have *memoryJob) {
		have.dueAt, have.attempts, have.reason, have.claim = next.UnixMicro(), int32(j.Attempts), j.Reason, 0
		heap.Fix(&m.due, int(have.place))
	})
}

// KillJob implements Transcripts.
func (m *Store) KillJob(ctx context.Context, j store.Job) error {
	return m.claimed(ctx, j, func(have *memoryJob) {
		heap.Remove(&m.due, int(have.place))
		have.dead, have.attempts, have.reason, have.claim = true, int32(j.Attempts), j.Reason, 0
	})
}

// RequeueJob implements Transcripts.
func (m *Store) RequeueJob(ctx context.Context, interviewID string, now time.Time) error {
	if err := store.CheckID(interviewID); err != nil {
		return err
	}
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	e, known := m.interviews.find(interviewID)
	j, ok := m.jobs[e.ref]
	if !known || !ok || !j.dead {
		return store.ErrNotFound
	}
	m.queue(e.ref, now)
	return nil
}

// Jobs implements Transcripts.
func (m *Store) Jobs(ctx context.Context, dead bool) iter.Seq2[store.Job, error] {
	return func(yield func(store.Job, error) bool) {
		if err := m.rlock(ctx); err != nil {
			yield(store.Job{}, err)
			return
		}
		var found []store.Job
		for _, j := range m.jobs {
			if j.dead == dead {
				job := m.job(j)
				job.Claim = "" // it is its owner's
				found = append(found, job)
			}
		}
		m.mu.RUnlock()
		slices.SortFunc(found, func(a, b store.Job) int {
			return cmp.Or(a.DueAt.Compare(b.DueAt), cmp.Compare(a.InterviewID, b.InterviewID))
		})
		yieldAll(ctx, found, yield)
	}
}

// Transcript implements Transcripts.
func (m *Store) Transcript(ctx context.Context, interviewID string) (store.Transcript, error) {
	if err := store.CheckID(interviewID); err != nil {
		return store.Transcript{}, err
	}
	if err := m.rlock(ctx); err != nil {
		return store.Transcript{}, err
	}
	defer m.mu.RUnlock()
	e, known := m.interviews.find(interviewID)
	t, ok := m.transcripts[e.ref]
	if !known || !ok {
		return store.Transcript{}, store.ErrNotFound
	}
	return store.Transcript{InterviewID: interviewID, FetchedAt: instant(t.fetchedAt), Body: bytes.Clone(t.body)}, nil
}
