package gate

import (
	"sync"
	"sync/atomic"
	"time"
)

// holdFor is how long a click holds a place: an interview takes about ten minutes.
const holdFor = 20 * time.Minute

// holds keeps the places of users who have followed the prompt and have not
// completed the interview yet, because the provider counts a place only then. Each
// process keeps its own; those of the last places are leased in the store, too.
type holds struct {
	n      atomic.Int64 // len(byUser)
	mu     sync.Mutex
	byUser map[string]hold
}

type hold struct {
	until       time.Time
	completedAt time.Time // zero while the interview goes on
}

// counts reports whether the hold takes a place that is not yet taken in s.
func (h hold) counts(s *study, now time.Time) bool {
	return now.Before(h.until) && (h.completedAt.IsZero() || !s.askedAt.After(h.completedAt))
}

// leavesPlace reports whether the study has a place that nobody else holds.
func (h *holds) leavesPlace(userID string, s *study, now time.Time) bool {
	if s.places < 0 || int64(s.places) > h.n.Load() {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.others(userID, s, now) < s.places
}

// take holds a place for the user. It reports false if there is none.
func (h *holds) take(userID string, s *study, now time.Time) bool {
	if s.places < 0 {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.others(userID, s, now) >= s.places {
		return false
	}
	if h.byUser == nil {
		h.byUser = map[string]hold{}
	}
	h.byUser[userID] = hold{until: now.Add(holdFor)}
	h.n.Store(int64(len(h.byUser)))
	return true
}

// others counts the places that other users hold, and forgets holds that have
// ended. It is called with mu held.
func (h *holds) others(userID string, s *study, now time.Time) (n int) {
	for id, own := range h.byUser {
		switch {
		case !own.counts(s, now):
			delete(h.byUser, id)
		case id != userID:
			n++
		}
	}
	h.n.Store(int64(len(h.byUser)))
	return n
}

// drop gives the user's place back.
func (h *holds) drop(userID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.byUser, userID)
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
