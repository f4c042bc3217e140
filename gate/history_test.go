package gate_test

import (
	"context"
	"math/rand/v2"
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

// Random walks of transitions under a clock that jumps both ways: a History
// stays bounded, travels without loss, and no transition changes the History
// that it was called on.
func TestHistoryProperties(t *testing.T) {
	t.Parallel()
	for seed := range fewer(50) {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		now := time.Unix(1_800_000_000, 0)
		var h gate.History
		require.True(t, h.IsZero())
		declined := map[string]bool{}
		for range 400 {
			before, beforeBytes := h, encode(t, h)
			now = now.Add(time.Duration(rng.Int64N(int64(72*time.Hour))) - 24*time.Hour)
			study := user(rng.IntN(24))
			shown := h.Showings(study)
			switch rng.IntN(20) {
			default:
				h = h.WithShown(study, now)
				require.Equal(t, min(shown+1, 255), h.Showings(study))
			case 1, 2:
				h = h.WithOpened(study, now)
				require.Equal(t, shown, h.Showings(study))
			case 3, 4:
				h = h.WithSnooze(study, now.Add(7*24*time.Hour))
			case 5:
				if len(declined) < 15 {
					h, declined[study] = h.WithDecline(study), true
				}
			}
			require.Equal(t, beforeBytes, encode(t, before))
			b := encode(t, h)
			require.LessOrEqual(t, len(b), 7+16*25)
			var back gate.History
			require.NoError(t, back.UnmarshalBinary(b))
			require.Equal(t, b, encode(t, back))
			require.Equal(t, h.IsZero(), back.IsZero())
		}
		require.True(t, h.WithOptOut().WithOptOut().WithShown("x", now).Showings("x") == 1)
		// What was declined outlives what was merely shown.
		for study := range declined {
			p := newProvider()
			p.study.ID = study
			g := warmGate(t, p, nobodyCompleted, nil)
			require.Equal(t, gate.ReasonDeclined, g.Decide(t.Context(), gate.Visitor{UserID: "ada", History: h}).Reason)
		}
	}
}

// Transitions of different kinds may come in any order.
func TestHistoryOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		steps := []func(gate.History) gate.History{
			func(h gate.History) gate.History { return h.WithShown(studyID, now) },
			func(h gate.History) gate.History { return h.WithOpened(studyID, now) },
			func(h gate.History) gate.History { return h.WithSnooze(studyID, now.Add(time.Hour)) },
			func(h gate.History) gate.History { return h.WithDecline(studyID) },
			func(h gate.History) gate.History { return h.WithOptOut() },
		}
		var first []byte
		for range 50 {
			var h gate.History
			for _, i := range rand.Perm(len(steps)) {
				h = steps[i](h)
			}
			if first == nil {
				first = encode(t, h)
			}
			require.Equal(t, first, encode(t, h))
		}
	})
}

// Whatever the clock does, a visitor is neither asked too often nor silenced
// for ever.
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
			{"just shown", h.WithShown(studyID, now), gate.ReasonCoolingDown},
			{"shown a day ago", h.WithShown(studyID, now.Add(-24*time.Hour)), gate.ReasonEligible},
			{"shown an hour ahead", h.WithShown(studyID, now.Add(time.Hour)), gate.ReasonCoolingDown},
			{"shown ten years ahead", h.WithShown(studyID, now.AddDate(10, 0, 0)), gate.ReasonEligible},
			{"shown in year 1", h.WithShown(studyID, time.Time{}), gate.ReasonEligible},
			{"shown before 1970", h.WithShown(studyID, time.Unix(-1<<40, 0)), gate.ReasonEligible},
			{"opened an hour ahead", h.WithOpened(studyID, now.Add(time.Hour)), gate.ReasonOpened},
			{"opened three hours ago", h.WithOpened(studyID, now.Add(-3*time.Hour)), gate.ReasonEligible},
			{"snoozed a week", h.WithSnooze(studyID, now.Add(7*24*time.Hour)), gate.ReasonSnoozed},
			{"snoozed until now", h.WithSnooze(studyID, now), gate.ReasonEligible},
			{"snoozed ten years", h.WithSnooze(studyID, now.AddDate(10, 0, 0)), gate.ReasonEligible},
			{"another study just shown", h.WithShown("another", now), gate.ReasonCoolingDown},
			{"another study declined", h.WithDecline("another"), gate.ReasonEligible},
			{"opted out", h.WithOptOut(), gate.ReasonDeclined},
			{"three times", h.WithShown(studyID, now.AddDate(0, 0, -9)).WithShown(studyID, now.AddDate(0, 0, -6)).WithShown(studyID, now.AddDate(0, 0, -3)), gate.ReasonShownEnough},
		} {
			require.Equal(t, tc.is.String(), decide(tc.h).String(), tc.name)
			var back gate.History
			require.NoError(t, back.UnmarshalBinary(encode(t, tc.h)))
			require.Equal(t, tc.is.String(), decide(back).String(), "%s, after a trip in a cookie", tc.name)
		}
	})
}

func TestPausesCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	g := warmGate(t, newProvider(), nobodyCompleted, &gate.Options{ShowingPause: -1, OpenedPause: -1, MaxShowings: -1})
	var h gate.History
	for range 300 {
		h = h.WithShown(studyID, time.Now()).WithOpened(studyID, time.Now())
		require.True(t, g.Decide(context.Background(), gate.Visitor{UserID: "ada", History: h}).Ask())
	}
}

func FuzzHistory(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	f.Add(encode(f, gate.History{}))
	f.Add(encode(f, gate.History{}.WithShown("a", now).WithOpened("b", now).WithSnooze("a", now).WithDecline("c").WithOptOut()))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		h := gate.History{}.WithDecline("kept")
		before := encode(t, h)
		if h.UnmarshalBinary(b) != nil {
			require.Equal(t, before, encode(t, h), "an error changes nothing")
			return
		}
		require.Equal(t, b, encode(t, h), "one History has one encoding")
		require.LessOrEqual(t, len(encode(t, h.WithShown("a", now))), 7+16*25)
	})
}
