package gate_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
)

// asked tells who of n users is asked.
func asked(t *testing.T, g gate.Decider, n int) (who []bool, count int) {
	who = make([]bool, n)
	for i := range n {
		if who[i] = g.Decide(t.Context(), gate.Visitor{UserID: user(i)}).Ask(); who[i] {
			count++
		}
	}
	return who, count
}

func sampleGate(t *testing.T, id string, fraction float64) *gate.Gate {
	p := newProvider()
	p.study.ID = id
	return warmGate(t, p, memstore.New(), &gate.Options{Holdout: 1 - fraction})
}

func TestStudiesSampleIndependently(t *testing.T) {
	t.Parallel()
	n, tolerance := 200_000, 0.001
	if raceEnabled {
		n, tolerance = 20_000, 0.003 // three standard deviations are √10 as much
	}
	a, countA := asked(t, sampleGate(t, "study-a", 0.1), n)
	b, countB := asked(t, sampleGate(t, "study-b", 0.1), n)
	both := 0
	for i := range n {
		if a[i] && b[i] {
			both++
		}
	}
	require.InDelta(t, 0.1, float64(countA)/float64(n), 3*tolerance)
	require.InDelta(t, 0.1, float64(countB)/float64(n), 3*tolerance)
	require.InDelta(t, 0.01, float64(both)/float64(n), tolerance)
}

func TestShareEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fraction float64
		below    uint64 // the first draw outside
	}{{-1, 0}, {0, 0}, {0x1p-64, 1}, {0x1p-10, 1 << 54}, {0.5, 1 << 63}, {1 - 0x1p-53, math.MaxUint64 - 2047}} {
		require.False(t, gate.InShare(tc.below, tc.fraction), "%v", tc)
		require.False(t, gate.InShare(math.MaxUint64, tc.fraction), "%v", tc)
		if tc.below > 0 {
			require.True(t, gate.InShare(0, tc.fraction), "%v", tc)
			require.True(t, gate.InShare(tc.below-1, tc.fraction), "%v", tc)
		}
	}
	require.True(t, gate.InShare(math.MaxUint64, 1))
}

// The draw never changes: after an upgrade the same users are in the sample.
func TestSampleIsPinned(t *testing.T) {
	t.Parallel()
	var in []int
	g := sampleGate(t, studyID, 0.05)
	for i := range 100 {
		if g.Decide(t.Context(), gate.Visitor{UserID: user(i)}).Ask() {
			in = append(in, i)
		}
	}
	var want []int // by the definition
	for i := range 100 {
		sum := sha256.Sum256([]byte(studyID + "\x00" + user(i)))
		if float64(binary.BigEndian.Uint64(sum[:]))/0x1p64 < 0.05 {
			want = append(want, i)
		}
	}
	require.NotEmpty(t, want)
	require.Equal(t, want, in)
}

func TestRaisingTheSampleNeverDropsAUser(t *testing.T) {
	t.Parallel()
	n := fewer(20_000)
	var before []bool
	last := 0
	for _, fraction := range []float64{0, 1e-9, 0.01, 0.1, 0.1000001, 0.5, 0.99, 1} {
		now, count := asked(t, sampleGate(t, studyID, fraction), n)
		for i := range before {
			require.False(t, before[i] && !now[i])
		}
		require.GreaterOrEqual(t, count, last)
		require.InDelta(t, max(0, fraction), float64(count)/float64(n), 0.02)
		before, last = now, count
	}
	require.Equal(t, n, last)
}

// Pacing invites as many users as the places left need, and whoever is left out
// stays out while they shrink.
func TestPacing(t *testing.T) {
	t.Parallel()
	n := fewer(40_000)
	for name, tc := range map[string]struct {
		audience  int
		tolerance float64
	}{"counted": {0, 0}, "audience": {n, 0.25}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider()
			g := newGate(t, p, memstore.New(), &gate.Options{ExpectedUptake: 0.05, Audience: tc.audience, Fresh: time.Nanosecond})
			var before []bool
			for _, left := range []int{100, 50, 3, 1} {
				p.places(left)
				require.NoError(t, g.Warm(t.Context()))
				now, count := asked(t, g, n)
				want := float64(left) / 0.05
				require.InDelta(t, want, count, want*tc.tolerance+5*tc.tolerance*10, "%d places", left)
				for i := range before {
					require.False(t, now[i] && !before[i], "user %d came back", i)
				}
				before = now
			}
			p.places(0)
			require.NoError(t, g.Warm(t.Context()))
			require.Equal(t, gate.ReasonFull, g.Decide(t.Context(), ada).Reason)
		})
	}
}

// A user who has completed the study takes no slot from those who have not.
func TestPacingCountsOnlyTheInvited(t *testing.T) {
	t.Parallel()
	p := newProvider()
	p.places(1)
	done := memstore.New()
	g := warmGate(t, p, done, &gate.Options{ExpectedUptake: 0.1})
	for i := range 10 {
		_, err := done.Record(t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: user(i)}, InterviewID: fmt.Sprint(i), CompletedAt: time.Now()})
		require.NoError(t, err)
	}
	_, count := asked(t, g, 100)
	require.Equal(t, 10, count)
	_, count = asked(t, g, 100)
	require.Equal(t, 10, count, "and it stays so")
}

// A new week of a weekly limit, or month of a monthly one, is for users other
// than those who have let their chance pass.
func TestPacingAsksOthersInTheNextPeriod(t *testing.T) {
	t.Parallel()
	const n, places, uptake = 4000, 10, 0.05
	for name, tc := range map[string]struct {
		audience int
		limit    func(s *userjourneys.Study) **userjourneys.Limit
		same     time.Duration // still this period; it is Saturday, 1 January 2000
		next     time.Duration
	}{
		"counted, weekly":   {0, func(s *userjourneys.Study) **userjourneys.Limit { return &s.Limits.Weekly }, 47 * time.Hour, time.Hour},
		"counted, monthly":  {0, func(s *userjourneys.Study) **userjourneys.Limit { return &s.Limits.Monthly }, 30 * 24 * time.Hour, 24 * time.Hour},
		"audience, weekly":  {n, func(s *userjourneys.Study) **userjourneys.Limit { return &s.Limits.Weekly }, 47 * time.Hour, time.Hour},
		"audience, monthly": {n, func(s *userjourneys.Study) **userjourneys.Limit { return &s.Limits.Monthly }, 30 * 24 * time.Hour, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				*tc.limit(&p.study) = &userjourneys.Limit{Limit: places}
				g := warmGate(t, p, memstore.New(), &gate.Options{ExpectedUptake: uptake, Audience: tc.audience})
				passed := map[int]bool{} // who has let the chance pass
				round := func() (invited []int) {
					require.NoError(t, g.Warm(t.Context()))
					for i := range n {
						v := gate.Visitor{UserID: user(i)}
						if passed[i] {
							v.History = v.History.WithDecline(studyID)
						}
						if g.Decide(t.Context(), v).Ask() {
							invited = append(invited, i)
						}
					}
					return invited
				}
				first := round()
				require.InDelta(t, places/uptake, len(first), 60)
				time.Sleep(tc.same)
				require.Equal(t, first, round())
				for _, i := range first {
					passed[i] = true
				}
				require.Empty(t, round())
				time.Sleep(tc.next)
				require.InDelta(t, places/uptake, len(round()), 60)
			})
		})
	}
}

func TestPacingWithoutLimits(t *testing.T) {
	t.Parallel()
	g := warmGate(t, newProvider(), memstore.New(), &gate.Options{ExpectedUptake: 0.05})
	_, count := asked(t, g, 1000)
	require.Equal(t, 1000, count)
}

// While the store is asked about one user, another takes the last slot.
func TestPacingHandsOutASlotOnce(t *testing.T) {
	t.Parallel()
	p := newProvider()
	p.places(1)
	var g *gate.Gate
	var other gate.Decision
	done := completions(func(ctx context.Context, k store.Key) (bool, error) {
		if k.UserID == "ada" {
			other = g.Decide(ctx, gate.Visitor{UserID: "bob"})
		}
		return false, nil
	})
	g = warmGate(t, p, done, &gate.Options{ExpectedUptake: 1, Timeout: 10 * time.Second})
	require.Equal(t, gate.ReasonHeldOut, g.Decide(t.Context(), ada).Reason)
	require.True(t, other.Ask())
}

// When now the weekly and now the monthly limit has fewer places left, the
// invited stay the same: it is the later of the two periods that counts.
func TestPacingBetweenTwoLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // on Saturday, 1 January 2000: the week began in December
		p := newProvider()
		g := newGate(t, p, memstore.New(), &gate.Options{ExpectedUptake: 1, Fresh: time.Second})
		for _, tc := range []struct{ weekly, monthly, invited int }{{3, 2, 2}, {1, 2, 1}, {3, 2, 2}} {
			p.study.Limits = userjourneys.Limits{Weekly: &userjourneys.Limit{Limit: tc.weekly}, Monthly: &userjourneys.Limit{Limit: tc.monthly}}
			time.Sleep(2 * time.Second)
			require.NoError(t, g.Warm(t.Context()))
			for i := range 4 {
				v := gate.Visitor{UserID: user(i)}
				if tc.weekly == 3 && i == 0 && p.count() > 2 {
					v.UserID = user(9) // a newcomer, before those who were invited
					require.Equal(t, gate.ReasonHeldOut, firstNo(g.Explain(t.Context(), v)))
					require.False(t, g.Decide(t.Context(), v).Ask())
					v.UserID = user(0)
				}
				ask := i < tc.invited
				require.Equal(t, ask, firstNo(g.Explain(t.Context(), v)) == gate.ReasonEligible, "%+v, user %d", tc, i)
				require.Equal(t, ask, g.Decide(t.Context(), v).Ask(), "%+v, user %d", tc, i)
			}
		}
	})
}
