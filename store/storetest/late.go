package storetest

import (
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// lateCases are about what a later Record changes once the score is known.
var lateCases = []contractCase{{
	name: "an ignored interview",
	rule: "an interview that is ignored does not complete the study, but still belongs to the user",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		c.Ignored = true
		s.mustRecord(t, c)
		require.False(t, s.completed(t, c.Key))
		s.kept(t, c)
		if s.has&lister != 0 {
			require.Len(t, s.list(t, store.Filter{UserID: c.UserID}), 1)
		}
		s.mustRecord(t, completionOf(c.Key))
		require.True(t, s.completed(t, c.Key), "an interview that counts beside one that is ignored")
	},
}, {
	name: "a late quality revises the decision",
	rule: "the call that fills in Quality also replaces Until and Ignored",
	run: func(t *testing.T, s *subject) {
		past, future := base.Add(time.Hour), time.Now().UTC().Truncate(time.Millisecond).Add(time.Hour)
		for _, tc := range []struct {
			name       string
			first      store.Completion
			late       store.Completion
			done, then bool
		}{
			{"counts after all", store.Completion{Ignored: true}, store.Completion{}, false, true},
			{"does not count after all", store.Completion{}, store.Completion{Ignored: true}, true, false},
			{"has ended after all", store.Completion{}, store.Completion{Until: past}, true, false},
			{"has not ended after all", store.Completion{Until: past}, store.Completion{Until: future}, false, true},
			{"lasts forever after all", store.Completion{Until: past}, store.Completion{}, false, true},
		} {
			c := newCompletion()
			c.Quality, c.Until, c.Ignored = "", tc.first.Until, tc.first.Ignored
			s.mustRecord(t, c)
			require.Equal(t, tc.done, s.completed(t, c.Key), "%s: before the quality", tc.name)
			unscored := c
			unscored.Until, unscored.Ignored = tc.late.Until, tc.late.Ignored
			require.False(t, s.record(t, unscored), "first")
			require.Equal(t, tc.done, s.completed(t, c.Key), "%s: after a repeat without a quality", tc.name)
			s.kept(t, c)

			c.Quality, c.Until, c.Ignored = "successful", tc.late.Until, tc.late.Ignored
			require.False(t, s.record(t, c), "first")
			require.Equal(t, tc.then, s.completed(t, c.Key), "%s: after the quality", tc.name)
			again := c
			again.Quality, again.Until, again.Ignored = "other", tc.first.Until, tc.first.Ignored
			require.False(t, s.record(t, again), "first")
			require.Equal(t, tc.then, s.completed(t, c.Key), "%s: after another quality", tc.name)
			s.kept(t, c)
		}
	},
}, {
	name: "a revision leaves other interviews",
	rule: "the user's other interviews of the study count as before when one is revised",
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		c.Quality = ""
		other, ended := completionOf(c.Key), completionOf(c.Key)
		ended.Until = base.Add(time.Hour)
		s.mustRecord(t, ended, c, other)
		c.Quality, c.Ignored = "unsuccessful", true
		require.False(t, s.record(t, c), "first")
		require.True(t, s.completed(t, c.Key))
		s.kept(t, other)
	},
}, {
	name: "a late quality without a user",
	rule: "a call that fills in Quality and names no user, or another one, revises the interview of the user that it has",
	run: func(t *testing.T, s *subject) {
		for _, user := range []string{"", newID()} {
			c := newCompletion()
			c.Quality = ""
			s.mustRecord(t, c)
			require.True(t, s.completed(t, c.Key))
			late := c
			late.UserID, late.Quality, late.Ignored = user, "unsuccessful", true
			require.False(t, s.record(t, late), "first")
			require.False(t, s.completed(t, c.Key))
			if user != "" {
				require.False(t, s.completed(t, late.Key))
			}
		}
	},
}, {
	name: "a late user and a late quality",
	rule: "a call may fill in both Quality and UserID; the new user has completed the study by the new Until and Ignored",
	run: func(t *testing.T, s *subject) {
		for _, ignored := range []bool{true, false} {
			c := newCompletion()
			anonymous := c
			anonymous.UserID, anonymous.Quality, anonymous.Ignored = "", "", !ignored
			s.mustRecord(t, anonymous)
			c.Ignored = ignored
			require.False(t, s.record(t, c), "first")
			require.Equal(t, !ignored, s.completed(t, c.Key))
			s.kept(t, c)
		}
	},
}, {
	name:  "a revision does not undo a reset",
	rule:  "a late quality does not complete a study that was reset",
	needs: resetter,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		c.Quality, c.Ignored = "", true
		s.mustRecord(t, c)
		require.NoError(t, s.Reset(t.Context(), c.Key))
		c.Quality, c.Ignored = "successful", false
		require.False(t, s.record(t, c), "first")
		require.False(t, s.completed(t, c.Key))
	},
}, {
	name:  "an ignored interview of the erased",
	rule:  "Erase leaves no completion of an interview that is ignored, and a later quality makes none",
	needs: eraser,
	run: func(t *testing.T, s *subject) {
		before, after, named := newCompletion(), newCompletion(), newCompletion()
		for _, c := range []*store.Completion{&before, &after, &named} {
			c.Quality, c.Ignored = "", true
		}
		anonymous := named
		anonymous.UserID = ""
		s.mustRecord(t, before, anonymous)
		for _, c := range []store.Completion{before, after, named} {
			require.NoError(t, s.Erase(t.Context(), c.UserID))
		}
		s.mustRecord(t, after)
		require.False(t, s.record(t, named), "first")
		for _, c := range []store.Completion{before, after, named} {
			require.False(t, s.completed(t, c.Key))
			c.Quality, c.Ignored = "successful", false
			require.False(t, s.record(t, c), "first")
			require.False(t, s.completed(t, c.Key), "a late quality completed the study of an erased user")
		}
	},
}}
