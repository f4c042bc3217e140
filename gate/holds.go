package gate

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// holdFor is how long a click holds a place: an interview takes about ten minutes.
const holdFor = 20 * time.Minute

// holds keeps the places of users who have followed the prompt and have not
// completed the interview yet, because the provider counts a place only then. Each
// process keeps its own; those of the last places are shared in the store, too.
type holds struct {
	n      atomic.Int64 // len(byUser)
	mu     sync.Mutex
	byUser map[string]hold
}

type hold struct {
	until       time.Time
	completedAt time.Time // zero while the interview goes on
	shared      bool      // it is in the store's list
}

// counts reports whether the hold takes a place that is not yet taken in s.
func (h hold) counts(s *study, now time.Time) bool {
	return now.Before(h.until) && (h.completedAt.IsZero() || !s.askedAt.After(h.completedAt))
}

// leavesPlace reports whether the user holds one of the study's places or may take
// one.
func (h *holds) leavesPlace(userID string, s *study, now time.Time) bool {
	if s.places < 0 || int64(s.places) > h.n.Load() {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leaves(userID, s, now)
}

// take holds a place for the user. It reports false if there is none.
func (h *holds) take(userID string, s *study, now time.Time) bool {
	if s.places < 0 {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.leaves(userID, s, now) {
		return false
	}
	h.keep(userID, hold{until: now.Add(holdFor)})
	return true
}

// leaves is leavesPlace with mu held. It forgets holds that have ended.
func (h *holds) leaves(userID string, s *study, now time.Time) bool {
	maps.DeleteFunc(h.byUser, func(_ string, own hold) bool { return !own.counts(s, now) })
	h.n.Store(int64(len(h.byUser)))
	_, has := h.byUser[userID]
	return has || len(h.byUser) < s.places
}

// keep is called with mu held.
func (h *holds) keep(userID string, own hold) {
	if h.byUser == nil {
		h.byUser = map[string]hold{}
	}
	h.byUser[userID] = own
	h.n.Store(int64(len(h.byUser)))
}

// put holds a place that the user has taken in the store.
func (h *holds) put(userID string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keep(userID, hold{until: until, shared: true})
}

// eachUnshared calls do with the holds that the store's list does not have yet.
func (h *holds) eachUnshared(now time.Time, do func(userID string, until time.Time)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, own := range h.byUser {
		if !own.shared && own.completedAt.IsZero() && now.Before(own.until) {
			do(id, own.until)
		}
	}
}

// reconcile compares the holds with the store's list, and forgets those that have
// ended at another replica.
func (h *holds) reconcile(list *heldPlaces) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, own := range h.byUser {
		if list.index(id) >= 0 {
			own.shared = true
			h.byUser[id] = own
		} else if own.shared {
			delete(h.byUser, id)
		}
	}
	h.n.Store(int64(len(h.byUser)))
}

// completed ends the user's hold with the next answer of the provider.
func (h *holds) completed(userID string, now time.Time) {
	if h.n.Load() == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if own, ok := h.byUser[userID]; ok {
		own.completedAt = now
		h.byUser[userID] = own
	}
}
