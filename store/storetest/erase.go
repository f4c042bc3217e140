package storetest

import (
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

var resetCases = []contractCase{{
	name:  "reset asks again",
	rule:  "Reset makes Completed false for its key and for no other",
	needs: resetter,
	run: func(t *testing.T, s *subject) {
		c, twice := newCompletion(), newCompletion()
		neighbours := []store.Completion{
			completionOf(store.Key{StudyID: c.StudyID, UserID: newID()}),
			completionOf(store.Key{StudyID: newID(), UserID: c.UserID}),
		}
		s.mustRecord(t, c, twice, completionOf(twice.Key))
		s.mustRecord(t, neighbours...)
		require.NoError(t, s.Reset(t.Context(), c.Key))
		require.NoError(t, s.Reset(t.Context(), twice.Key))
		require.False(t, s.completed(t, c.Key))
		require.False(t, s.completed(t, twice.Key), "Completed after a Reset that had two interviews to undo")
		for _, n := range neighbours {
			require.True(t, s.completed(t, n.Key), "Reset changed another key")
		}
	},
}, {
	name:  "a replay does not undo a reset",
	rule:  "the interviews stay recorded, so that a repeated delivery does not undo the reset",
	needs: resetter,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		c.Quality = ""
		s.mustRecord(t, c)
		require.NoError(t, s.Reset(t.Context(), c.Key))
		s.kept(t, c)
		require.False(t, s.record(t, c), "first, on a replay")
		require.False(t, s.completed(t, c.Key))
		c.Quality = "successful"
		require.False(t, s.record(t, c), "first, on a replay with a quality")
		require.False(t, s.completed(t, c.Key))
		s.kept(t, c)
	},
}, {
	name:  "a new interview after a reset",
	rule:  "another interview completes the study again",
	needs: resetter,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		s.mustRecord(t, c)
		require.NoError(t, s.Reset(t.Context(), c.Key))
		s.mustRecord(t, completionOf(c.Key))
		require.True(t, s.completed(t, c.Key))
		require.NoError(t, s.Reset(t.Context(), c.Key))
		require.False(t, s.completed(t, c.Key))
	},
}, {
	name:  "reset of an unknown key",
	rule:  "resetting an unknown key is not an error and has no effect on later interviews",
	needs: resetter,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		require.NoError(t, s.Reset(t.Context(), c.Key))
		require.NoError(t, s.Reset(t.Context(), c.Key))
		s.mustRecord(t, c)
		require.True(t, s.completed(t, c.Key))
	},
}, {
	name:  "reset leaves the job",
	rule:  "Reset leaves the transcript and its job alone",
	needs: resetter | transcripts,
	run: func(t *testing.T, s *subject) {
		c, j := s.queued(t)
		require.NoError(t, s.Reset(t.Context(), c.Key))
		s.finish(t, j, "{}")
		require.NoError(t, s.Reset(t.Context(), c.Key))
		_, err := s.Transcript(t.Context(), c.InterviewID)
		require.NoError(t, err)
	},
}}

var eraseCases = []contractCase{{
	name:  "erase keeps suppressing",
	rule:  "after Erase, Completed stays true for the person and nothing changes for anybody else",
	needs: eraser,
	run: func(t *testing.T, s *subject) {
		user := "User-" + newID()
		here, there := completionOf(store.Key{StudyID: newID(), UserID: user}), completionOf(store.Key{StudyID: newID(), UserID: user})
		others := []store.Completion{}
		for _, other := range []string{"user" + user[4:], user + " ", user + "x", user[:len(user)-1]} {
			others = append(others, completionOf(store.Key{StudyID: here.StudyID, UserID: other}))
		}
		s.mustRecord(t, here, there)
		s.mustRecord(t, others...)
		for range 2 {
			require.NoError(t, s.Erase(t.Context(), user))
			require.True(t, s.completed(t, here.Key))
			require.True(t, s.completed(t, there.Key))
			require.False(t, s.completed(t, store.Key{StudyID: newID(), UserID: user}), "Completed of a study that the erased user has not done")
			for _, c := range others {
				require.True(t, s.completed(t, c.Key))
				s.kept(t, c)
			}
		}
	},
}, {
	name:  "erase takes the id out",
	rule:  "Erase removes the user's id from every completion; the interviews stay, without a user",
	needs: eraser | lister,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		elsewhere := completionOf(store.Key{StudyID: newID(), UserID: c.UserID})
		s.mustRecord(t, c, elsewhere)
		require.NoError(t, s.Erase(t.Context(), c.UserID))
		require.Empty(t, s.list(t, store.Filter{UserID: c.UserID}))
		require.Len(t, s.list(t, store.Filter{}), 2)
		c.UserID, elsewhere.UserID = "", ""
		s.kept(t, c)
		s.kept(t, elsewhere)
	},
}, {
	name:  "erase of an unknown user",
	rule:  "erasing an unknown user is not an error; a later Record of this user stores nothing personal",
	needs: eraser,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		require.NoError(t, s.Erase(t.Context(), c.UserID))
		require.False(t, s.completed(t, c.Key))
		require.True(t, s.record(t, c), "first")
		s.nothingPersonal(t, c)
	},
}, {
	name:  "a late webhook for the erased",
	rule:  "a later Record of an erased user keeps the interview without a user and without a job, and the study is completed",
	needs: eraser,
	run: func(t *testing.T, s *subject) {
		old := newCompletion()
		s.mustRecord(t, old)
		require.NoError(t, s.Erase(t.Context(), old.UserID))
		late := completionOf(store.Key{StudyID: newID(), UserID: old.UserID})
		require.True(t, s.record(t, late), "first")
		require.False(t, s.record(t, late), "first, on a repeated Record")
		s.nothingPersonal(t, late)
	},
}, {
	name:  "a replay for the erased",
	rule:  "a repeated Record does not attribute an erased user's interview to the user again",
	needs: eraser,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		c.Quality = ""
		s.mustRecord(t, c)
		require.NoError(t, s.Erase(t.Context(), c.UserID))
		require.False(t, s.record(t, c), "first, on a replay")
		c.Quality = "successful"
		require.False(t, s.record(t, c), "first, on a replay with a quality")
		s.nothingPersonal(t, c)
	},
}, {
	name:  "a late reference to the erased",
	rule:  "a later Record that names the erased user of an interview that had no user deletes its transcript and its job, and the study is completed",
	needs: eraser | transcripts,
	run: func(t *testing.T, s *subject) {
		fetched, j := s.queuedAnonymous(t)
		s.finish(t, j, "{}")
		pending, j := s.queuedAnonymous(t)
		other := completionOf(store.Key{StudyID: pending.StudyID, UserID: pending.UserID})
		other.InterviewID = pending.InterviewID
		for _, c := range []store.Completion{fetched, pending} {
			require.NoError(t, s.Erase(t.Context(), c.UserID))
			require.False(t, s.record(t, c), "first")
			s.nothingPersonal(t, c)
		}
		s.leaseLost(t, j)
		s.nothingPersonal(t, other)
	},
}, {
	name:  "the mark of the erased ends too",
	rule:  "Until ends the completion of an erased user as it ends any other",
	needs: eraser,
	run: func(t *testing.T, s *subject) {
		ended, lasting, both := newCompletion(), newCompletion(), newCompletion()
		ended.Until, lasting.Until, both.Until = base.Add(time.Hour), time.Now().Add(time.Hour), base.Add(time.Hour)
		s.mustRecord(t, ended, lasting, both, completionOf(both.Key))
		for _, c := range []store.Completion{ended, lasting, both} {
			require.NoError(t, s.Erase(t.Context(), c.UserID))
		}
		require.False(t, s.completed(t, ended.Key))
		require.True(t, s.completed(t, lasting.Key))
		require.True(t, s.completed(t, both.Key))
		late := completionOf(store.Key{StudyID: newID(), UserID: ended.UserID})
		late.Until = base.Add(time.Hour)
		require.True(t, s.record(t, late), "first")
		require.False(t, s.completed(t, late.Key))
	},
}, {
	name:  "reset of the erased",
	rule:  "Reset makes Completed false for an erased user too, and a repeated Record does not undo it; Erase does not undo an earlier Reset",
	needs: eraser | resetter,
	run: func(t *testing.T, s *subject) {
		c, before := newCompletion(), newCompletion()
		s.mustRecord(t, c, before)
		require.NoError(t, s.Reset(t.Context(), before.Key))
		require.NoError(t, s.Erase(t.Context(), before.UserID))
		require.False(t, s.completed(t, before.Key), "Erase revived what was reset")
		require.NoError(t, s.Erase(t.Context(), c.UserID))
		require.NoError(t, s.Reset(t.Context(), c.Key))
		require.False(t, s.completed(t, c.Key))
		require.False(t, s.record(t, c), "first, on a replay")
		require.False(t, s.completed(t, c.Key), "a replay undid the Reset of an erased user")
		s.mustRecord(t, completionOf(c.Key))
		require.True(t, s.completed(t, c.Key), "Completed after another interview")
	},
}, {
	name:  "reset of the erased, who came late",
	rule:  "the same holds for an interview that was recorded, or got its user, after Erase",
	needs: eraser | resetter,
	run: func(t *testing.T, s *subject) {
		late, named := newCompletion(), newCompletion()
		anonymous := named
		anonymous.UserID = ""
		s.mustRecord(t, anonymous)
		for _, c := range []store.Completion{late, named} {
			require.NoError(t, s.Erase(t.Context(), c.UserID))
		}
		s.mustRecord(t, late)
		require.False(t, s.record(t, named), "first")
		for _, c := range []store.Completion{late, named} {
			require.True(t, s.completed(t, c.Key))
			require.NoError(t, s.Reset(t.Context(), c.Key))
			require.False(t, s.record(t, c), "first, on a replay")
			require.False(t, s.completed(t, c.Key), "a replay undid the Reset of an erased user")
		}
	},
}, {
	name:  "an interview of the erased stays nobody's",
	rule:  "an interview of an erased user never gets a user and never completes a study again; its Quality may still be filled in",
	needs: eraser,
	run: func(t *testing.T, s *subject) {
		before, late, named := newCompletion(), newCompletion(), newCompletion()
		anonymous := named
		anonymous.UserID = ""
		before.Quality = ""
		s.mustRecord(t, before, anonymous)
		for _, c := range []store.Completion{before, late, named} {
			require.NoError(t, s.Erase(t.Context(), c.UserID))
		}
		s.mustRecord(t, late)
		require.False(t, s.record(t, named), "first")
		for _, c := range []store.Completion{before, late, named} {
			other := c
			other.UserID, other.Quality = newID(), "insightful"
			require.False(t, s.record(t, other), "first")
			require.False(t, s.completed(t, other.Key), "the interview of an erased user went to another")
			c.Quality = "insightful"
			s.nothingPersonal(t, c)
		}
	},
}, {
	name:  "erase deletes transcripts and cancels jobs",
	rule:  "Erase deletes the user's transcripts and jobs, pending, claimed and dead, and nobody else's",
	needs: eraser | transcripts,
	run: func(t *testing.T, s *subject) {
		c, fetched := s.queued(t)
		s.finish(t, fetched, "{}")
		other, theirs := s.queued(t)
		s.finish(t, theirs, "{}")

		dead := completionOf(store.Key{StudyID: newID(), UserID: c.UserID})
		s.mustRecord(t, dead)
		require.NoError(t, s.KillJob(t.Context(), s.claimOne(t, lease)))
		claimed := completionOf(c.Key)
		s.mustRecord(t, claimed)
		inFlight := s.claimOne(t, lease)
		s.mustRecord(t, completionOf(c.Key), completionOf(other.Key))

		require.NoError(t, s.Erase(t.Context(), c.UserID))
		_, err := s.Transcript(t.Context(), c.InterviewID)
		require.ErrorIs(t, err, store.ErrNotFound, "transcript of the erased")
		_, err = s.Transcript(t.Context(), other.InterviewID)
		require.NoError(t, err, "transcript of another user")
		require.Empty(t, s.dead(t), "dead jobs")
		s.leaseLost(t, inFlight)
		_, err = s.Transcript(t.Context(), claimed.InterviewID)
		require.ErrorIs(t, err, store.ErrNotFound, "a fetch in flight brought the erased back")
		pending := s.pending(t)
		require.Len(t, pending, 1, "pending jobs: the other user's")
		require.Equal(t, other.Key, pending[0].Key)
	},
}, {
	name:  "erase and record at once",
	rule:  "after concurrent calls of Erase and Record, another Erase leaves nothing personal",
	needs: eraser | lister,
	run: func(t *testing.T, s *subject) {
		k := newKey()
		atOnce(20, func(i int) {
			var err error
			if i%5 == 0 {
				err = s.Erase(t.Context(), k.UserID)
			} else {
				_, err = s.Record(t.Context(), completionOf(k))
			}
			if err != nil {
				t.Errorf("Erase or Record: %v", err)
			}
		})
		require.NoError(t, s.Erase(t.Context(), k.UserID))
		require.Empty(t, s.list(t, store.Filter{UserID: k.UserID}))
		require.Len(t, s.list(t, store.Filter{StudyID: k.StudyID}), 16)
		require.True(t, s.completed(t, k))
		if s.has&transcripts != 0 {
			require.Empty(t, s.pending(t))
		}
	},
}}

// queuedAnonymous records c without its user and claims the job.
func (s *subject) queuedAnonymous(t *testing.T) (store.Completion, store.Job) {
	t.Helper()
	c := newCompletion()
	anonymous := c
	anonymous.UserID = ""
	s.mustRecord(t, anonymous)
	return c, s.claimOne(t, lease)
}

// nothingPersonal requires that nothing of an erased user's interview is left but
// that it is completed.
func (s *subject) nothingPersonal(t *testing.T, c store.Completion) {
	t.Helper()
	require.True(t, s.completed(t, c.Key), "Completed of an erased user")
	if s.has&lister != 0 {
		require.Empty(t, s.list(t, store.Filter{UserID: c.UserID}), "completions of the erased user")
	}
	anonymous := c
	anonymous.UserID = ""
	s.kept(t, anonymous)
	if s.has&transcripts == 0 {
		return
	}
	for _, j := range append(s.pending(t), s.dead(t)...) {
		require.NotEqual(t, c.InterviewID, j.InterviewID, "job of an erased user")
	}
	_, err := s.Transcript(t.Context(), c.InterviewID)
	require.ErrorIs(t, err, store.ErrNotFound, "transcript of an erased user")
}
