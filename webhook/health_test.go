package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

func (b *bubble) health() webhook.Health {
	got, err := b.Health(b.t.Context())
	require.NoError(b.t, err)
	return got
}

func TestHealth(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		require.Equal(t, webhook.Health{}, b.health())

		begun := store.Instant(time.Now())
		b.receive("int-1", "ada")
		b.wait(time.Hour)
		b.receive("int-2", "bob")
		require.Equal(t, webhook.Health{Pending: 2, OldestPending: begun}, b.health())

		// The key is refused after the first walk through the list.
		b.source.pages = append(b.source.pages, func() error { return nil }, func() error { return status(401, 0) })
		b.answer(fails(userjourneys.ErrTooLarge), fails(status(404, 0)), fails(status(401, 0)))
		started := time.Now().UTC()
		b.run()
		b.wait(time.Minute)
		got := b.health()
		require.Equal(t, 1, got.Pending)
		require.Equal(t, 1, got.Dead)
		require.True(t, got.KeyRefused)
		require.Equal(t, started, got.LastReconcile)

		b.source.add(completed("int-1", "ada"), completed("int-2", "bob"))
		b.wait(20 * time.Minute)
		got = b.health()
		require.False(t, got.KeyRefused)
		require.Zero(t, got.Pending)
		require.WithinDuration(t, time.Now(), got.LastReconcile, 11*time.Minute)

		require.NoError(t, b.Close())
		require.True(t, b.health().Closed)
		j, err := json.Marshal(webhook.Health{Pending: 3})
		require.NoError(t, err)
		require.JSONEq(t, `{"pending":3,"dead":0,"key_refused":false,"closed":false}`, string(j))
	})
}

func TestHealthKnowsOfOtherReplicas(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		b.run()
		b.wait(time.Minute)
		other, err := webhook.New(secret, b.store, &webhook.Options{Client: b.source, Studies: []string{studyID}, Logger: discard})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(b.t.Context())
		defer stop()
		go func() { _ = other.Run(ctx) }()
		b.wait(time.Hour)
		got, err := other.Health(ctx)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), got.LastReconcile, 21*time.Minute)
		stop()
		synctest.Wait()
	})
}

func TestHealthIsBoundedAndFailsWithTheStore(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	h, err := webhook.New(secret, s, &webhook.Options{Logger: discard})
	require.NoError(t, err)
	for n := range 1500 {
		_, err := s.Record(t.Context(), store.Completion{Key: store.Key{StudyID: studyID}, InterviewID: fmt.Sprint(n), CompletedAt: time.Now()})
		require.NoError(t, err)
	}
	got, err := h.Health(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1000, got.Pending)
	require.NoError(t, s.Close())
	_, err = h.Health(t.Context())
	require.ErrorIs(t, err, store.ErrClosed)

	bare, err := webhook.New(secret, bareStore{}, &webhook.Options{Logger: discard})
	require.NoError(t, err)
	_, err = bare.Health(t.Context())
	require.NoError(t, err)
}

// bareStore has no optional capability.
type bareStore struct{}

func (bareStore) Completed(context.Context, store.Key) (bool, error) { return false, nil }
func (bareStore) Record(context.Context, store.Completion) (bool, error) {
	return false, errors.New("test")
}
