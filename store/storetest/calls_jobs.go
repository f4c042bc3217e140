package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
)

// claims are the jobs that were claimed so far.
type claims struct {
	sync.Mutex
	all []store.Job
}

// add returns an error if a claim is the same as an earlier one.
func (c *claims) add(jobs []store.Job) error {
	c.Lock()
	defer c.Unlock()
	for _, j := range jobs {
		if slices.ContainsFunc(c.all, func(old store.Job) bool { return old.InterviewID == j.InterviewID && old.Claim == j.Claim }) {
			return fmt.Errorf("the claim of %q is the one of an earlier claim", j.InterviewID)
		}
		c.all = append(c.all, j)
	}
	return nil
}

// some returns one of the jobs that were claimed last, or one that never was.
func (c *claims) some(n int) store.Job {
	c.Lock()
	defer c.Unlock()
	if len(c.all) == 0 {
		return store.Job{Completion: store.Completion{InterviewID: "never claimed"}, Claim: "1"}
	}
	return c.all[max(0, len(c.all)-1-n)]
}

// lease is over at once, or not as long as the test runs.
func (c *caller) lease() time.Duration { return oneOf(c.Rand, 0, -time.Second, time.Hour) }

// claim claims jobs. Alone, the store must choose the first ones in the order of
// PendingJobs. It may skip jobs that concurrent calls are changing.
func (c *caller) claim() call {
	lease, limit := c.lease(), c.IntN(3)
	var queue []store.Job
	return newCall(fmt.Sprintf("ClaimJobs(%v, %d)", lease, limit),
		func(ctx context.Context, s *subject) ([]store.Job, error) {
			var err error
			if c.alone {
				if queue, err = collect(s.PendingJobs(ctx)); err != nil {
					return nil, err
				}
			}
			jobs, err := s.ClaimJobs(ctx, lease, limit)
			err = errors.Join(err, c.jobs.add(jobs))
			for i := range jobs {
				jobs[i].QueuedAt, jobs[i].DueAt = time.Time{}, time.Time{}
			}
			return jobs, err
		},
		func(m *model, got []store.Job) (want []store.Job, err error) {
			due := m.due()
			choice, n := got, min(limit, len(got))
			if c.alone {
				n = min(limit, len(due))
				choice = slices.DeleteFunc(slices.Clone(queue), func(j store.Job) bool { return !due[j.InterviewID] })
			}
			for i, j := range choice[:min(n, len(choice))] {
				if !due[j.InterviewID] {
					break
				}
				delete(due, j.InterviewID) // so that it is not claimed twice
				claimed := m.job(j.InterviewID)
				if i < len(got) {
					claimed.Claim = got[i].Claim
				}
				want = append(want, claimed)
				have := m.jobs[j.InterviewID]
				have.claim, have.due = claimed.Claim, lease <= 0
				m.jobs[j.InterviewID] = have
			}
			if len(want) < n { // the store has claimed too few, or what is not due
				want = append(want, store.Job{Reason: "another job that is due"})
			}
			return want, nil
		})
}

// handle does something with a job that was claimed, lately or long ago.
func (c *caller) handle() call {
	lease, nth := c.lease(), c.IntN(3)
	attempts, reason := c.IntN(5), oneOf(c.Rand, "", "boom", "503")
	body := oneOf(c.Rand, "{}", "[]", "\x00\xff")
	var j store.Job // known when the call is made
	with := func(name string, do func(ctx context.Context, s *subject) error, change func(m *model, have *modelJob)) call {
		made := effect(name, func(ctx context.Context, s *subject) error {
			j = c.jobs.some(nth)
			j.Attempts, j.Reason = attempts, reason
			return do(ctx, s)
		}, func(m *model) error {
			return m.withClaim(j, func(have *modelJob) { change(m, have) })
		})
		return made
	}
	switch c.IntN(5) {
	case 0:
		return with(fmt.Sprintf("ExtendJob(%v)", lease),
			func(ctx context.Context, s *subject) error { return s.ExtendJob(ctx, j, lease) },
			func(_ *model, have *modelJob) { have.due = lease <= 0 })
	case 1:
		return with("SaveTranscript", func(ctx context.Context, s *subject) error {
			return s.SaveTranscript(ctx, j, store.Transcript{InterviewID: j.InterviewID, FetchedAt: base, Body: []byte(body)})
		}, func(m *model, have *modelJob) {
			have.fetched = true
			m.transcripts[j.InterviewID] = store.Transcript{InterviewID: j.InterviewID, FetchedAt: base, Body: []byte(body)}
		})
	case 2:
		return effect("FinishJob", func(ctx context.Context, s *subject) error {
			j = c.jobs.some(nth)
			return s.FinishJob(ctx, j)
		}, func(m *model) error {
			err := m.withClaim(j, func(*modelJob) {})
			if err == nil {
				delete(m.jobs, j.InterviewID)
			}
			return err
		})
	case 3:
		return with(fmt.Sprintf("PostponeJob(%v)", lease),
			func(ctx context.Context, s *subject) error { return s.PostponeJob(ctx, j, lease) },
			func(_ *model, have *modelJob) {
				have.attempts, have.reason, have.claim, have.due = attempts, reason, "", lease <= 0
			})
	default:
		return with("KillJob", func(ctx context.Context, s *subject) error { return s.KillJob(ctx, j) },
			func(_ *model, have *modelJob) {
				have.attempts, have.reason, have.claim, have.dead = attempts, reason, "", true
			})
	}
}

func (c *caller) requeue() call {
	id := oneOf(c.Rand, c.interviews...)
	again := func(m *model, id string) {
		_, fetched := m.transcripts[id]
		m.jobs[id] = modelJob{due: true, fetched: fetched}
	}
	if c.alone && c.IntN(2) == 0 {
		return newCall("RequeueJobs()",
			func(ctx context.Context, s *subject) (int, error) { return s.RequeueJobs(ctx) },
			func(m *model, _ int) (n int, err error) {
				for id, j := range m.jobs {
					if j.dead {
						again(m, id)
						n++
					}
				}
				return n, nil
			})
	}
	return effect(fmt.Sprintf("RequeueJob(%q)", id),
		func(ctx context.Context, s *subject) error { return s.RequeueJob(ctx, id) },
		func(m *model) error {
			if !m.jobs[id].dead {
				return store.ErrNotFound
			}
			again(m, id)
			return nil
		})
}

// queue lists one half of the queue and compares it in the order of the ids; the
// order of the store must be the one of its own times.
func (c *caller) queue() call {
	dead := c.IntN(2) == 0
	byID := func(a, b store.Job) int { return strings.Compare(a.InterviewID, b.InterviewID) }
	return newCall(fmt.Sprintf("jobs(dead: %v)", dead),
		func(ctx context.Context, s *subject) ([]store.Job, error) {
			list := s.PendingJobs
			if dead {
				list = s.DeadJobs
			}
			jobs, err := collect(list(ctx))
			jobs = slices.DeleteFunc(jobs, func(j store.Job) bool { return !c.alone && !slices.Contains(c.interviews, j.InterviewID) })
			if !slices.IsSortedFunc(jobs, func(a, b store.Job) int { return cmp.Or(a.DueAt.Compare(b.DueAt), byID(a, b)) }) {
				return nil, fmt.Errorf("not in the order of due times and ids: %+v", jobs)
			}
			slices.SortFunc(jobs, byID)
			for i := range jobs {
				jobs[i].QueuedAt, jobs[i].DueAt = time.Time{}, time.Time{}
			}
			return jobs, err
		},
		func(m *model, _ []store.Job) (want []store.Job, err error) {
			for _, id := range slices.Sorted(maps.Keys(m.jobs)) {
				if m.jobs[id].dead == dead {
					want = append(want, m.job(id))
				}
			}
			return want, nil
		})
}

func (c *caller) transcript() call {
	id := oneOf(c.Rand, c.interviews...)
	return newCall(fmt.Sprintf("Transcript(%q)", id),
		func(ctx context.Context, s *subject) (store.Transcript, error) { return s.Transcript(ctx, id) },
		func(m *model, _ store.Transcript) (store.Transcript, error) {
			if t, ok := m.transcripts[id]; ok {
				return t, nil
			}
			return store.Transcript{}, store.ErrNotFound
		})
}

func (c *caller) deleteTranscript() call {
	id := oneOf(c.Rand, c.interviews...)
	return effect(fmt.Sprintf("DeleteTranscript(%q)", id),
		func(ctx context.Context, s *subject) error { return s.DeleteTranscript(ctx, id) },
		func(m *model) error {
			_, stored := m.transcripts[id]
			if _, queued := m.jobs[id]; !stored && !queued {
				return store.ErrNotFound
			}
			m.forget(id)
			return nil
		})
}

func (c *caller) deleteExpired() call {
	what := oneOf(c.Rand, store.ExpirableTranscripts, store.ExpirableDeadJobs, store.ExpirableDeadLetters)
	before := oneOf(c.Rand, base.AddDate(-1, 0, 0), base.AddDate(50, 0, 0)) // nothing, or all
	return newCall(fmt.Sprintf("DeleteExpired(%v, %v)", what, before),
		func(ctx context.Context, s *subject) (int, error) { return s.DeleteExpired(ctx, what, before, 1000) },
		func(m *model, _ int) (n int, err error) {
			if before.Before(base) {
				return 0, nil
			}
			switch what {
			case store.ExpirableTranscripts:
				for id := range m.transcripts {
					if _, queued := m.jobs[id]; !queued {
						delete(m.transcripts, id)
						n++
					}
				}
			case store.ExpirableDeadJobs:
				for id, j := range m.jobs {
					if j.dead {
						delete(m.jobs, id)
						n++
					}
				}
			case store.ExpirableDeadLetters:
				n = len(m.letters)
				clear(m.letters)
			}
			return n, nil
		})
}
