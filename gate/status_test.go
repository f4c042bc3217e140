package gate_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/userjourneys"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		g := newGate(t, p, nobodyCompleted, nil)
		require.Equal(t, gate.Status{Study: userjourneys.Study{Name: studyName}, Places: -1}, g.Status(), "before the first answer")
		require.Zero(t, p.count(), "the provider is not asked")

		fetched := func() gate.Status {
			t.Helper()
			time.Sleep(4 * time.Minute) // no longer fresh
			_ = g.Warm(t.Context())
			synctest.Wait()
			time.Sleep(time.Second)
			return g.Status()
		}
		got := fetched()
		require.Equal(t, gate.ReasonEligible, got.Reason)
		require.Equal(t, -1, got.Places, "there is no limit")
		require.Equal(t, time.Second, got.Age)
		require.True(t, got.Cached)
		require.Equal(t, studyID, got.Study.ID)

		p.places(3)
		got = fetched()
		require.Equal(t, gate.ReasonEligible, got.Reason)
		require.Equal(t, 3, got.Places)
		require.Equal(t, 1000, got.Study.Limits.Weekly.Limit)

		p.places(0)
		got = fetched()
		require.Equal(t, gate.ReasonFull, got.Reason)
		require.Zero(t, got.Places)

		p.places(3)
		p.set(func(p *provider) { p.study.InterviewLink = "http://elsewhere.example" })
		got = fetched()
		require.Equal(t, gate.ReasonUnavailable, got.Reason)
		require.Error(t, got.Err)

		p.set(func(p *provider) { p.study.InterviewLink = link })
		require.NoError(t, fetched().Err)
		p.fail(errors.New("down"))
		got = fetched()
		require.Equal(t, gate.ReasonEligible, got.Reason, "the last answer can still be used")
		require.ErrorContains(t, got.Err, "down")

		time.Sleep(20 * time.Minute)
		got = g.Status()
		require.Equal(t, gate.ReasonUnavailable, got.Reason)
		require.False(t, got.Cached)
		require.Equal(t, studyName, got.Study.Name, "an identity does not go stale")

		p.fail(userjourneys.ErrNotFound)
		got = fetched()
		require.Equal(t, gate.ReasonClosed, got.Reason)
		require.NoError(t, got.Err)
		require.Equal(t, []gate.Status{got}, gate.First(g).Status())
	})
}
