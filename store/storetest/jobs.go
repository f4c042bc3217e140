package storetest

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

const lease = time.Minute

// later is a time at which whatever the case has recorded is due. The cases
// move on from it by hand, so that none has to wait for a lease.
func later() time.Time { return time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond) }

// pending and dead list the queue.
func (s *subject) pending(t *testing.T) []store.Job { return s.jobs(t, false) }
func (s *subject) dead(t *testing.T) []store.Job    { return s.jobs(t, true) }

func (s *subject) jobs(t *testing.T, dead bool) []store.Job {
	t.Helper()
	all, err := collect(s.Jobs(t.Context(), dead))
	require.NoError(t, err, "Jobs")
	return all
}

// claim claims up to limit jobs at now.
func (s *subject) claim(t *testing.T, now time.Time, limit int) []store.Job {
	t.Helper()
	jobs, err := s.ClaimJobs(t.Context(), now, lease, limit)
	require.NoError(t, err, "ClaimJobs")
	require.LessOrEqual(t, len(jobs), max(limit, 0), "jobs claimed")
	return jobs
}

// claimOne claims the only job that is due at now.
func (s *subject) claimOne(t *testing.T, now time.Time) store.Job {
	t.Helper()
	jobs := s.claim(t, now, 10)
	require.Len(t, jobs, 1, "jobs due")
	return jobs[0]
}

// queued records an interview and claims its job at now.
func (s *subject) queued(t *testing.T, now time.Time) (store.Completion, store.Job) {
	t.Helper()
	c := newCompletion()
	s.mustRecord(t, c)
	return c, s.claimOne(t, now)
}

var jobCases = []contractCase{{
	name:  "empty queue",
	rule:  "nothing is due in an empty queue",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		require.Empty(t, s.claim(t, later(), 10))
		require.Empty(t, s.pending(t))
		require.Empty(t, s.dead(t))
	},
}, {
	name:  "record queues a job",
	rule:  "the first Record queues the fetch of the transcript; the job carries its completion, no attempts and no reason",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		before := time.Now().Add(-time.Minute) // the store's clock may be another machine's
		c := newCompletion()
		c.Until = base.Add(time.Hour)
		s.mustRecord(t, c)
		for _, j := range [][]store.Job{s.pending(t), s.claim(t, later(), 10)} {
			require.Len(t, j, 1)
			equalCompletion(t, c, j[0].Completion)
			require.Zero(t, j[0].Attempts)
			require.Empty(t, j[0].Reason)
			require.WithinRange(t, j[0].QueuedAt, before, later())
			require.Equal(t, time.UTC, j[0].QueuedAt.Location(), "location of QueuedAt")
			require.Equal(t, time.UTC, j[0].DueAt.Location(), "location of DueAt")
		}
	},
}, {
	name:  "an anonymous interview has a job too",
	rule:  "the first Record queues a job, whoever was interviewed",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		c.UserID = ""
		s.mustRecord(t, c)
		equalCompletion(t, c, s.claimOne(t, later()).Completion)
	},
}, {
	name:  "each interview has its job",
	rule:  "another interview of the same user in the same study queues a job of its own",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c, j := s.queued(t, later())
		require.NoError(t, s.FinishJob(t.Context(), j, transcriptOf(j, "{}")))
		again := completionOf(c.Key)
		s.mustRecord(t, again)
		equalCompletion(t, again, s.claimOne(t, later()).Completion)
	},
}, {
	name:  "repeated record queues once",
	rule:  "only the first Record queues a job, also when 50 come at once and after the job is done",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		atOnce(50, func(int) {
			if _, err := s.Record(t.Context(), c); err != nil {
				t.Errorf("Record: %v", err)
			}
		})
		require.Len(t, s.pending(t), 1)
		j := s.claimOne(t, later())
		require.False(t, s.record(t, c))
		require.Empty(t, s.claim(t, later(), 10), "a repeated Record made a claimed job due")
		require.NoError(t, s.FinishJob(t.Context(), j, transcriptOf(j, "{}")))
		require.False(t, s.record(t, c))
		require.Empty(t, s.pending(t), "a repeated Record queued a finished job")
	},
}, {
	name:  "not due before it is queued",
	rule:  "a job is not claimed before it is due",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		s.mustRecord(t, newCompletion())
		require.Empty(t, s.claim(t, time.Now().Add(-time.Hour), 10))
		require.Len(t, s.claim(t, later(), 10), 1)
	},
}, {
	name:  "a job shows what is known now",
	rule:  "a job carries its completion as the store has it now, with a late quality and a late user",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		bare := c
		bare.UserID, bare.Quality = "", ""
		s.mustRecord(t, bare)
		require.False(t, s.record(t, c))
		equalCompletion(t, c, s.pending(t)[0].Completion)
		equalCompletion(t, c, s.claimOne(t, later()).Completion)
	},
}, {
	name:  "a claim hides the job",
	rule:  "a claimed job is hidden from everybody until now+lease, and stays in the list of pending ones",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		now := later()
		_, j := s.queued(t, now)
		require.NotEmpty(t, j.Claim)
		equalTime(t, now.Add(lease), j.DueAt, "DueAt of a claimed job")
		require.Empty(t, s.claim(t, now, 10))
		require.Empty(t, s.claim(t, now.Add(lease-time.Millisecond), 10))
		require.Len(t, s.pending(t), 1)
		require.Empty(t, s.dead(t))
	},
}, {
	name:  "an expired lease is claimed again",
	rule:  "when the lease has run out the job is claimed anew, with another claim and the same attempts",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		now := later()
		_, lost := s.queued(t, now)
		j := s.claimOne(t, now.Add(lease))
		require.Equal(t, lost.InterviewID, j.InterviewID)
		require.NotEqual(t, lost.Claim, j.Claim)
		require.Equal(t, lost.Attempts, j.Attempts)
	},
}, {
	name:  "a lost lease does nothing",
	rule:  "when the job was claimed anew, FinishJob, PostponeJob and KillJob of the older claim change nothing and return ErrLeaseLost",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		now := later()
		c, lost := s.queued(t, now)
		j := s.claimOne(t, now.Add(lease))
		s.leaseLost(t, lost)
		_, err := s.Transcript(t.Context(), c.InterviewID)
		require.ErrorIs(t, err, store.ErrNotFound, "a lost lease stored a transcript")
		require.Empty(t, s.claim(t, now.Add(2*lease-time.Millisecond), 10), "a lost lease gave the job back")
		require.Empty(t, s.dead(t), "a lost lease killed the job")
		require.NoError(t, s.FinishJob(t.Context(), j, transcriptOf(j, "{}")))
		s.leaseLost(t, j)
	},
}, {
	name:  "a late finish counts",
	rule:  "a lease that has run out while nobody else claimed the job still counts",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c, j := s.queued(t, time.Now().Add(10*time.Second)) // due; then look at it an hour later
		require.NoError(t, s.FinishJob(t.Context(), j, transcriptOf(j, "{}")))
		_, err := s.Transcript(t.Context(), c.InterviewID)
		require.NoError(t, err)
		require.Empty(t, s.claim(t, later(), 10))
	},
}, {
	name:  "only a claim is a claim",
	rule:  "FinishJob, PostponeJob and KillJob want a claimed job; one from a list, or unknown, is ErrLeaseLost",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		s.mustRecord(t, newCompletion())
		s.leaseLost(t, s.pending(t)[0])
		s.leaseLost(t, unknownJob())
		require.Empty(t, s.dead(t))
		j := s.claimOne(t, later())
		s.leaseLost(t, s.pending(t)[0])
		require.NoError(t, s.PostponeJob(t.Context(), j, later()))
		s.leaseLost(t, s.pending(t)[0])
		s.leaseLost(t, j)
	},
}, {
	name:  "oldest due first, up to the limit",
	rule:  "ClaimJobs takes up to limit jobs, oldest due first; Jobs lists in the same order",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		now := later()
		var want []string
		for range 8 {
			s.mustRecord(t, newCompletion())
		}
		jobs := s.claim(t, now, 10)
		rand.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
		for i, j := range jobs {
			want = append(want, j.InterviewID)
			require.NoError(t, s.PostponeJob(t.Context(), j, now.Add(time.Duration(i+1)*time.Second)))
		}
		require.Equal(t, want, interviews(s.pending(t)))
		at := now.Add(5 * time.Second) // five are due
		require.Empty(t, s.claim(t, at, 0))
		require.Empty(t, s.claim(t, at, -1))
		require.ElementsMatch(t, want[:3], interviews(s.claim(t, at, 3)))
		require.ElementsMatch(t, want[3:5], interviews(s.claim(t, at, 3)))
		require.Empty(t, s.claim(t, at, 3))
	},
}, {
	name:  "postpone honours the time",
	rule:  "a postponed job is due at next, not before, with the attempts and the reason that it was given",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		now := later()
		c, j := s.queued(t, now)
		queuedAt := j.QueuedAt
		j.Attempts, j.Reason = 3, "status 503"
		next := now.Add(10 * time.Second) // before the lease would have ended
		require.NoError(t, s.PostponeJob(t.Context(), j, next))
		require.Empty(t, s.claim(t, next.Add(-time.Millisecond), 10))
		listed := s.pending(t)
		require.Len(t, listed, 1)
		equalTime(t, next, listed[0].DueAt, "DueAt")
		again := s.claimOne(t, next)
		equalCompletion(t, c, again.Completion)
		for _, j := range []store.Job{listed[0], again} {
			require.Equal(t, 3, j.Attempts)
			require.Equal(t, "status 503", j.Reason)
			equalTime(t, queuedAt, j.QueuedAt, "QueuedAt")
		}
	},
}, {
	name:  "odd reasons",
	rule:  "any reason is taken; at least its first 256 bytes are kept, as far as they are printable",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		now := later()
		_, j := s.queued(t, now)
		for i, reason := range []string{"plain\x00NUL", "plain\xff", "plain\xe2\x82", "plain 'quoted' \\ $1 ? %s", "plain" + strings.Repeat("é", 10_000), "plain\r\n\x1b[0m", ""} {
			now = now.Add(time.Second)
			j.Attempts, j.Reason = i+1, reason
			require.NoError(t, s.PostponeJob(t.Context(), j, now), "PostponeJob with the reason %.20q", reason)
			j = s.claimOne(t, now)
			require.Equal(t, i+1, j.Attempts)
			require.Equal(t, reason != "", strings.HasPrefix(j.Reason, "plain"), "reason %.20q came back as %.20q", reason, j.Reason)
			if i == 4 {
				require.GreaterOrEqual(t, len(j.Reason), 256)
			}
		}
	},
}, {
	name:  "dead jobs are listed",
	rule:  "a killed job is out of the queue and listed as dead, with its attempts and its reason",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c, j := s.queued(t, later())
		j.Attempts, j.Reason = 9, "gone"
		require.NoError(t, s.KillJob(t.Context(), j))
		require.Empty(t, s.claim(t, later().Add(24*time.Hour), 10))
		require.Empty(t, s.pending(t))
		dead := s.dead(t)
		require.Len(t, dead, 1)
		equalCompletion(t, c, dead[0].Completion)
		require.Equal(t, 9, dead[0].Attempts)
		require.Equal(t, "gone", dead[0].Reason)
		s.leaseLost(t, j)
		require.False(t, s.record(t, c))
		require.Empty(t, s.pending(t), "a repeated Record revived a dead job")
		require.True(t, s.completed(t, c.Key))
	},
}, {
	name:  "dead jobs are requeued",
	rule:  "RequeueJob makes a dead job due at now with no attempts counted; ErrNotFound when there is no such dead job",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		now := later()
		c, j := s.queued(t, now)
		require.ErrorIs(t, s.RequeueJob(t.Context(), newID(), now), store.ErrNotFound, "unknown job")
		require.ErrorIs(t, s.RequeueJob(t.Context(), c.InterviewID, now), store.ErrNotFound, "pending job")
		j.Attempts, j.Reason = 9, "gone"
		require.NoError(t, s.KillJob(t.Context(), j))
		again := now.Add(time.Hour)
		require.NoError(t, s.RequeueJob(t.Context(), c.InterviewID, again))
		require.ErrorIs(t, s.RequeueJob(t.Context(), c.InterviewID, again), store.ErrNotFound, "requeued job")
		require.Empty(t, s.dead(t))
		require.Empty(t, s.claim(t, again.Add(-time.Millisecond), 10))
		s.leaseLost(t, j)
		revived := s.claimOne(t, again)
		equalCompletion(t, c, revived.Completion)
		equalTime(t, again, revived.QueuedAt, "QueuedAt")
		require.Zero(t, revived.Attempts)
		require.NoError(t, s.FinishJob(t.Context(), revived, transcriptOf(revived, "{}")))
	},
}, {
	name:  "workers never share a job",
	rule:  "two workers never hold one job within its lease, and every job is claimed",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		for range 60 {
			s.mustRecord(t, newCompletion())
		}
		claimedOnce(t, 60, s)
	},
}, {
	name:  "the list of jobs holds no lock",
	rule:  "the queue may be worked on while it is listed, and the list ended early",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		for range 5 {
			s.mustRecord(t, newCompletion())
		}
		now, seen := later(), 0
		for _, err := range s.Jobs(t.Context(), false) {
			require.NoError(t, err)
			s.mustRecord(t, newCompletion())
			j := s.claim(t, now, 1)
			require.Len(t, j, 1)
			require.NoError(t, s.PostponeJob(t.Context(), j[0], now.Add(time.Hour)))
			if seen++; seen == 3 {
				break
			}
		}
		require.Equal(t, 3, seen)
		require.Len(t, s.pending(t), 8)
	},
}}

// claimedOnce lets eight workers share n jobs and wants each job to be claimed
// by one of them.
func claimedOnce(t *testing.T, n int, replicas ...*subject) {
	t.Helper()
	now := later()
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
		// A few empty claims are no end: another worker may hold the rows for
		// the moment. The bound is for stores that never come to one.
		for misses, claims := 0, 0; misses < 3 && claims < n; claims++ {
			jobs, err := replicas[i%len(replicas)].ClaimJobs(t.Context(), now, lease, 3)
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
	note(replicas[0].claim(t, now, n)) // what every worker passed by
	require.Len(t, held, n, "jobs claimed")
	for _, times := range held {
		require.Equal(t, 1, times, "workers that hold one job")
	}
}

// leaseLost tries everything that wants a claim.
func (s *subject) leaseLost(t *testing.T, j store.Job) {
	t.Helper()
	require.ErrorIs(t, s.FinishJob(t.Context(), j, transcriptOf(j, "lost")), store.ErrLeaseLost, "FinishJob")
	require.ErrorIs(t, s.PostponeJob(t.Context(), j, time.Now().Add(-time.Hour)), store.ErrLeaseLost, "PostponeJob")
	require.ErrorIs(t, s.KillJob(t.Context(), j), store.ErrLeaseLost, "KillJob")
}

func interviews(jobs []store.Job) []string {
	ids := make([]string, len(jobs))
	for i, j := range jobs {
		ids[i] = j.InterviewID
	}
	return ids
}
