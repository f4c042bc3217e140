package storetest

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

var jobCases = []contractCase{{
	name:  "empty queue",
	rule:  "nothing is due in an empty queue",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		require.Empty(t, s.claim(t, lease, 10))
		require.Empty(t, s.pending(t))
		require.Empty(t, s.dead(t))
	},
}, {
	name:  "record queues a job",
	rule:  "the first Record queues a job; it carries its completion, no attempts and no reason, and is due at once",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		before := time.Now().Add(-time.Minute) // the store's clock may be another machine's
		c := newCompletion()
		c.Until = base.Add(time.Hour)
		s.mustRecord(t, c)
		for _, j := range [][]store.Job{s.pending(t), s.claim(t, lease, 10)} {
			require.Len(t, j, 1)
			equalCompletion(t, c, j[0].Completion)
			require.Zero(t, j[0].Attempts)
			require.Empty(t, j[0].Reason)
			require.False(t, j[0].Fetched)
			require.WithinRange(t, j[0].QueuedAt, before, before.Add(2*time.Minute))
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
		equalCompletion(t, c, s.claimOne(t, lease).Completion)
	},
}, {
	name:  "each interview has its job",
	rule:  "another interview of the same user in the same study queues a job of its own",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c, j := s.queued(t)
		s.finish(t, j, "{}")
		again := completionOf(c.Key)
		s.mustRecord(t, again)
		equalCompletion(t, again, s.claimOne(t, lease).Completion)
	},
}, {
	name:  "repeated record queues once",
	rule:  "only the first Record queues a job, whether calls are concurrent or come after the job is finished",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		atOnce(50, func(int) {
			if _, err := s.Record(t.Context(), c); err != nil {
				t.Errorf("Record: %v", err)
			}
		})
		require.Len(t, s.pending(t), 1)
		j := s.claimOne(t, lease)
		require.False(t, s.record(t, c))
		require.Empty(t, s.claim(t, lease, 10), "a repeated Record made a claimed job due")
		s.finish(t, j, "{}")
		require.False(t, s.record(t, c))
		require.Empty(t, s.pending(t), "a repeated Record queued a finished job")
	},
}, {
	name:  "not due before its time",
	rule:  "a job is not claimed before it is due",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		_, j := s.queued(t)
		require.NoError(t, s.PostponeJob(t.Context(), j, time.Hour))
		require.Empty(t, s.claim(t, lease, 10))
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
		equalCompletion(t, c, s.claimOne(t, lease).Completion)
	},
}, {
	name:  "a claim hides the job",
	rule:  "a claimed job is hidden from everybody until its lease is over, and stays in the list of pending ones",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		_, j := s.queued(t)
		require.NotEmpty(t, j.Claim)
		require.WithinRange(t, j.DueAt, j.QueuedAt.Add(lease/2), j.QueuedAt.Add(2*lease), "DueAt of a claimed job")
		require.Empty(t, s.claim(t, lease, 10))
		require.Len(t, s.pending(t), 1)
		require.Empty(t, s.pending(t)[0].Claim, "the claim belongs to its holder")
		require.Empty(t, s.dead(t))
	},
}, {
	name:  "an expired lease is claimed again",
	rule:  "when the lease is over the job can be claimed again, with another claim and the same attempts",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		s.mustRecord(t, newCompletion())
		lost := s.claimOne(t, 0)
		j := s.claimOne(t, lease)
		require.Equal(t, lost.InterviewID, j.InterviewID)
		require.NotEqual(t, lost.Claim, j.Claim)
		require.Equal(t, lost.Attempts, j.Attempts)
	},
}, {
	name:  "a lease is extended",
	rule:  "ExtendJob makes the lease end after the given time from now, even if it was over, unless somebody else has claimed the job",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		s.mustRecord(t, newCompletion())
		j := s.claimOne(t, 0)
		require.NoError(t, s.ExtendJob(t.Context(), j, lease))
		require.Empty(t, s.claim(t, lease, 10))
		require.NoError(t, s.ExtendJob(t.Context(), j, 0))
		again := s.claimOne(t, lease)
		require.ErrorIs(t, s.ExtendJob(t.Context(), j, 0), store.ErrLeaseLost)
		require.Empty(t, s.claim(t, lease, 10), "a lost claim ended the lease")
		s.finish(t, again, "{}")
	},
}, {
	name:  "a lost lease does nothing",
	rule:  "once the job is claimed again, every method that takes the older claim changes nothing and returns ErrLeaseLost",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		s.mustRecord(t, c)
		lost := s.claimOne(t, 0)
		j := s.claimOne(t, lease)
		s.leaseLost(t, lost)
		_, err := s.Transcript(t.Context(), c.InterviewID)
		require.ErrorIs(t, err, store.ErrNotFound, "a lost lease stored a transcript")
		require.Empty(t, s.claim(t, lease, 10), "a lost lease gave the job back")
		require.Empty(t, s.dead(t), "a lost lease killed the job")
		s.finish(t, j, "{}")
		s.leaseLost(t, j)
	},
}, {
	name:  "a late finish counts",
	rule:  "a lease that is over while nobody else claimed the job still counts",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		s.mustRecord(t, c)
		j := s.claimOne(t, 0)
		s.finish(t, j, "{}")
		_, err := s.Transcript(t.Context(), c.InterviewID)
		require.NoError(t, err)
		require.Empty(t, s.claim(t, lease, 10))
	},
}, {
	name:  "only a claim is a claim",
	rule:  "a job that was listed instead of claimed, or that is unknown, returns ErrLeaseLost",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		s.mustRecord(t, newCompletion())
		s.leaseLost(t, s.pending(t)[0])
		s.leaseLost(t, unknownJob())
		require.Empty(t, s.dead(t))
		j := s.claimOne(t, lease)
		s.leaseLost(t, s.pending(t)[0])
		require.NoError(t, s.PostponeJob(t.Context(), j, lease))
		s.leaseLost(t, s.pending(t)[0])
		s.leaseLost(t, j)
	},
}, {
	name:  "oldest due first, up to the limit",
	rule:  "ClaimJobs takes up to limit jobs, ordered by due time and then by interview id; PendingJobs lists in the same order",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		var want []string
		for range 8 {
			s.mustRecord(t, newCompletion())
		}
		jobs := s.claim(t, lease, 10)
		rand.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
		for i, j := range jobs {
			want = append(want, j.InterviewID)
			wait := time.Duration(i-4) * time.Hour // five are due
			require.NoError(t, s.PostponeJob(t.Context(), j, wait))
		}
		require.Equal(t, want, interviews(s.pending(t)))
		require.Empty(t, s.claim(t, lease, 0))
		require.Empty(t, s.claim(t, lease, -1))
		require.Equal(t, want[:3], interviews(s.claim(t, lease, 3)))
		require.Equal(t, want[3:5], interviews(s.claim(t, lease, 3)))
		require.Empty(t, s.claim(t, lease, 3))
	},
}, {
	name:  "jobs that are due at the same time",
	rule:  "ClaimJobs takes jobs that are due at the same time in the order of their interview ids, as PendingJobs lists them",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		for range 12 {
			s.mustRecord(t, newCompletion())
		}
		s.claim(t, 0, 12) // over at once, and most stores end all at one time
		for _, want := range interviews(s.pending(t)) {
			require.Equal(t, []string{want}, interviews(s.claim(t, lease, 1)))
		}
	},
}, {
	name:  "postpone honours the time",
	rule:  "a postponed job is due after the wait, not before, with the attempts and the reason that it was given",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c, j := s.queued(t)
		queuedAt := j.QueuedAt
		j.Attempts, j.Reason = 3, "status 503"
		require.NoError(t, s.PostponeJob(t.Context(), j, time.Hour))
		require.Empty(t, s.claim(t, lease, 10))
		listed := s.pending(t)
		require.Len(t, listed, 1)
		require.WithinRange(t, listed[0].DueAt, queuedAt.Add(59*time.Minute), queuedAt.Add(61*time.Minute), "DueAt")
		equalCompletion(t, c, listed[0].Completion)
		require.Equal(t, 3, listed[0].Attempts)
		require.Equal(t, "status 503", listed[0].Reason)
		equalTime(t, queuedAt, listed[0].QueuedAt, "QueuedAt")
	},
}, {
	name:  "postpone frees the job",
	rule:  "a postponed job can be claimed by anybody once it is due, even before the lease would have ended",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c, j := s.queued(t)
		j.Attempts, j.Reason = 3, "status 503"
		require.NoError(t, s.PostponeJob(t.Context(), j, 0))
		again := s.claimOne(t, lease)
		equalCompletion(t, c, again.Completion)
		require.Equal(t, 3, again.Attempts)
		require.Equal(t, "status 503", again.Reason)
	},
}, {
	name:  "odd reasons",
	rule:  "any reason is taken; at least its first 256 bytes are kept, as far as they are printable",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		_, j := s.queued(t)
		for i, reason := range []string{"plain\x00NUL", "plain\xff", "plain\xe2\x82", "plain 'quoted' \\ $1 ? %s", "plain" + strings.Repeat("é", 10_000), "plain\r\n\x1b[0m", ""} {
			j.Attempts, j.Reason = i+1, reason
			require.NoError(t, s.PostponeJob(t.Context(), j, 0), "PostponeJob with the reason %.20q", reason)
			j = s.claimOne(t, lease)
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
		c, j := s.queued(t)
		j.Attempts, j.Reason = 9, "gone"
		require.NoError(t, s.KillJob(t.Context(), j))
		require.Empty(t, s.claim(t, lease, 10))
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
	rule:  "RequeueJob makes a dead job due at once with no attempts counted; it returns ErrNotFound if there is no such dead job",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c, j := s.queued(t)
		require.ErrorIs(t, s.RequeueJob(t.Context(), newID()), store.ErrNotFound, "unknown job")
		require.ErrorIs(t, s.RequeueJob(t.Context(), c.InterviewID), store.ErrNotFound, "pending job")
		j.Attempts, j.Reason = 9, "gone"
		require.NoError(t, s.KillJob(t.Context(), j))
		require.NoError(t, s.RequeueJob(t.Context(), c.InterviewID))
		require.ErrorIs(t, s.RequeueJob(t.Context(), c.InterviewID), store.ErrNotFound, "requeued job")
		require.Empty(t, s.dead(t))
		s.leaseLost(t, j)
		revived := s.claimOne(t, lease)
		equalCompletion(t, c, revived.Completion)
		require.False(t, revived.QueuedAt.Before(j.QueuedAt), "QueuedAt")
		require.Zero(t, revived.Attempts)
		s.finish(t, revived, "{}")
	},
}, {
	name:  "all dead jobs are requeued",
	rule:  "RequeueJobs makes every dead job due at once and returns how many there were; pending ones stay as they are",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		var dead []string
		for range 5 {
			s.mustRecord(t, newCompletion())
		}
		for i, j := range s.claim(t, lease, 10) {
			j.Attempts = 7
			if i == 0 {
				require.NoError(t, s.PostponeJob(t.Context(), j, time.Hour))
				continue
			}
			require.NoError(t, s.KillJob(t.Context(), j))
			dead = append(dead, j.InterviewID)
		}
		n, err := s.RequeueJobs(t.Context())
		require.NoError(t, err)
		require.Equal(t, 4, n)
		require.Empty(t, s.dead(t))
		revived := s.claim(t, lease, 10)
		require.ElementsMatch(t, dead, interviews(revived))
		for _, j := range revived {
			require.Zero(t, j.Attempts)
		}
		n, err = s.RequeueJobs(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
	},
}, {
	name:  "a fetched job says so",
	rule:  "SaveTranscript keeps the job, whose Fetched is true from then on, through postponing, killing and requeueing",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c, j := s.queued(t)
		require.NoError(t, s.SaveTranscript(t.Context(), j, transcriptOf(j, "{}")))
		got, err := s.Transcript(t.Context(), c.InterviewID)
		require.NoError(t, err)
		require.Equal(t, "{}", string(got.Body))
		require.True(t, s.pending(t)[0].Fetched)
		require.NoError(t, s.PostponeJob(t.Context(), j, 0))
		j = s.claimOne(t, lease)
		require.True(t, j.Fetched)
		require.NoError(t, s.SaveTranscript(t.Context(), j, transcriptOf(j, `{"better":1}`)), "a later transcript replaces the first")
		require.NoError(t, s.KillJob(t.Context(), j))
		require.True(t, s.dead(t)[0].Fetched)
		require.NoError(t, s.RequeueJob(t.Context(), c.InterviewID))
		j = s.claimOne(t, lease)
		require.True(t, j.Fetched)
		require.NoError(t, s.FinishJob(t.Context(), j))
		got, err = s.Transcript(t.Context(), c.InterviewID)
		require.NoError(t, err)
		require.Equal(t, `{"better":1}`, string(got.Body))
	},
}, {
	name:  "a job may end without a transcript",
	rule:  "FinishJob deletes the job, whether or not a transcript was stored",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		c, j := s.queued(t)
		require.NoError(t, s.FinishJob(t.Context(), j))
		require.Empty(t, s.pending(t))
		_, err := s.Transcript(t.Context(), c.InterviewID)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.False(t, s.record(t, c))
		require.Empty(t, s.pending(t), "a repeated Record queued a finished job")
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
	rule:  "jobs may be claimed and finished while the queue is listed, and a consumer may stop at any time",
	needs: transcripts,
	run: func(t *testing.T, s *subject) {
		for range 5 {
			s.mustRecord(t, newCompletion())
		}
		seen := 0
		for _, err := range s.PendingJobs(t.Context()) {
			require.NoError(t, err)
			s.mustRecord(t, newCompletion())
			j := s.claim(t, lease, 1)
			require.Len(t, j, 1)
			require.NoError(t, s.PostponeJob(t.Context(), j[0], time.Hour))
			if seen++; seen == 3 {
				break
			}
		}
		require.Equal(t, 3, seen)
		require.Len(t, s.pending(t), 8)
	},
}}
