package gate_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
)

// A page is never held up by a provider that is known to fail. A click is worth
// the wait, once it is time to try again.
func TestConfirmTriesAgainAfterTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.fail(errors.New("trouble"))
		g := newGate(t, p, nobodyCompleted, nil)
		require.Equal(t, gate.ReasonUnavailable, g.Confirm(t.Context(), ada).Reason)
		p.hang(time.Second)
		began := time.Now()
		require.Equal(t, gate.ReasonUnavailable, g.Confirm(t.Context(), ada).Reason)
		require.Zero(t, time.Since(began), "it is too early")
		require.Equal(t, 1, p.count())
		time.Sleep(75 * time.Second)
		require.True(t, g.Confirm(t.Context(), ada).Ask())
		require.Equal(t, 2, p.count())
	})
}

// What is too old for a page is too old for a click.
func TestConfirmHeedsStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		g := warmGate(t, p, nobodyCompleted, &gate.Options{Stale: 5 * time.Second})
		p.places(0)
		time.Sleep(6 * time.Second)
		require.Equal(t, gate.ReasonFull, g.Confirm(t.Context(), ada).Reason)
	})
}

// A click holds a place for as long as an interview takes, so that of many users
// who click at once no more are sent on than there are places.
func TestAClickHoldsAPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.places(2)
		g := warmGate(t, p, nobodyCompleted, nil)
		confirmed := func() (n int) {
			for i := range 50 {
				if g.Confirm(t.Context(), gate.Visitor{UserID: user(i)}).Ask() {
					n++
				}
				time.Sleep(10 * time.Second)
			}
			return n
		}
		for range 3 {
			require.True(t, g.Confirm(t.Context(), gate.Visitor{UserID: "staff", Preview: true}).Ask(), "a preview holds nothing")
		}
		require.Equal(t, 2, confirmed())
		require.True(t, g.Confirm(t.Context(), gate.Visitor{UserID: user(0)}).Ask(), "the same user again")
		require.Equal(t, gate.ReasonFull, g.Decide(t.Context(), ada).Reason, "nobody is invited to a place that is held")
		require.True(t, g.Decide(t.Context(), gate.Visitor{UserID: user(1)}).Ask())

		// One of them completes: the provider knows, and the place is gone for good.
		p.places(1)
		g.Recorded(t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: user(0)}})
		time.Sleep(11 * time.Second)
		require.Equal(t, gate.ReasonFull, g.Confirm(t.Context(), gate.Visitor{UserID: "bob"}).Reason, "the other one is still held")
		require.True(t, g.Confirm(t.Context(), gate.Visitor{UserID: user(1)}).Ask())

		time.Sleep(20 * time.Minute) // that user never completes
		require.True(t, g.Confirm(t.Context(), gate.Visitor{UserID: "bob"}).Ask())
	})
}

// Whoever joins a request that is under way asks again when its answer is too
// old by then, and once: what was asked since the click is as new as it gets.
func TestConfirmAsksAgainAfterASlowAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.hang(7 * time.Second)
		g := newGate(t, p, nobodyCompleted, &gate.Options{Stale: 5 * time.Second, ConfirmTimeout: time.Minute})
		g.Decide(t.Context(), ada)
		require.True(t, g.Confirm(t.Context(), ada).Ask())
		require.Equal(t, 2, p.count())
		synctest.Wait()
	})
}
