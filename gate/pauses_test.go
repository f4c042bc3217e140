package gate_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// Operators stop asking on every replica within 10 seconds, and no page waits.
func TestPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &watched{Store: memstore.New()}
		g := warmGate(t, newProvider(), w, &gate.Options{CoolDown: -1})
		p := newProvider()
		p.study.ID = "another"
		other := warmGate(t, p, w, &gate.Options{CoolDown: -1})
		set := func(name string, on bool) {
			require.NoError(t, w.SetSwitch(t.Context(), store.Switch{Name: name, On: on, By: "ops", At: time.Now()}))
		}
		decide := func(g *gate.Gate, want gate.Reason) {
			t.Helper()
			began := time.Now()
			require.Equal(t, want.String(), g.Decide(t.Context(), ada).Reason.String())
			require.Zero(t, time.Since(began))
			synctest.Wait()
		}
		within10s := func(then func()) {
			for range 10 {
				g.Decide(t.Context(), ada)
				other.Decide(t.Context(), ada)
				time.Sleep(time.Second)
				synctest.Wait()
			}
			then()
		}
		decide(g, gate.ReasonEligible)
		set(store.PauseSwitch(studyID), true)
		within10s(func() {
			decide(g, gate.ReasonPaused)
			decide(other, gate.ReasonEligible)
			require.Equal(t, gate.ReasonPaused, g.Confirm(t.Context(), ada).Reason)
			require.Equal(t, gate.ReasonPaused, firstNo(g.Explain(t.Context(), ada)))
			require.Equal(t, gate.ReasonPaused, g.Decide(t.Context(), gate.Visitor{UserID: "ada", Preview: true}).Reason)
		})
		set(store.PauseSwitch(studyID), false)
		within10s(func() { decide(g, gate.ReasonEligible) })

		// A quiet site reads the switches again before it asks.
		time.Sleep(time.Hour)
		require.NoError(t, g.Warm(t.Context()))
		set(store.PauseAll, true)
		decide(g, gate.ReasonPaused)
		set(store.PauseAll, false)
		within10s(func() { decide(other, gate.ReasonEligible) })

		// While the store hangs, what was read serves on, and then nobody is asked.
		w.trouble = func(what string) error {
			if what == "Switches" {
				time.Sleep(time.Minute)
			}
			return nil
		}
		time.Sleep(5 * time.Second)
		decide2 := other.Decide(t.Context(), ada)
		require.True(t, decide2.Ask())
		time.Sleep(5 * time.Second)
		require.ErrorIs(t, other.Decide(t.Context(), ada).Err, context.DeadlineExceeded)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
	})
}

func TestPauseReadsTheSwitchesSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &watched{Store: memstore.New()}
		var reads atomic.Int32
		w.trouble = func(what string) error {
			if what == "Switches" {
				reads.Add(1)
			}
			return nil
		}
		g := warmGate(t, newProvider(), w, nil)
		for range 600 {
			g.Decide(t.Context(), ada)
			time.Sleep(100 * time.Millisecond)
		}
		require.LessOrEqual(t, reads.Load(), int32(16))
		require.Greater(t, reads.Load(), int32(5))
	})
}
