package gate_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
)

func encode(t testing.TB, h gate.History) []byte {
	t.Helper()
	b, err := h.AppendBinary(nil)
	require.NoError(t, err)
	return b
}

// transition returns a random change of a History.
func transition(rng *rand.Rand, now time.Time) func(gate.History) gate.History {
	study := user(rng.IntN(4))
	at := now.Add(-time.Duration(rng.IntN(40)) * time.Hour)
	switch rng.IntN(8) {
	case 0:
		return func(h gate.History) gate.History { return h.WithOpened(study, at) }
	case 1:
		return func(h gate.History) gate.History { return h.WithSnooze(study, at, at.Add(7*24*time.Hour)) }
	case 2:
		return func(h gate.History) gate.History { return h.WithDecline(study, at) }
	case 3:
		return func(h gate.History) gate.History { return h.WithUndo(oneOf(rng, study, ""), at) }
	case 4:
		return func(h gate.History) gate.History { return h.WithOptOut(at) }
	}
	return func(h gate.History) gate.History { return h.WithShown(study, at) }
}

func TestMergeIsCommutativeAssociativeAndIdempotent(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for seed := range fewer(2000) {
		rng := rand.New(rand.NewPCG(uint64(seed), 2))
		random := func() (h gate.History) {
			for range rng.IntN(12) {
				h = transition(rng, now)(h)
			}
			return h
		}
		a, b, c := random(), random(), random()
		before := encode(t, a)
		require.Equal(t, encode(t, a.Merge(b)), encode(t, b.Merge(a)))
		require.Equal(t, encode(t, a.Merge(b).Merge(c)), encode(t, a.Merge(b.Merge(c))))
		require.Equal(t, encode(t, a), encode(t, a.Merge(a)))
		require.Equal(t, encode(t, a.Merge(b)), encode(t, a.Merge(b).Merge(a)))
		require.Equal(t, encode(t, a), encode(t, a.Merge(gate.History{})))
		require.Equal(t, before, encode(t, a), "merging changes nothing in place")
	}
}

// Two browsers that have heard of the same events know the same.
func TestEventsInAnyOrderMakeTheSameHistory(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	events := []func(gate.History) gate.History{
		func(h gate.History) gate.History { return h.WithShown(studyID, now) },
		func(h gate.History) gate.History { return h.WithShown(studyID, now.Add(time.Hour)) },
		func(h gate.History) gate.History { return h.WithOpened(studyID, now) },
		func(h gate.History) gate.History { return h.WithSnooze(studyID, now, now.Add(time.Hour)) },
		func(h gate.History) gate.History { return h.WithDecline(studyID, now) },
		func(h gate.History) gate.History { return h.WithUndo(studyID, now.Add(time.Minute)) },
		func(h gate.History) gate.History { return h.WithOptOut(now) },
	}
	var want []byte
	for range 50 {
		var one, other gate.History
		for n, i := range rand.Perm(len(events)) {
			if n%2 == 0 {
				one = events[i](one)
			} else {
				other = events[i](other)
			}
		}
		got := encode(t, other.Merge(one))
		if want == nil {
			want = got
		}
		require.Equal(t, want, got)
	}
}

func TestHistoryIsAValueThatTravelsWithoutLoss(t *testing.T) {
	t.Parallel()
	for seed := range fewer(200) {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		var h gate.History
		require.True(t, h.IsZero())
		for i := range 100 {
			before, beforeBytes := h, encode(t, h)
			h = transition(rng, time.Unix(1_800_000_000+int64(i)*36000, 0))(h)
			require.Equal(t, beforeBytes, encode(t, before), "the old one stays as it was")
			b := encode(t, h)
			var back gate.History
			require.NoError(t, back.UnmarshalBinary(b))
			require.Equal(t, b, encode(t, back))
			require.Equal(t, h, back)
		}
	}
}

// A cookie is small. What was declined outlives what was merely shown.
func TestHistoryFitsIntoACookie(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		h := gate.History{}.WithDecline(studyID, now)
		for i := range 200 {
			h = h.WithShown("study-"+user(i), now.Add(time.Duration(i)*time.Minute))
		}
		b := encode(t, h)
		require.LessOrEqual(t, len(b), 1200)
		var back gate.History
		require.NoError(t, back.UnmarshalBinary(b))
		require.Empty(t, back.Showings("study-"+user(0)), "touched longest ago")
		require.Len(t, back.Showings("study-"+user(199)), 1)
		g := warmGate(t, newProvider(), nobodyCompleted, &gate.Options{CoolDown: -1})
		require.Equal(t, gate.ReasonDeclined, g.Decide(t.Context(), gate.Visitor{UserID: "ada", History: back}).Reason)

		h = gate.History{}
		for i := range 300 {
			h = h.WithShown(studyID, now.AddDate(0, i, 0))
		}
		require.Len(t, h.Showings(studyID), 255)
		require.Equal(t, now.AddDate(0, 299, 0).UTC(), slices.MaxFunc(h.Showings(studyID), time.Time.Compare))
		require.LessOrEqual(t, len(encode(t, h)), 1200)
		require.NoError(t, back.UnmarshalBinary(encode(t, h)))
		require.Len(t, back.Showings(studyID), 255)
	})
}

// Whatever the clock does, a visitor is neither asked too often nor silenced
// forever.
func TestHistoryUnderABrokenClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := warmGate(t, newProvider(), nobodyCompleted, nil)
		decide := func(h gate.History) gate.Reason {
			return g.Decide(t.Context(), gate.Visitor{UserID: "ada", History: h}).Reason
		}
		now := time.Now()
		var h gate.History
		for _, tc := range []struct {
			name string
			h    gate.History
			is   gate.Reason
		}{
			{"shown an hour ago", h.WithShown(studyID, now.Add(-time.Hour)), gate.ReasonCoolingDown},
			{"shown a day ago", h.WithShown(studyID, now.Add(-24*time.Hour)), gate.ReasonEligible},
			{"shown an hour ahead", h.WithShown(studyID, now.Add(time.Hour)), gate.ReasonCoolingDown},
			{"shown ten years ahead", h.WithShown(studyID, now.AddDate(10, 0, 0)), gate.ReasonEligible},
			{"shown in year 1", h.WithShown(studyID, time.Time{}), gate.ReasonEligible},
			{"shown before 1970", h.WithShown(studyID, time.Unix(-1<<40, 0)), gate.ReasonEligible},
			{"opened an hour ahead", h.WithOpened(studyID, now.Add(time.Hour)), gate.ReasonOpened},
			{"opened three hours ago", h.WithOpened(studyID, now.Add(-3*time.Hour)), gate.ReasonEligible},
			{"snoozed a week", h.WithSnooze(studyID, now, now.Add(7*24*time.Hour)), gate.ReasonSnoozed},
			{"snoozed until now", h.WithSnooze(studyID, now, now), gate.ReasonEligible},
			{"snoozed ten years", h.WithSnooze(studyID, now, now.AddDate(10, 0, 0)), gate.ReasonEligible},
			{"declined", h.WithDecline(studyID, now), gate.ReasonDeclined},
			{"declined, then undone in the same second", h.WithDecline(studyID, now).WithUndo(studyID, now), gate.ReasonEligible},
			{"declined ahead of the clock, then undone", h.WithDecline(studyID, now.Add(time.Hour)).WithUndo(studyID, now), gate.ReasonEligible},
			{"another study just shown", h.WithShown("another", now), gate.ReasonCoolingDown},
			{"another study just opened", h.WithOpened("another", now), gate.ReasonCoolingDown},
			{"another study declined", h.WithDecline("another", now), gate.ReasonEligible},
			{"opted out", h.WithOptOut(now), gate.ReasonDeclined},
			{"opted out, then undone", h.WithOptOut(now).WithUndo("", now), gate.ReasonEligible},
			{"three times", h.WithShown(studyID, now.AddDate(0, 0, -9)).WithShown(studyID, now.AddDate(0, 0, -6)).WithShown(studyID, now.AddDate(0, 0, -3)), gate.ReasonShownEnough},
		} {
			require.Equal(t, tc.is.String(), decide(tc.h).String(), tc.name)
			var back gate.History
			require.NoError(t, back.UnmarshalBinary(encode(t, tc.h)))
			require.Equal(t, tc.is.String(), decide(back).String(), "%s, after a trip in a cookie", tc.name)
		}
	})
}

// A prompt that was seen stays for a while and counts once.
func TestLinger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		g := warmGate(t, p, nobodyCompleted, &gate.Options{MaxShowings: 2})
		v := gate.Visitor{UserID: "ada"}
		require.False(t, g.Decide(t.Context(), v).Prompt.Seen)
		for showing := range 2 {
			for range 15 { // a page a minute
				d := g.Decide(t.Context(), v)
				require.True(t, d.Ask(), "showing %d: %v", showing, d.Reason)
				v.History = v.History.WithShown(studyID, time.Now())
				require.True(t, g.Decide(t.Context(), v).Prompt.Seen)
				time.Sleep(time.Minute)
			}
			want := gate.ReasonCoolingDown
			if showing == 1 {
				want = gate.ReasonShownEnough
			}
			require.Equal(t, want.String(), g.Decide(t.Context(), v).Reason.String())
			time.Sleep(24 * time.Hour)
			require.NoError(t, g.Warm(t.Context()))
		}
		require.Equal(t, gate.ReasonShownEnough, g.Decide(t.Context(), v).Reason)

		now := time.Now()
		for name, tc := range map[string]struct {
			h  gate.History
			is gate.Reason
		}{
			"answered later":   {gate.History{}.WithShown(studyID, now).WithSnooze(studyID, now, now.Add(time.Hour)), gate.ReasonSnoozed},
			"declined":         {gate.History{}.WithShown(studyID, now).WithDecline(studyID, now), gate.ReasonDeclined},
			"opened":           {gate.History{}.WithShown(studyID, now).WithOpened(studyID, now), gate.ReasonOpened},
			"another's, too":   {gate.History{}.WithShown(studyID, now).WithShown("another", now), gate.ReasonCoolingDown},
			"nothing else":     {gate.History{}.WithShown(studyID, now), gate.ReasonEligible},
			"a decline undone": {gate.History{}.WithShown(studyID, now).WithDecline(studyID, now).WithUndo(studyID, now), gate.ReasonEligible},
		} {
			require.Equal(t, tc.is.String(), g.Decide(t.Context(), gate.Visitor{UserID: "ada", History: tc.h}).Reason.String(), name)
		}
		once := warmGate(t, p, nobodyCompleted, &gate.Options{Linger: -1})
		require.Equal(t, gate.ReasonCoolingDown, once.Decide(t.Context(), gate.Visitor{UserID: "ada", History: gate.History{}.WithShown(studyID, now)}).Reason)
	})
}

func TestPausesCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	g := warmGate(t, newProvider(), nobodyCompleted, &gate.Options{ShowingPause: -1, OpenedPause: -1, MaxShowings: -1, Linger: -1, Timeout: 10 * time.Second})
	var h gate.History
	for i := range 300 {
		at := time.Now().Add(-time.Duration(i) * time.Second)
		h = h.WithShown(studyID, at).WithOpened(studyID, at)
		require.True(t, g.Decide(context.Background(), gate.Visitor{UserID: "ada", History: h}).Ask())
	}
}

func FuzzHistory(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	f.Add(encode(f, gate.History{}))
	f.Add(encode(f, gate.History{}.WithShown("a", now).WithOpened("b", now).WithSnooze("a", now, now.Add(time.Hour)).WithDecline("c", now).WithOptOut(now)))
	f.Add(encode(f, gate.History{}.WithShown("a", now).WithShown("a", now.Add(time.Hour)).WithUndo("a", now).WithUndo("", now)))
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		h := gate.History{}.WithDecline("kept", now)
		before := encode(t, h)
		if h.UnmarshalBinary(b) != nil {
			require.Equal(t, before, encode(t, h), "an error changes nothing")
			return
		}
		require.Equal(t, b, encode(t, h), "one History has one encoding")
		require.Equal(t, b, encode(t, h.Merge(h)))
		require.Equal(t, encode(t, h.Merge(gate.History{}.WithShown("a", now))), encode(t, h.WithShown("a", now)))
		require.LessOrEqual(t, len(encode(t, h.WithShown("a", now))), 1200)
	})
}
