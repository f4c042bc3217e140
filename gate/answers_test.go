package gate_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// Of two limits the one with fewer places left counts, whatever else the
// provider says.
func TestTightestLimitCounts(t *testing.T) {
	t.Parallel()
	left := func(n int) *userjourneys.Limit { return &userjourneys.Limit{Limit: 10, Used: 10 - n} }
	for _, tc := range []struct {
		weekly, monthly *userjourneys.Limit
		is              gate.Reason
	}{
		{left(3), left(3), gate.ReasonEligible},
		{left(0), left(3), gate.ReasonFull},
		{left(3), left(0), gate.ReasonFull},
		{left(-1), nil, gate.ReasonFull},
		{nil, left(-1), gate.ReasonFull},
		{nil, nil, gate.ReasonEligible},
	} {
		p := newProvider()
		p.study.Limits.Weekly, p.study.Limits.Monthly = tc.weekly, tc.monthly
		require.Equal(t, tc.is.String(), warmGate(t, p, nobodyCompleted, nil).Decide(t.Context(), ada).Reason.String(), "%+v", tc)
	}
}

// Whichever of Fresh and Stale is set alone, no page waits for the provider
// while it answers, and what Warm has fetched can be used.
func TestFreshAndStaleFitEachOther(t *testing.T) {
	t.Parallel()
	for _, opts := range []gate.Options{{}, {Stale: time.Minute}, {Stale: time.Hour}, {Fresh: time.Hour}, {Fresh: time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			p := newProvider()
			g := warmGate(t, p, nobodyCompleted, &opts)
			p.hang(time.Second)
			for range 2 * 60 * 60 {
				require.Equal(t, gate.ReasonEligible, g.Decide(t.Context(), ada).Reason, "%+v", opts)
				time.Sleep(time.Second)
			}
			time.Sleep(90 * time.Second)
			require.NoError(t, g.Warm(t.Context()))
			_, has := g.Age()
			require.True(t, has, "%+v", opts)
		})
	}
}

// One completion causes one request, and not one every ten seconds ever after.
func TestOneCompletionOneFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		g := warmGate(t, p, nobodyCompleted, nil)
		time.Sleep(time.Second)
		g.Recorded(t.Context(), store.Completion{Key: store.Key{StudyID: studyID}})
		for range 120 {
			time.Sleep(time.Second)
			g.Decide(t.Context(), ada)
		}
		require.Equal(t, 2, p.count())
	})
}

// A completion that comes while the first answer is under way may not be in it.
func TestRecordedDuringTheFirstFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.hang(2 * time.Second)
		g := newGate(t, p, nobodyCompleted, nil)
		time.AfterFunc(time.Second, func() {
			g.Recorded(context.Background(), store.Completion{Key: store.Key{StudyID: studyID}})
		})
		require.NoError(t, g.Warm(t.Context()))
		g.Decide(t.Context(), ada)
		synctest.Wait()
		require.Equal(t, 2, p.count())
		time.Sleep(time.Minute)
	})
}

func TestAmbiguousNameIsLoudOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &records{}
		p := newProvider()
		p.fail(userjourneys.ErrAmbiguous)
		g := newGate(t, p, nobodyCompleted, &gate.Options{Logger: slog.New(log)})
		for range 10 {
			require.Equal(t, gate.ReasonUnavailable, g.Decide(t.Context(), ada).Reason)
			time.Sleep(time.Minute)
		}
		require.Equal(t, []string{"ERROR askonce: several studies have this name; configure the study's id"}, log.all())
	})
}

// Without an id nothing can be told of who has completed it.
func TestStudyWithoutAnID(t *testing.T) {
	t.Parallel()
	p := newProvider()
	p.study.ID = ""
	g := newGate(t, p, nobodyCompleted, nil)
	require.ErrorContains(t, g.Warm(t.Context()), "without an id")
	require.Equal(t, gate.ReasonUnavailable, g.Decide(t.Context(), ada).Reason)
}
