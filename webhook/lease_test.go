package webhook_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
)

func TestASlowHookRunsOnceOnAnyNumberOfReplicas(t *testing.T) {
	t.Parallel()
	for _, takes := range []time.Duration{150 * time.Second, 10 * time.Minute} {
		t.Run(takes.String(), func(t *testing.T) {
			t.Parallel()
			var calls, running, overlaps atomic.Int64
			hook := func(context.Context, store.Completion, store.Transcript) error {
				calls.Add(1)
				if running.Add(1) > 1 {
					overlaps.Add(1)
				}
				time.Sleep(takes)
				running.Add(-1)
				return nil
			}
			inBubble(t, webhook.Options{OnCompleted: hook, ReconcileEvery: -1}, func(b *bubble) {
				b.source.add(completed(interviewID, "ada"))
				other, err := webhook.New(secret, b.store, &webhook.Options{Client: b.source, Studies: []string{studyID}, OnCompleted: hook, ReconcileEvery: -1, Logger: discard})
				require.NoError(t, err)
				ctx, stop := context.WithCancel(b.t.Context())
				defer stop()
				go func() { _ = other.Run(ctx) }()
				b.run()
				b.receive(interviewID, "ada")
				b.wait(48 * time.Hour)
				require.EqualValues(t, 1, calls.Load())
				require.Zero(t, overlaps.Load())
				require.Empty(t, b.jobs(false))
				require.Empty(t, b.jobs(true))
				stop()
				synctest.Wait()
			})
		})
	}
}

// deafStore does not extend leases, so it hands out the jobs again.
type deafStore struct{ *memstore.Store }

func (deafStore) ExtendJob(context.Context, store.Job, time.Duration) error {
	return errors.New("test: the store is busy")
}

func TestAJobThatIsGivenOutAgainToItsHolderIsNotStartedTwice(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	s := deafStore{memstore.New()}
	hook := func(context.Context, store.Completion, store.Transcript) error {
		calls.Add(1)
		time.Sleep(10*time.Minute + time.Second) // not at the instant at which a lease ends
		return nil
	}
	synctestHandler(t, s, webhook.Options{OnCompleted: hook, ReconcileEvery: -1}, func(b *bubble) {
		b.store = s.Store
		b.source.add(completed(interviewID, "ada"))
		b.run()
		b.receive(interviewID, "ada")
		b.wait(time.Hour)
		require.EqualValues(t, 1, calls.Load())
		require.Empty(t, b.jobs(false))
		require.Contains(t, b.log.String(), "lease of a transcript job not extended")
	})
}

func TestALostLeaseIsLoggedAndEndsTheWork(t *testing.T) {
	t.Parallel()
	var ended error
	hook := func(ctx context.Context, _ store.Completion, _ store.Transcript) error {
		<-ctx.Done()
		ended = ctx.Err()
		return ended
	}
	inBubble(t, webhook.Options{OnCompleted: hook, ReconcileEvery: -1}, func(b *bubble) {
		b.source.add(completed(interviewID, "ada"))
		b.run()
		b.receive(interviewID, "ada")
		b.wait(time.Second)
		require.NoError(t, b.store.Erase(b.t.Context(), "ada"))
		b.wait(50 * time.Second)
		require.ErrorIs(t, ended, context.Canceled)
		require.Equal(t, 1, strings.Count(b.log.String(), "lease of a transcript job lost"))
		require.False(t, b.stored())
	})
}

func TestAReplicaWhoseClockIsAheadDelaysNoReconciliation(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		_, acquired, err := b.store.Acquire(b.t.Context(), "reconcile/"+studyID, "ahead", time.Minute)
		require.NoError(t, err)
		require.True(t, acquired)
		ahead := time.Now().Add(time.Hour).Format(time.RFC3339)
		require.NoError(t, b.store.Release(b.t.Context(), "reconcile/"+studyID, "ahead", `{"walked":"`+ahead+`","whole":"`+ahead+`"}`))
		b.run()
		_, first := b.source.counts()
		b.source.add(completed(interviewID, "ada"))
		b.wait(10*time.Minute + time.Second)
		_, second := b.source.counts()
		require.Equal(t, 1, second-first)
		require.Equal(t, 1, b.recorded())
	})
}
