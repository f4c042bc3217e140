package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
)

// deleting counts the calls of DeleteExpired, and may fail them.
type deleting struct {
	*memstore.Store
	calls   atomic.Int64
	failing atomic.Bool
}

func (d *deleting) DeleteExpired(ctx context.Context, what store.Expirable, before time.Time, limit int) (int, error) {
	d.calls.Add(1)
	if d.failing.Load() {
		return 0, errors.New("test: the store is down")
	}
	return d.Store.DeleteExpired(ctx, what, before, limit)
}

func TestRetention(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		s := &deleting{Store: memstore.New()}
		source := &fakeInterviews{}
		source.add(completed(interviewID, "ada"))
		log, logger := newLog()
		ctx, stop := context.WithCancel(t.Context())
		for range 2 { // replicas
			h, err := webhook.New(secret, s, &webhook.Options{Client: source, Studies: []string{studyID}, ReconcileEvery: time.Hour, Retention: 30 * day, Logger: logger})
			require.NoError(t, err)
			go func() { _ = h.Run(ctx) }()
		}
		wait := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		letters := func() (n int) {
			for _, err := range s.DeadLetters(t.Context()) {
				require.NoError(t, err)
				n++
			}
			return n
		}
		for i := range 1200 { // more than two batches
			require.NoError(t, s.AddDeadLetter(t.Context(), store.DeadLetter{ReceivedAt: time.Now(), Reason: "schema", Body: fmt.Append(nil, i)}))
		}

		wait(29 * day)
		_, err := s.Transcript(t.Context(), interviewID)
		require.NoError(t, err, "not old enough")
		require.Equal(t, 1200, letters())
		require.NotContains(t, log.String(), "Retention")

		s.calls.Store(0)
		wait(12 * time.Hour)
		require.InDelta(t, 12*3, s.calls.Load(), 3, "once an hour each kind, however many replicas")

		s.failing.Store(true)
		wait(day)
		require.Equal(t, 1200, letters())
		s.failing.Store(false)
		wait(2 * time.Hour)
		_, err = s.Transcript(t.Context(), interviewID)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Zero(t, letters())
		done, err := s.Completed(t.Context(), store.Key{StudyID: studyID, UserID: "ada"})
		require.NoError(t, err)
		require.True(t, done, "nobody is asked again")
		require.Contains(t, log.String(), "deleted what was older than Options.Retention")
		require.Contains(t, log.String(), "the store is down")

		wait(day)
		_, err = s.Transcript(t.Context(), interviewID)
		require.ErrorIs(t, err, store.ErrNotFound, "reconciliation does not fetch it again")
		stop()
		synctest.Wait()
	})
}

func TestRetentionNeedsAStoreThatDeletes(t *testing.T) {
	t.Parallel()
	_, err := webhook.New(secret, struct{ store.Store }{memstore.New()}, &webhook.Options{Retention: time.Hour})
	require.ErrorContains(t, err, "store.Retention")
	_, err = webhook.New(secret, memstore.New(), &webhook.Options{Retention: -time.Hour})
	require.ErrorContains(t, err, "Retention is negative")
}
