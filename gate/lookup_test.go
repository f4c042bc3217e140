package gate_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
)

func TestTroubleIsUnavailable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		hang := func(ctx context.Context, _ store.Key) (bool, error) {
			time.Sleep(time.Minute) // ignores its context
			return false, nil
		}
		for name, tc := range map[string]struct {
			done   completions
			target func(context.Context, gate.Visitor) bool
			is     error
		}{
			"store fails":  {done: func(context.Context, store.Key) (bool, error) { return false, boom }, is: boom},
			"store panics": {done: func(context.Context, store.Key) (bool, error) { panic("lost") }},
			"store hangs":  {done: hang, is: context.DeadlineExceeded},
			"store hangs after a slow target": {
				done: hang, target: func(context.Context, gate.Visitor) bool { time.Sleep(100 * time.Millisecond); return true }, is: context.DeadlineExceeded,
			},
			"target panics": {done: nobodyCompleted, target: func(context.Context, gate.Visitor) bool { panic("lost") }},
		} {
			g := warmGate(t, newProvider(), tc.done, &gate.Options{Target: tc.target})
			began := time.Now()
			d := g.Decide(t.Context(), gate.Visitor{UserID: "ada-lovelace"})
			require.Equal(t, gate.ReasonUnavailable, d.Reason, name)
			require.False(t, d.Ask(), name)
			require.Error(t, d.Err, name)
			require.NotContains(t, d.Err.Error(), "ada", name)
			if tc.is != nil {
				require.ErrorIs(t, d.Err, tc.is, name)
			}
			require.LessOrEqual(t, time.Since(began), 150*time.Millisecond, name)
		}
		time.Sleep(2 * time.Minute) // the store that hung returns, and its goroutine ends
	})
}

// What the app's own rules take counts, and a store that could answer only too
// late is not asked.
func TestNoTimeLeftForTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := warmGate(t, newProvider(), completions(func(context.Context, store.Key) (bool, error) {
			t.Error("the store was asked")
			return false, nil
		}), &gate.Options{Target: func(context.Context, gate.Visitor) bool { time.Sleep(150 * time.Millisecond); return true }})
		require.ErrorIs(t, g.Decide(t.Context(), ada).Err, context.DeadlineExceeded)
	})
}

// A store that never answers is asked by a bounded number of goroutines.
func TestLookUpsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		release := make(chan struct{})
		g := warmGate(t, newProvider(), completions(func(context.Context, store.Key) (bool, error) {
			asked.Add(1)
			<-release
			return false, nil
		}), nil)
		for i := range 2000 {
			go g.Decide(t.Context(), gate.Visitor{UserID: user(i)})
		}
		time.Sleep(time.Second)
		require.EqualValues(t, 256, asked.Load())
		close(release)
		synctest.Wait()
		require.Equal(t, gate.ReasonEligible, g.Decide(t.Context(), gate.Visitor{UserID: "ada"}).Reason)
	})
}

// The store's answer does not hang on the request: a browser that leaves would
// otherwise close a pooled connection in mid-query.
func TestStoreIsAskedOnADetachedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), detachedKey{}, "kept"))
	cancel()
	g := warmGate(t, newProvider(), completions(func(ctx context.Context, _ store.Key) (bool, error) {
		_, has := ctx.Deadline()
		return !has || ctx.Value(detachedKey{}) != "kept", ctx.Err()
	}), &gate.Options{Timeout: 5 * time.Second})
	require.Equal(t, gate.ReasonEligible, g.Decide(ctx, gate.Visitor{UserID: "ada"}).Reason)
}

type detachedKey struct{}

// An answer that is there is used, however the goroutines that bring it are
// scheduled.
func TestNoAnswerOfTheStoreIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // where no time passes, so no deadline can be missed
		g := warmGate(t, newProvider(), nobodyCompleted, nil)
		var all sync.WaitGroup
		var lost atomic.Int32
		for range 8 {
			all.Go(func() {
				for range fewer(12_000) {
					if !g.Decide(t.Context(), ada).Ask() {
						lost.Add(1)
					}
				}
			})
		}
		all.Wait()
		require.Zero(t, lost.Load())
	})
}

// peeking is a store that answers from memory what it can.
type peeking struct {
	completions
	completed, known bool
}

func TestPeek(t *testing.T) {
	t.Parallel()
	never := completions(func(context.Context, store.Key) (bool, error) { return false, errors.New("asked") })
	for _, tc := range []struct {
		done peeking
		is   gate.Reason
	}{
		{peeking{never, true, true}, gate.ReasonCompleted},
		{peeking{never, false, true}, gate.ReasonEligible},
		{peeking{never, true, false}, gate.ReasonUnavailable},
	} {
		g := warmGate(t, newProvider(), tc.done, nil)
		require.Equal(t, tc.is, g.Decide(t.Context(), gate.Visitor{UserID: "ada"}).Reason)
	}
}

func (p peeking) Peek(store.Key) (bool, bool)           { return p.completed, p.known }
func (peeking) PeekPerson(string) (*store.Person, bool) { return nil, false }
