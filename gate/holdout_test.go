package gate_test

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
)

// asked returns which of n users are invited.
func asked(t *testing.T, g gate.Decider, n int) (who []bool, count int) {
	who = make([]bool, n)
	for i := range n {
		if who[i] = g.Decide(t.Context(), gate.Visitor{UserID: user(i)}).Ask(); who[i] {
			count++
		}
	}
	return who, count
}

func sharedGate(t *testing.T, id string, fraction float64) *gate.Gate {
	p := newProvider()
	p.study.ID = id
	return warmGate(t, p, peeking{nobodyCompleted, false, true}, &gate.Options{Holdout: 1 - fraction})
}

func TestStudiesHoldOutIndependently(t *testing.T) {
	t.Parallel()
	n, tolerance := 200_000, 0.001
	if raceEnabled {
		n, tolerance = 20_000, 0.003 // three standard deviations are √10 as much
	}
	a, countA := asked(t, sharedGate(t, "study-a", 0.1), n)
	b, countB := asked(t, sharedGate(t, "study-b", 0.1), n)
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

// The draw never changes: after an upgrade the same users are held out.
func TestHoldoutIsPinned(t *testing.T) {
	t.Parallel()
	var in []int
	g := sharedGate(t, studyID, 0.05)
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

func TestLoweringTheHoldoutNeverDropsAUser(t *testing.T) {
	t.Parallel()
	n := fewer(20_000)
	var before []bool
	last := 0
	for _, fraction := range []float64{0, 1e-9, 0.01, 0.1, 0.1000001, 0.5, 0.99, 1} {
		now, count := asked(t, sharedGate(t, studyID, fraction), n)
		for i := range before {
			require.False(t, before[i] && !now[i])
		}
		require.GreaterOrEqual(t, count, last)
		require.InDelta(t, max(0, fraction), float64(count)/float64(n), 0.02)
		before, last = now, count
	}
	require.Equal(t, n, last)
}
