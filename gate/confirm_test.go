package gate_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
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

// Whoever clicks has been invited, by another replica perhaps, and takes no
// slot from those who have not.
func TestConfirmTakesNoSlot(t *testing.T) {
	t.Parallel()
	p := newProvider()
	p.places(1)
	g := warmGate(t, p, nobodyCompleted, &gate.Options{ExpectedUptake: 1})
	require.True(t, g.Confirm(t.Context(), gate.Visitor{UserID: "ada"}).Ask())
	require.True(t, g.Decide(t.Context(), gate.Visitor{UserID: "bob"}).Ask())
	require.True(t, g.Confirm(t.Context(), gate.Visitor{UserID: "ada"}).Ask())
	require.Equal(t, gate.ReasonHeldOut, g.Decide(t.Context(), gate.Visitor{UserID: "ada"}).Reason)
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
