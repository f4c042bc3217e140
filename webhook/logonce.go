package webhook

import (
	"sync"
	"sync/atomic"
)

// An edge is a boolean state of which only the transitions are logged.
type edge struct{ is atomic.Bool }

// changed sets the state and reports whether it was another before.
func (e *edge) changed(to bool) bool {
	return e.is.Load() != to && e.is.Swap(to) != to
}

// now returns the state.
func (e *edge) now() bool { return e.is.Load() }

// once remembers what has been logged.
type once struct {
	mu   sync.Mutex
	seen map[[2]string]bool
}

const maxOnce = 1000 // events remembered; then all are forgotten

// first reports whether the event is new for the id.
func (o *once) first(event, id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := [2]string{event, id}
	if o.seen[key] {
		return false
	}
	if o.seen == nil || len(o.seen) >= maxOnce {
		o.seen = map[[2]string]bool{}
	}
	o.seen[key] = true
	return true
}
