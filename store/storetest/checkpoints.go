package storetest

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// acquire requires that holder acquires the checkpoint, and returns its state.
func (s *subject) acquire(t *testing.T, name, holder string, lease time.Duration) string {
	t.Helper()
	state, acquired, err := s.Acquire(t.Context(), name, holder, lease)
	require.NoError(t, err, "Acquire")
	require.True(t, acquired, "acquired")
	return state
}

// isHeld requires that holder does not acquire it.
func (s *subject) isHeld(t *testing.T, name, holder string) {
	t.Helper()
	_, acquired, err := s.Acquire(t.Context(), name, holder, lease)
	require.NoError(t, err, "Acquire")
	require.False(t, acquired, "acquired while another holds it")
}

var checkpointCases = []contractCase{{
	name:  "new checkpoint",
	rule:  "a checkpoint that was never saved has the state \"\"",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		require.Empty(t, s.acquire(t, newID(), "a", lease))
	},
}, {
	name:  "one holder at a time",
	rule:  "while a lease runs nobody else acquires the checkpoint; the holder may acquire it again",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		name := newID()
		s.acquire(t, name, "a", lease)
		s.isHeld(t, name, "b")
		s.isHeld(t, name, "A")
		s.acquire(t, name, "a", lease)
		s.isHeld(t, name, "b")
		s.acquire(t, newID(), "b", lease)
	},
}, {
	name:  "acquiring again sets the end of the lease",
	rule:  "a holder that acquires its checkpoint again has it for the length of the new lease",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		name := newID()
		s.acquire(t, name, "a", 0)
		s.acquire(t, name, "a", lease)
		s.isHeld(t, name, "b")
		s.acquire(t, name, "a", 0)
		s.acquire(t, name, "b", lease)
	},
}, {
	name:  "a lease runs out",
	rule:  "once a lease is over another holder acquires the checkpoint with the state that was saved last, and the earlier one has lost it",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		name := newID()
		s.acquire(t, name, "a", lease)
		require.NoError(t, s.Save(t.Context(), name, "a", "cursor 1", 0))
		require.Equal(t, "cursor 1", s.acquire(t, name, "b", lease))
		require.ErrorIs(t, s.Save(t.Context(), name, "a", "cursor 2", lease), store.ErrLeaseLost)
		require.ErrorIs(t, s.Release(t.Context(), name, "a", "cursor 3"), store.ErrLeaseLost)
		s.isHeld(t, name, "a")
		require.Equal(t, "cursor 1", s.acquire(t, name, "b", lease))
	},
}, {
	name:  "save extends the lease",
	rule:  "Save keeps the state and extends the lease",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		name := newID()
		s.acquire(t, name, "a", 0)
		require.NoError(t, s.Save(t.Context(), name, "a", "1", lease))
		s.isHeld(t, name, "b")
		require.Equal(t, "1", s.acquire(t, name, "a", lease))
	},
}, {
	name:  "release ends the lease",
	rule:  "Release keeps the state and ends the lease at once",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		name := newID()
		s.acquire(t, name, "a", lease)
		require.NoError(t, s.Release(t.Context(), name, "a", "2"))
		require.Equal(t, "2", s.acquire(t, name, "b", lease))
		s.isHeld(t, name, "a")
	},
}, {
	name:  "save without a lease",
	rule:  "Save and Release return ErrLeaseLost and keep nothing unless the holder was the last to acquire the checkpoint",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		name := newID()
		require.ErrorIs(t, s.Save(t.Context(), name, "a", "x", lease), store.ErrLeaseLost)
		require.ErrorIs(t, s.Release(t.Context(), name, "a", "x"), store.ErrLeaseLost)
		s.acquire(t, name, "a", lease)
		require.ErrorIs(t, s.Save(t.Context(), name, "b", "x", lease), store.ErrLeaseLost)
		require.ErrorIs(t, s.Release(t.Context(), name, "b", "x"), store.ErrLeaseLost)
		require.Empty(t, s.acquire(t, name, "a", lease))
	},
}, {
	name:  "odd states",
	rule:  "a state is any valid UTF-8 of up to 4 KB, including the empty one",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		name := newID()
		s.acquire(t, name, "a", lease)
		for _, state := range []string{`{"cursor":"é 😀"}`, " x ", strings.Repeat("0123456789abcdef", 256), ""} {
			require.NoError(t, s.Save(t.Context(), name, "a", state, lease))
			require.Equal(t, state, s.acquire(t, name, "a", lease))
		}
	},
}, {
	name:  "bad names",
	rule:  "a name and a holder are ids; bad ones are refused with ErrInvalid",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		for what, bad := range badIDs {
			_, _, err := s.Acquire(t.Context(), bad, "a", lease)
			refused(t, err, what)
			_, _, err = s.Acquire(t.Context(), newID(), bad, lease)
			refused(t, err, what)
			refused(t, s.Save(t.Context(), bad, "a", "", lease), what)
			refused(t, s.Save(t.Context(), newID(), bad, "", lease), what)
			refused(t, s.Release(t.Context(), bad, "a", ""), what)
		}
	},
}, {
	name:  "many want one checkpoint",
	rule:  "of many holders at once exactly one acquires the checkpoint",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		for range 3 {
			name := newID()
			var got atomic.Int32
			atOnce(20, func(int) {
				_, acquired, err := s.Acquire(t.Context(), name, newID(), lease)
				if err != nil {
					t.Errorf("Acquire: %v", err)
				}
				if acquired {
					got.Add(1)
				}
			})
			require.EqualValues(t, 1, got.Load(), "holders")
		}
	},
}}
