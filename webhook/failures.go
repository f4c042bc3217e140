package webhook

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce/internal/guard"
)

// Every call of the app's code, that is of its callbacks, its store and its
// Client, is made under call or catch, so that a panic costs only the interview
// that caused it.

// call calls f and returns its error. A panic of f is returned as an error.
func (h *Handler) call(place, interviewID string, f func() error) (err error) {
	defer h.catch(place, interviewID, &err)
	return f()
}

const storeTimeout = 5 * time.Second // of one call

// callDetached is call with a context that lasts for storeTimeout. It does not end
// with the request or with Run, so that a write to the store is not cut off.
func (h *Handler) callDetached(ctx context.Context, place, interviewID string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	return h.call(place, interviewID, func() error { return f(ctx) })
}

// catch must be deferred. It recovers a panic and logs it, once for each place and
// interview. It stores it in *err, unless that is set already: a loop that has
// returned early keeps its result if the iterator panics when it stops.
func (h *Handler) catch(place, interviewID string, err *error) {
	p := recover()
	if p == nil {
		return
	}
	panicked := guard.Recovered(p)
	if *err == nil {
		*err = panicked
	}
	if h.logged.add(place + " " + interviewID) {
		h.log.Error("askonce: the app's code panicked", "place", place, "interview", interviewID, "err", panicked, "stack", panicked.Stack)
	}
}

// An edge is a boolean state of which only the transitions are logged.
type edge struct{ atomic.Bool }

// changed sets the state and reports whether it differed before.
func (e *edge) changed(to bool) bool { return e.Load() != to && e.Swap(to) != to }

const (
	firstSkip = 10 * time.Minute
	maxSkip   = 24 * time.Hour
	maxNoted  = 10_000 // when there are more, any of them is forgotten
)

// noted remembers keys, so that what concerns one is logged once. The walks skip an
// interview that has been noted for a while, and for longer each time.
type noted struct {
	mu    sync.Mutex
	items map[string]note
}

type note struct {
	until time.Time
	wait  time.Duration
}

// add notes the key and reports whether it is new.
func (n *noted) add(key string) (first bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	had, known := n.items[key]
	if n.items == nil {
		n.items = map[string]note{}
	}
	if !known && len(n.items) >= maxNoted {
		for old := range n.items {
			delete(n.items, old)
			break
		}
	}
	wait := min(max(2*had.wait, firstSkip), maxSkip)
	n.items[key] = note{time.Now().Add(wait), wait}
	return !known
}

// skips reports whether to skip the key now.
func (n *noted) skips(key string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Now().Before(n.items[key].until)
}

// forget removes a key that has succeeded.
func (n *noted) forget(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.items, key)
}

// skip makes the walks skip an interview that cannot be recorded, and logs that once.
func (h *Handler) skip(ctx context.Context, e event, result Result, err error) {
	if h.unrecordable.add(e.interviewID) {
		h.log.ErrorContext(ctx, "askonce: interview cannot be recorded and is passed over", "interview", e.interviewID, "study", e.studyID, "reason", result, "err", err)
	}
}
