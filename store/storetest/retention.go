package storetest

import (
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// expire deletes up to limit items that are older than before.
func (s *subject) expire(t *testing.T, what store.Expirable, before time.Time, limit int) int {
	t.Helper()
	n, err := s.DeleteExpired(t.Context(), what, before, limit)
	require.NoError(t, err, "DeleteExpired")
	return n
}

// fetched records an interview whose transcript was fetched at a time.
func (s *subject) fetched(t *testing.T, at time.Time) store.Completion {
	t.Helper()
	c, j := s.queued(t)
	require.NoError(t, s.SaveTranscript(t.Context(), j, store.Transcript{InterviewID: c.InterviewID, FetchedAt: at, Body: []byte("{}")}))
	require.NoError(t, s.FinishJob(t.Context(), j))
	return c
}

func (s *subject) hasTranscript(t *testing.T, interviewID string) bool {
	t.Helper()
	_, err := s.Transcript(t.Context(), interviewID)
	if err != nil {
		require.ErrorIs(t, err, store.ErrNotFound)
	}
	return err == nil
}

var retentionCases = []contractCase{{
	name:  "old transcripts are deleted",
	rule:  "DeleteExpired deletes the transcripts that were fetched before a time, and no others; the completions stay",
	needs: retention | transcripts,
	run: func(t *testing.T, s *subject) {
		old, edge, young := s.fetched(t, base.Add(-time.Millisecond)), s.fetched(t, base), s.fetched(t, base.Add(time.Hour))
		require.Equal(t, 1, s.expire(t, store.ExpirableTranscripts, base, 10))
		require.Zero(t, s.expire(t, store.ExpirableTranscripts, base, 10))
		require.False(t, s.hasTranscript(t, old.InterviewID))
		require.True(t, s.hasTranscript(t, edge.InterviewID), "fetched at the very time")
		require.True(t, s.hasTranscript(t, young.InterviewID))
		require.True(t, s.completed(t, old.Key))
		s.kept(t, old)
	},
}, {
	name:  "old dead jobs are deleted",
	rule:  "DeleteExpired deletes dead jobs that were queued before a time; pending ones stay, whatever their age",
	needs: retention | transcripts,
	run: func(t *testing.T, s *subject) {
		_, j := s.queued(t)
		require.NoError(t, s.KillJob(t.Context(), j))
		pending, _ := s.queued(t)
		require.Zero(t, s.expire(t, store.ExpirableDeadJobs, time.Now().Add(-time.Hour), 10))
		require.Len(t, s.dead(t), 1)
		require.Equal(t, 1, s.expire(t, store.ExpirableDeadJobs, time.Now().Add(time.Hour), 10))
		require.Empty(t, s.dead(t))
		require.Equal(t, []string{pending.InterviewID}, interviews(s.pending(t)))
		require.ErrorIs(t, s.RequeueJob(t.Context(), j.InterviewID), store.ErrNotFound)
	},
}, {
	name:  "old dead letters are deleted",
	rule:  "DeleteExpired deletes the dead letters that were received before a time",
	needs: retention | deadLetters,
	run: func(t *testing.T, s *subject) {
		s.addLetter(t, 0, "old", "not JSON")
		s.addLetter(t, time.Hour, "young", "not JSON")
		require.Equal(t, 1, s.expire(t, store.ExpirableDeadLetters, base.Add(time.Hour), 10))
		letters := s.letters(t)
		require.Len(t, letters, 1)
		require.Equal(t, "young", string(letters[0].Body))
	},
}, {
	name:  "deleted in batches",
	rule:  "DeleteExpired deletes at most limit items and returns how many, so that it can be called again until it returns less",
	needs: retention | transcripts,
	run: func(t *testing.T, s *subject) {
		for range 5 {
			s.fetched(t, base)
		}
		for _, want := range []int{2, 2, 1, 0} {
			require.Equal(t, want, s.expire(t, store.ExpirableTranscripts, base.Add(time.Hour), 2))
		}
	},
}, {
	name:  "an unknown kind",
	rule:  "DeleteExpired returns an error that matches ErrInvalid for a kind that it does not know, whatever the limit",
	needs: retention,
	run: func(t *testing.T, s *subject) {
		for _, limit := range []int{0, 10} {
			n, err := s.DeleteExpired(t.Context(), store.ExpirableDeadLetters+1, base, limit)
			require.ErrorIs(t, err, store.ErrInvalid)
			require.Zero(t, n)
		}
	},
}, {
	name:  "two that delete at once",
	rule:  "DeleteExpired is safe to run on several replicas at once: together they report each item once",
	needs: retention | deadLetters,
	run: func(t *testing.T, s *subject) {
		const n = 40
		for range n {
			s.addLetter(t, 0, newID(), "not JSON")
		}
		counts := make([]int, 4)
		atOnce(len(counts), func(i int) {
			for {
				deleted, err := s.DeleteExpired(t.Context(), store.ExpirableDeadLetters, base.Add(time.Hour), 3)
				if err != nil {
					t.Errorf("DeleteExpired: %v", err)
				}
				if counts[i] += deleted; deleted == 0 {
					return
				}
			}
		})
		sum := 0
		for _, c := range counts {
			sum += c
		}
		require.Equal(t, n, sum)
		require.Empty(t, s.letters(t))
	},
}, {
	name:  "a transcript that is still being handled",
	rule:  "a transcript is not deleted by age while its job is still there",
	needs: retention | transcripts,
	run: func(t *testing.T, s *subject) {
		c, j := s.queued(t)
		require.NoError(t, s.SaveTranscript(t.Context(), j, transcriptOf(j, "{}")))
		require.Zero(t, s.expire(t, store.ExpirableTranscripts, time.Now().Add(time.Hour), 10))
		require.True(t, s.hasTranscript(t, c.InterviewID))
		require.NoError(t, s.FinishJob(t.Context(), j))
		require.Equal(t, 1, s.expire(t, store.ExpirableTranscripts, time.Now().Add(time.Hour), 10))
	},
}, {
	name:  "one transcript is deleted",
	rule:  "DeleteTranscript deletes the transcript of one interview and its job, even if the job is claimed; it returns ErrNotFound if there is neither; the completion stays",
	needs: retention | transcripts,
	run: func(t *testing.T, s *subject) {
		stored, other := s.fetched(t, base), s.fetched(t, base)
		claimed, j := s.queued(t)
		for _, c := range []store.Completion{stored, claimed} {
			require.NoError(t, s.DeleteTranscript(t.Context(), c.InterviewID))
			require.False(t, s.hasTranscript(t, c.InterviewID))
			require.ErrorIs(t, s.DeleteTranscript(t.Context(), c.InterviewID), store.ErrNotFound, "the second time")
			require.True(t, s.completed(t, c.Key))
			s.kept(t, c)
		}
		s.leaseLost(t, j)
		require.True(t, s.hasTranscript(t, other.InterviewID))
		require.ErrorIs(t, s.DeleteTranscript(t.Context(), newID()), store.ErrNotFound)
		for what, id := range badIDs {
			refused(t, s.DeleteTranscript(t.Context(), id), what)
		}
	},
}, {
	name:  "what was deleted does not come back",
	rule:  "a repeated Record does not queue a job again whose transcript was fetched, or was deleted, or whose job was",
	needs: retention | transcripts,
	run: func(t *testing.T, s *subject) {
		expired, deleted, unwanted := s.fetched(t, base), s.fetched(t, base.AddDate(1, 0, 0)), newCompletion()
		dead, j := s.queued(t)
		require.NoError(t, s.KillJob(t.Context(), j))
		s.mustRecord(t, unwanted)
		require.Equal(t, 1, s.expire(t, store.ExpirableTranscripts, base.Add(time.Hour), 10))
		require.Equal(t, 1, s.expire(t, store.ExpirableDeadJobs, time.Now().Add(time.Hour), 10))
		for _, c := range []store.Completion{deleted, unwanted} {
			require.NoError(t, s.DeleteTranscript(t.Context(), c.InterviewID))
		}
		for _, c := range []store.Completion{expired, deleted, unwanted, dead} {
			require.False(t, s.record(t, c), "first")
		}
		require.Empty(t, s.pending(t))
		require.Empty(t, s.dead(t))
	},
}}
