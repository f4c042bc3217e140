package storetest

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// acquire wants holder to get the checkpoint, and returns its state.
func (s *subject) acquire(t *testing.T, name, holder string, now time.Time) string {
	t.Helper()
	state, held, err := s.Acquire(t.Context(), name, holder, now, lease)
	require.NoError(t, err, "Acquire")
	require.False(t, held, "held by another")
	return state
}

// isHeld wants holder not to get it.
func (s *subject) isHeld(t *testing.T, name, holder string, now time.Time) {
	t.Helper()
	_, held, err := s.Acquire(t.Context(), name, holder, now, lease)
	require.NoError(t, err, "Acquire")
	require.True(t, held, "held by another")
}

var checkpointCases = []contractCase{{
	name:  "new checkpoint",
	rule:  "a checkpoint that was never saved has the state \"\"",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		require.Empty(t, s.acquire(t, newID(), "a", base))
	},
}, {
	name:  "one holder at a time",
	rule:  "while a lease runs nobody else gets the checkpoint; the holder may acquire it again, which prolongs the lease",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		name := newID()
		s.acquire(t, name, "a", base)
		s.isHeld(t, name, "b", base)
		s.isHeld(t, name, "A", base)
		s.isHeld(t, name, "b", base.Add(lease-time.Millisecond))
		s.acquire(t, name, "a", base.Add(lease/2))
		s.isHeld(t, name, "b", base.Add(lease))
		s.acquire(t, newID(), "b", base)
	},
}, {
	name:  "a lease runs out",
	rule:  "from now+lease on another holder gets the checkpoint with the state that was saved last, and the earlier one has lost it",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		name := newID()
		s.acquire(t, name, "a", base)
		require.NoError(t, s.Save(t.Context(), name, "a", "cursor 1", base.Add(lease)))
		require.Equal(t, "cursor 1", s.acquire(t, name, "b", base.Add(lease)))
		require.ErrorIs(t, s.Save(t.Context(), name, "a", "cursor 2", base.Add(2*lease)), store.ErrLeaseLost)
		s.isHeld(t, name, "a", base.Add(lease))
		require.Equal(t, "cursor 1", s.acquire(t, name, "b", base.Add(lease)))
	},
}, {
	name:  "save sets the end of the lease",
	rule:  "Save keeps the state and sets the end of the lease; a time that is not after the present releases it",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		name := newID()
		s.acquire(t, name, "a", base)
		require.NoError(t, s.Save(t.Context(), name, "a", "1", base.Add(3*lease)))
		s.isHeld(t, name, "b", base.Add(3*lease-time.Millisecond))
		require.NoError(t, s.Save(t.Context(), name, "a", "2", base))
		require.Equal(t, "2", s.acquire(t, name, "b", base))
	},
}, {
	name:  "save without a lease",
	rule:  "Save of a checkpoint that nobody or another acquired is ErrLeaseLost and keeps nothing",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		name := newID()
		require.ErrorIs(t, s.Save(t.Context(), name, "a", "x", base), store.ErrLeaseLost)
		s.acquire(t, name, "a", base)
		require.ErrorIs(t, s.Save(t.Context(), name, "b", "x", base.Add(lease)), store.ErrLeaseLost)
		require.Empty(t, s.acquire(t, name, "a", base))
	},
}, {
	name:  "odd states",
	rule:  "a state is any valid UTF-8 of up to 4 KB, and empty again when so saved",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		name := newID()
		s.acquire(t, name, "a", base)
		for _, state := range []string{`{"cursor":"é 😀"}`, " x ", strings.Repeat("0123456789abcdef", 256), ""} {
			require.NoError(t, s.Save(t.Context(), name, "a", state, base.Add(lease)))
			require.Equal(t, state, s.acquire(t, name, "a", base))
		}
	},
}, {
	name:  "bad names",
	rule:  "a name and a holder are ids; bad ones are refused with ErrInvalid",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		for what, bad := range badIDs {
			_, _, err := s.Acquire(t.Context(), bad, "a", base, lease)
			refused(t, err, what)
			_, _, err = s.Acquire(t.Context(), newID(), bad, base, lease)
			refused(t, err, what)
			refused(t, s.Save(t.Context(), bad, "a", "", base), what)
			refused(t, s.Save(t.Context(), newID(), bad, "", base), what)
		}
	},
}, {
	name:  "many want one checkpoint",
	rule:  "of many holders at once exactly one gets the checkpoint",
	needs: checkpoints,
	run: func(t *testing.T, s *subject) {
		name := newID()
		for round := range 3 {
			var got atomic.Int32
			atOnce(20, func(int) {
				_, held, err := s.Acquire(t.Context(), name, newID(), base.Add(time.Duration(round)*lease), lease)
				if err != nil {
					t.Errorf("Acquire: %v", err)
				}
				if !held {
					got.Add(1)
				}
			})
			require.EqualValues(t, 1, got.Load(), "holders")
		}
	},
}}
