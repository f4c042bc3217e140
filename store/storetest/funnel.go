package storetest

import (
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// funnel returns some days of the funnel.
func (s *subject) funnel(t *testing.T, studyID string, from time.Time, days int) []store.FunnelDay {
	t.Helper()
	all, err := s.Funnel(t.Context(), studyID, from, from.AddDate(0, 0, days))
	require.NoError(t, err, "Funnel")
	require.Len(t, all, days, "days")
	return all
}

const aDay = 24 * time.Hour

var funnelCases = []contractCase{{
	name:  "the funnel of a study",
	rule:  "Funnel counts for each UTC day the users who did something for the first time in the study",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		ada, bob := c.Key, store.Key{StudyID: c.StudyID, UserID: newID()}
		c.CompletedAt = noon.Add(2 * aDay)
		s.note(t,
			showing(ada, noon), showing(bob, noon.Add(time.Hour)), showing(store.Key{StudyID: newID(), UserID: ada.UserID}, noon),
			answer(ada, store.InteractionUndone, noon),
			snooze(ada, noon.Add(aDay), noon.Add(2*aDay)), answer(bob, store.InteractionDeclined, noon.Add(aDay)),
			answer(ada, store.InteractionOpened, noon.Add(2*aDay)), optOut(bob.UserID, noon.Add(2*aDay)))
		s.mustRecord(t, c)
		day := store.Day(noon)
		require.Equal(t, []store.FunnelDay{
			{Day: day, Shown: 2},
			{Day: day.Add(aDay), Snoozed: 1, Declined: 1},
			{Day: day.Add(2 * aDay), Opened: 1, Completed: 1},
		}, s.funnel(t, c.StudyID, noon, 3))
		for _, d := range s.funnel(t, newID(), noon, 3) {
			require.Zero(t, store.FunnelDay{Shown: d.Shown, Opened: d.Opened, Snoozed: d.Snoozed, Declined: d.Declined, Completed: d.Completed}, "a study that nobody has seen")
		}
	},
}, {
	name:  "the days of a funnel",
	rule:  "Funnel has a row for each UTC day from the day of from up to, not including, the day of to; days without events are zero",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		k := newKey()
		midnight := store.Day(noon)
		s.note(t, showing(k, midnight), showing(store.Key{StudyID: k.StudyID, UserID: newID()}, midnight.Add(-time.Second)))
		zone := time.FixedZone("", 5*3600) // where it is another day
		for _, tc := range []struct {
			from, to time.Time
			want     []int
		}{
			{midnight, midnight.Add(aDay), []int{1}},
			{midnight.Add(aDay - time.Second).In(zone), midnight.Add(aDay).In(zone), []int{1}},
			{midnight.Add(-aDay), midnight.Add(2 * aDay), []int{1, 1, 0}},
			{midnight, midnight.Add(time.Hour), nil},
			{midnight, midnight.Add(-aDay), nil},
		} {
			days, err := s.Funnel(t.Context(), k.StudyID, tc.from, tc.to)
			require.NoError(t, err)
			var shown []int
			for i, d := range days {
				require.Equal(t, store.Day(tc.from).AddDate(0, 0, i), d.Day)
				shown = append(shown, d.Shown)
			}
			require.Equal(t, tc.want, shown, "%v to %v", tc.from, tc.to)
		}
	},
}, {
	name:  "a user counts once",
	rule:  "a user counts at most once for each kind in each study, on the earliest day, in whatever order events arrive and however often",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		k := newKey()
		for _, late := range []time.Duration{2, 0, 1, 0, 2} {
			at := noon.Add(late * aDay)
			s.note(t, showing(k, at), answer(k, store.InteractionOpened, at), snooze(k, at, at.Add(aDay)), answer(k, store.InteractionDeclined, at))
			c := completionOf(k)
			c.CompletedAt = at
			s.mustRecord(t, c)
			require.False(t, s.record(t, c), "first")
		}
		day := store.Day(noon)
		require.Equal(t, []store.FunnelDay{
			{Day: day, Shown: 1, Opened: 1, Snoozed: 1, Declined: 1, Completed: 1}, {Day: day.Add(aDay)}, {Day: day.Add(2 * aDay)},
		}, s.funnel(t, k.StudyID, noon, 3))
	},
}, {
	name:  "who counts as completed",
	rule:  "an interview without a user, or one that is ignored, does not count in the funnel; once it has a user, or counts, it does",
	needs: interactions,
	run: func(t *testing.T, s *subject) {
		study := newID()
		completed := func() int { return s.funnel(t, study, base, 1)[0].Completed }
		named, ignored := completionOf(store.Key{StudyID: study, UserID: newID()}), completionOf(store.Key{StudyID: study, UserID: newID()})
		anonymous := named
		anonymous.UserID = ""
		ignored.Ignored, ignored.Quality = true, ""
		s.mustRecord(t, anonymous, ignored)
		require.Zero(t, completed())
		s.record(t, named)
		require.Equal(t, 1, completed())
		ignored.Ignored, ignored.Quality = false, "successful"
		s.record(t, ignored)
		require.Equal(t, 2, completed())
	},
}, {
	name:  "reset leaves the funnel",
	rule:  "Reset does not change the counts, and what the user does afterwards does not count again",
	needs: interactions | resetter,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		c.CompletedAt = noon
		s.note(t, showing(c.Key, noon), answer(c.Key, store.InteractionDeclined, noon))
		s.mustRecord(t, c)
		want := s.funnel(t, c.StudyID, noon, 2)
		require.NoError(t, s.Reset(t.Context(), c.Key))
		require.Equal(t, want, s.funnel(t, c.StudyID, noon, 2))
		again := completionOf(c.Key)
		again.CompletedAt = noon.Add(aDay)
		s.note(t, showing(c.Key, noon.Add(aDay)), answer(c.Key, store.InteractionDeclined, noon.Add(aDay)))
		s.mustRecord(t, again)
		require.Equal(t, want, s.funnel(t, c.StudyID, noon, 2))
	},
}, {
	name:  "erase leaves the funnel",
	rule:  "Erase does not change the counts, and an erased user does not count again",
	needs: interactions | eraser,
	run: func(t *testing.T, s *subject) {
		c := newCompletion()
		c.CompletedAt = noon
		s.note(t, showing(c.Key, noon), answer(c.Key, store.InteractionOpened, noon))
		s.mustRecord(t, c)
		want := s.funnel(t, c.StudyID, noon, 2)
		require.NoError(t, s.Erase(t.Context(), c.UserID))
		require.Equal(t, want, s.funnel(t, c.StudyID, noon, 2))
		late := completionOf(c.Key)
		late.CompletedAt = noon.Add(aDay)
		s.note(t, showing(c.Key, noon.Add(aDay)))
		s.mustRecord(t, late)
		require.Equal(t, want, s.funnel(t, c.StudyID, noon, 2))
	},
}}
