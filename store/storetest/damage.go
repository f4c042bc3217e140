package storetest

import (
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// A Backend damages a store's backend or data without going through the store. The cases
// of a nil field are skipped.
type Backend struct {
	// Fail makes every call to the backend fail until it is called with false.
	Fail func(t *testing.T, fail bool)

	// LoseCompletion deletes the record that a user has completed a study. It may
	// delete everything that is stored under users' hashes.
	LoseCompletion func(t *testing.T, k store.Key)

	// LoseJob deletes the job of an interview, and nothing else.
	LoseJob func(t *testing.T, interviewID string)

	// Refuse makes the backend refuse an interview every time, as one that it cannot
	// represent.
	Refuse func(t *testing.T, interviewID string)

	// LoseInterview deletes an interview and leaves its job and its transcript.
	LoseInterview func(t *testing.T, interviewID string)
}

// RunDamaged tests a store whose backend fails or has lost part of its data. Each call of
// open returns an empty store and the Backend behind it.
func RunDamaged(t *testing.T, open func(t *testing.T) (store.Store, Backend)) {
	t.Helper()
	first, _ := open(t)
	has := capabilities(t, first)
	for _, c := range damageCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			explain(t, c.rule)
			if lacks := c.needs &^ has; lacks != 0 {
				t.Skipf("the store is not a %s", lacks)
			}
			s, b := open(t)
			if !c.reaches(b) {
				t.Skipf("the Backend leaves nil what %q takes", c.name)
			}
			c.run(t, newSubject(s, has), b)
		})
	}
}

var damageCases = []struct {
	name, rule string
	needs      capability
	reaches    func(b Backend) bool
	run        func(t *testing.T, s *subject, b Backend)
}{{
	name:    "a backend that fails",
	rule:    "while the backend fails, every method returns an error that matches none of the errors of package store; afterwards the store works again and has lost nothing",
	reaches: func(b Backend) bool { return b.Fail != nil },
	run: func(t *testing.T, s *subject, b Backend) {
		known, unseen := newCompletion(), newCompletion()
		s.mustRecord(t, known)
		b.Fail(t, true)
		for what, err := range s.everyCall(t.Context()) {
			require.Error(t, err, what)
			for _, no := range []error{store.ErrInvalid, store.ErrNotFound, store.ErrLeaseLost, store.ErrPermanent} {
				require.NotErrorIs(t, err, no, what)
			}
		}
		first, err := s.Record(t.Context(), unseen)
		require.Error(t, err)
		require.False(t, first)
		done, err := s.Completed(t.Context(), known.Key)
		require.Error(t, err)
		require.False(t, done)
		b.Fail(t, false)
		require.True(t, s.completed(t, known.Key))
		require.True(t, s.record(t, unseen), "first, after a Record that failed")
		require.True(t, s.completed(t, unseen.Key))
	},
}, {
	name:    "an interview that is refused for good",
	rule:    "for an interview that the backend cannot represent, Record returns an error that matches ErrPermanent, every time, and stores nothing; others are recorded",
	reaches: func(b Backend) bool { return b.Refuse != nil },
	run: func(t *testing.T, s *subject, b Backend) {
		refused, next := newCompletion(), newCompletion()
		b.Refuse(t, refused.InterviewID)
		for range 2 {
			first, err := s.Record(t.Context(), refused)
			require.ErrorIs(t, err, store.ErrPermanent)
			require.False(t, first)
			require.False(t, s.completed(t, refused.Key), "half of it was stored")
		}
		s.mustRecord(t, next)
		require.True(t, s.completed(t, next.Key))
		if s.has&lister != 0 {
			require.Len(t, s.list(t, store.Filter{}), 1)
		}
	},
}, {
	name:    "a completion that was lost",
	rule:    "a repeated Record restores the user's completion, unless it was reset",
	needs:   resetter,
	reaches: func(b Backend) bool { return b.LoseCompletion != nil },
	run: func(t *testing.T, s *subject, b Backend) {
		lost, reset, ignored := newCompletion(), newCompletion(), newCompletion()
		ignored.Ignored = true
		s.mustRecord(t, lost, reset, ignored)
		require.NoError(t, s.Reset(t.Context(), reset.Key))
		for _, tc := range []struct {
			c    store.Completion
			want bool
		}{{lost, true}, {reset, false}, {ignored, false}} {
			b.LoseCompletion(t, tc.c.Key)
			require.False(t, s.record(t, tc.c), "first")
			require.Equal(t, tc.want, s.completed(t, tc.c.Key))
		}
	},
}, {
	name:    "a job that was lost",
	rule:    "a repeated Record restores the job, unless it was finished or belongs to an erased user",
	needs:   transcripts | eraser,
	reaches: func(b Backend) bool { return b.LoseJob != nil },
	run: func(t *testing.T, s *subject, b Backend) {
		finished, j := s.queued(t)
		s.finish(t, j, "{}")
		lost, erased := newCompletion(), newCompletion()
		s.mustRecord(t, lost, erased)
		require.NoError(t, s.Erase(t.Context(), erased.UserID))
		for _, c := range []store.Completion{finished, lost, erased} {
			b.LoseJob(t, c.InterviewID)
			require.False(t, s.record(t, c), "first")
		}
		require.Equal(t, []string{lost.InterviewID}, interviews(s.pending(t)))
	},
}, {
	name:    "a job without its interview",
	rule:    "a job whose interview is missing is not claimed, and all others are",
	needs:   transcripts | eraser,
	reaches: func(b Backend) bool { return b.LoseInterview != nil },
	run: func(t *testing.T, s *subject, b Backend) {
		orphan, next := newCompletion(), newCompletion()
		s.mustRecord(t, orphan)
		s.mustRecord(t, next)
		b.LoseInterview(t, orphan.InterviewID)
		require.Equal(t, []string{next.InterviewID}, interviews(s.pending(t)), "pending")
		require.Empty(t, s.dead(t))
		for range 3 { // a store may drop orphans when it meets them
			jobs := s.claim(t, lease, 1)
			if len(jobs) > 0 {
				require.Equal(t, next.InterviewID, jobs[0].InterviewID)
				s.finish(t, jobs[0], "{}")
				break
			}
		}
		require.True(t, s.hasTranscript(t, next.InterviewID))
		_, err := s.RequeueJobs(t.Context())
		require.NoError(t, err)
		require.NoError(t, s.Erase(t.Context(), orphan.UserID))
		require.NoError(t, s.Erase(t.Context(), next.UserID))
		require.Empty(t, s.claim(t, lease, 10))
	},
}}
