package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// TestOptOutCountsWhateverCameBefore changes a user's mind faster than a clock ticks, and
// behind a replica whose clock is ahead.
func TestOptOutCountsWhateverCameBefore(t *testing.T) {
	t.Parallel()
	answer := func(kind store.InteractionKind, at time.Time) store.Interaction {
		return store.Interaction{Key: store.Key{UserID: "ada"}, Kind: kind, At: at}
	}
	for name, before := range map[string][]store.Interaction{
		"nothing":                       nil,
		"never, an hour ahead":          {answer(store.InteractionOptedOut, time.Now().Add(time.Hour))},
		"never and back, an hour ahead": {answer(store.InteractionOptedOut, time.Now()), answer(store.InteractionUndone, time.Now().Add(time.Hour))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := store.NewCached(memstore.New(), nil)
			i, _ := store.As[store.Interactions](s)
			for _, b := range before {
				require.NoError(t, i.Note(t.Context(), b))
			}
			for n := range 40 {
				out := n%2 == 0
				require.NoError(t, store.OptOut(t.Context(), s, "ada", out))
				is, err := store.OptedOut(t.Context(), s, "ada")
				require.NoError(t, err)
				require.Equal(t, out, is, "change %d", n)
			}
			is, err := store.OptedOut(t.Context(), s, "bob")
			require.NoError(t, err)
			require.False(t, is)
		})
	}
}

// TestOptOutCountsWhateverIsCached changes a user's mind after another replica, whose
// clock is ahead, has done so without this one's cache.
func TestOptOutCountsWhateverIsCached(t *testing.T) {
	t.Parallel()
	shared := memstore.New()
	s := store.NewCached(shared, nil)
	out, err := store.OptedOut(t.Context(), s, "ada") // and caches it
	require.NoError(t, err)
	require.False(t, out)
	elsewhere := store.Interaction{Key: store.Key{UserID: "ada"}, Kind: store.InteractionOptedOut, At: time.Now().Add(time.Hour)}
	require.NoError(t, shared.Note(t.Context(), elsewhere))
	require.NoError(t, store.OptOut(t.Context(), s, "ada", false))
	for _, s := range []store.Store{shared, s} {
		out, err := store.OptedOut(t.Context(), s, "ada")
		require.NoError(t, err)
		require.False(t, out)
	}
}

func TestOptOutErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		store store.Store
		user  string
		want  error
	}{
		"a store without answers": {bare{memstore.New()}, "ada", errors.ErrUnsupported},
		"an id that is none":      {memstore.New(), "", store.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, store.OptOut(t.Context(), tt.store, tt.user, true), tt.want)
			_, err := store.OptedOut(t.Context(), tt.store, tt.user)
			require.ErrorIs(t, err, tt.want)
		})
	}
}

// bare has the two methods of a store and no capabilities.
type bare struct{ store.Store }
