package webhook

import "sync/atomic"

// An edge logs only the transitions of a boolean state, not each sign of it.
type edge struct{ is atomic.Bool }

// changed sets the state and reports whether it was another before.
func (e *edge) changed(to bool) bool {
	return e.is.Load() != to && e.is.Swap(to) != to
}

// now returns the state.
func (e *edge) now() bool { return e.is.Load() }
