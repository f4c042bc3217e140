package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// lease is long enough for a case to end within it. A lease of 0 is over at once.
const lease = time.Minute

// pending and dead list the queue.
func (s *subject) pending(t *testing.T) []store.Job {
	t.Helper()
	all, err := collect(s.PendingJobs(t.Context()))
	require.NoError(t, err, "PendingJobs")
	return all
}

func (s *subject) dead(t *testing.T) []store.Job {
	t.Helper()
	all, err := collect(s.DeadJobs(t.Context()))
	require.NoError(t, err, "DeadJobs")
	return all
}

// claim claims up to limit jobs.
func (s *subject) claim(t *testing.T, lease time.Duration, limit int) []store.Job {
	t.Helper()
	jobs, err := s.ClaimJobs(t.Context(), lease, limit)
	require.NoError(t, err, "ClaimJobs")
	require.LessOrEqual(t, len(jobs), max(limit, 0), "jobs claimed")
	return jobs
}

// claimOne claims the only job that is due.
func (s *subject) claimOne(t *testing.T, lease time.Duration) store.Job {
	t.Helper()
	jobs := s.claim(t, lease, 10)
	require.Len(t, jobs, 1, "jobs due")
	return jobs[0]
}

// queued records an interview and claims its job.
func (s *subject) queued(t *testing.T) (store.Completion, store.Job) {
	t.Helper()
	c := newCompletion()
	s.mustRecord(t, c)
	return c, s.claimOne(t, lease)
}

// finish stores a transcript and finishes its job.
func (s *subject) finish(t *testing.T, j store.Job, body string) {
	t.Helper()
	require.NoError(t, s.SaveTranscript(t.Context(), j, transcriptOf(j, body)), "SaveTranscript")
	require.NoError(t, s.FinishJob(t.Context(), j), "FinishJob")
}

// claimedOnce runs eight workers on n jobs and requires each job to be claimed by one
// of them.
func claimedOnce(t *testing.T, n int, replicas ...*subject) {
	t.Helper()
	var mu sync.Mutex
	held := map[string]int{}
	note := func(jobs []store.Job) {
		mu.Lock()
		defer mu.Unlock()
		for _, j := range jobs {
			held[j.InterviewID]++
		}
	}
	atOnce(8, func(i int) {
		// A few empty claims are not the end: another worker may lock the rows for
		// a moment. The bound is for stores that never return any.
		for misses, claims := 0, 0; misses < 3 && claims < n; claims++ {
			jobs, err := replicas[i%len(replicas)].ClaimJobs(t.Context(), lease, 3)
			if err != nil {
				t.Errorf("ClaimJobs: %v", err)
				return
			}
			if len(jobs) == 0 {
				misses++
			}
			note(jobs)
		}
	})
	note(replicas[0].claim(t, lease, n)) // what every worker skipped
	require.Len(t, held, n, "jobs claimed")
	for _, times := range held {
		require.Equal(t, 1, times, "workers that hold one job")
	}
}

// leaseLost requires every method that takes a claim to return [store.ErrLeaseLost].
func (s *subject) leaseLost(t *testing.T, j store.Job) {
	t.Helper()
	require.ErrorIs(t, s.ExtendJob(t.Context(), j, 0), store.ErrLeaseLost, "ExtendJob")
	require.ErrorIs(t, s.SaveTranscript(t.Context(), j, transcriptOf(j, "lost")), store.ErrLeaseLost, "SaveTranscript")
	require.ErrorIs(t, s.FinishJob(t.Context(), j), store.ErrLeaseLost, "FinishJob")
	require.ErrorIs(t, s.PostponeJob(t.Context(), j, -time.Hour), store.ErrLeaseLost, "PostponeJob")
	require.ErrorIs(t, s.KillJob(t.Context(), j), store.ErrLeaseLost, "KillJob")
}

func interviews(jobs []store.Job) []string {
	ids := make([]string, len(jobs))
	for i, j := range jobs {
		ids[i] = j.InterviewID
	}
	return ids
}
