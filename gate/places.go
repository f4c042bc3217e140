package gate

import (
	"context"
	"crypto/hmac"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce/store"
)

const (
	// fewPlaces is the greatest number of places that is shared through the store.
	// While a study has more, the holds of each process are enough.
	fewPlaces = 50
	// maxListed bounds the list when earlier holds are added to it: it must fit in the
	// 4 KB of a checkpoint's state.
	maxListed = 100

	listLease  = 2 * time.Second // how long other replicas wait if the process dies
	refusalAge = time.Second     // how long a full list is not read again
	clockDrift = 2 * time.Second // between replicas
	// settleFor is longer than an answer of the provider is used at a click.
	settleFor = time.Minute
)

// places shares the last places of a study between replicas. A checkpoint of the store
// lists the users who hold one. A click leases the checkpoint, changes the list and
// releases it, in two calls.
type places struct {
	checkpoints store.Checkpoints // nil if the store has none
	turn        chan struct{}     // held by the click that uses the store

	// The list as it was last written, and its study. turn guards them.
	latest   heldPlaces
	latestOf string
	latestAt time.Time

	tidy *time.Timer // empties the list once the last hold has ended
}

// A heldPlaces is the list of one study.
type heldPlaces struct {
	// Key keys the hashes of the users. A new list has a new one.
	Key    string      `json:"k"`
	Places []heldPlace `json:"p"`
}

type heldPlace struct {
	User string `json:"u,omitempty"` // hash; empty once the interview is completed
	// Time is when the hold ends, as a Unix time. For a completed interview, the
	// provider's answers up to then may not include it.
	Time int64 `json:"t"`
}

// readHeld reads a list and drops the holds that have ended. An unreadable list counts
// as empty, because holds are short and clicks must go on.
func readHeld(state string, now time.Time) (h heldPlaces) {
	if json.Unmarshal([]byte(state), &h) != nil {
		h = heldPlaces{}
	}
	h.Places = slices.DeleteFunc(h.Places, func(p heldPlace) bool {
		if p.User == "" {
			return now.Unix() >= p.Time+int64(settleFor/time.Second)
		}
		return now.Unix() >= p.Time
	})
	if len(h.Places) == 0 {
		return heldPlaces{Key: crand.Text()}
	}
	return h
}

func (h *heldPlaces) state() string {
	if len(h.Places) == 0 {
		return ""
	}
	state, _ := json.Marshal(h) // of strings and numbers
	return string(state)
}

func (h *heldPlaces) hash(userID string) string {
	mac := hmac.New(sha256.New, []byte(h.Key))
	mac.Write([]byte(userID))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:8])
}

func (h *heldPlaces) index(userID string) int {
	user := h.hash(userID)
	return slices.IndexFunc(h.Places, func(p heldPlace) bool { return p.User == user })
}

// leavesPlace reports whether the user has or may take one of the study's places.
func (h *heldPlaces) leavesPlace(userID string, s *study) bool {
	user, open, settling := h.hash(userID), 0, 0
	for _, p := range h.Places {
		switch {
		case p.User == user:
			return true
		case p.User != "":
			open++
		case s.askedAt.Unix() <= p.Time:
			settling++
		}
	}
	return open+settling < s.places
}

// put holds a place for the user.
func (h *heldPlaces) put(userID string, until time.Time) {
	p := heldPlace{h.hash(userID), until.Unix() + 1}
	if i := h.index(userID); i >= 0 {
		h.Places[i].Time = max(h.Places[i].Time, p.Time)
	} else {
		h.Places = append(h.Places, p)
	}
}

// complete turns the user's hold into a place that counts until the provider's answers
// include the interview.
func (h *heldPlaces) complete(userID string, at time.Time) {
	if i := h.index(userID); i >= 0 {
		h.Places[i] = heldPlace{Time: at.Add(clockDrift).Unix() + 1}
	}
}

// areShared reports whether the places of s are few enough to be held in the store.
func (p *places) areShared(s *study) bool {
	return p.checkpoints != nil && s.places >= 0 && s.places <= fewPlaces
}

// take holds a place in the store for the user, and reports whether there was one. It
// also adds the process's holds that are not in the store yet.
func (p *places) take(ctx context.Context, s *study, userID string, own *holds) (taken bool, err error) {
	if err := p.enter(ctx); err != nil {
		return false, err
	}
	defer p.leave()
	// Simultaneous clicks wait for each other. Once one of them has found no place, the
	// others need not look.
	if p.latestOf == s.ID && time.Since(p.latestAt) < refusalAge && !p.latest.leavesPlace(userID, s) {
		return false, nil
	}
	var until time.Time
	err = p.change(ctx, s.ID, func(h *heldPlaces, now time.Time) {
		own.eachUnshared(now, func(userID string, until time.Time) {
			if len(h.Places) < maxListed {
				h.put(userID, until)
			}
		})
		if taken = h.leavesPlace(userID, s); taken {
			until = now.Add(holdFor)
			h.put(userID, until)
		}
	})
	if err != nil {
		return false, err
	}
	if taken {
		own.put(userID, until)
		p.tidy.Reset(holdFor + clockDrift) // in case there is no later click
	}
	own.reconcile(&p.latest)
	return taken, nil
}

func (p *places) enter(ctx context.Context) error {
	select {
	case p.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("gate: other clicks hold the list of held places: %w", ctx.Err())
	}
}

func (p *places) leave() { <-p.turn }

// change changes the list of a study in the store. While another replica holds the
// lease, it tries again until ctx ends. It may call do several times.
func (p *places) change(ctx context.Context, studyID string, do func(h *heldPlaces, now time.Time)) error {
	name := "places/" + studyID
	for {
		// The holder's name stays in the store, so it must not identify the user. A new
		// one for each attempt reveals a lost lease.
		holder := crand.Text()
		state, acquired, err := p.checkpoints.Acquire(ctx, name, holder, listLease)
		if err != nil {
			return err
		}
		if acquired {
			now := time.Now()
			h := readHeld(state, now)
			do(&h, now)
			err := p.release(ctx, name, holder, h.state())
			if err == nil {
				p.latest, p.latestOf, p.latestAt = h, studyID, now
			}
			if !errors.Is(err, store.ErrLeaseLost) {
				return err
			}
		}
		select {
		case <-time.After(5*time.Millisecond + rand.N(10*time.Millisecond)):
		case <-ctx.Done():
			return fmt.Errorf("gate: other replicas hold the list of held places: %w", ctx.Err())
		}
	}
}

// release ignores the end of ctx, so that a click that timed out does not block other
// replicas until the lease ends.
func (p *places) release(ctx context.Context, name, holder, state string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listLease)
	defer cancel()
	return p.checkpoints.Release(ctx, name, holder, state)
}

// hold holds a place for a visitor who has clicked. The reason is ReasonFull if there is
// none: others have clicked in the meantime.
func (g *Gate) hold(ctx context.Context, q *question) (Reason, error) {
	s, id := q.study, q.visitor.UserID
	if !g.places.areShared(s) {
		if g.holds.take(id, s, q.now) {
			return ReasonEligible, nil
		}
		return ReasonFull, nil
	}
	taken, err := lookUp(ctx, q, "Acquire", func(ctx context.Context) (bool, error) { return g.places.take(ctx, s, id, &g.holds) })
	switch {
	case err != nil:
		return ReasonUnavailable, err
	case taken:
		return ReasonEligible, nil
	}
	return ReasonFull, nil
}

// tidyPlaces removes the users' hashes from the store after the last hold has ended.
func (g *Gate) tidyPlaces() {
	if known := g.capacity.snapshot.Load().known; known != nil {
		g.changePlaces(known.ID, func(*heldPlaces, time.Time) {})
	}
}

// endHold ends the hold of a user who has completed the interview, on all replicas. It
// never waits.
func (g *Gate) endHold(k store.Key, now time.Time) {
	g.holds.completed(k.UserID, now)
	known := g.capacity.snapshot.Load().known // any limited study: another replica may know of fewer places
	if g.places.checkpoints == nil || k.UserID == "" || known != nil && known.places < 0 {
		return
	}
	g.changePlaces(k.StudyID, func(h *heldPlaces, _ time.Time) { h.complete(k.UserID, now) })
}

// changePlaces changes the list of a study in the background. If that fails, the holds
// time out.
func (g *Gate) changePlaces(studyID string, do func(h *heldPlaces, now time.Time)) {
	select {
	case g.lookups <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-g.lookups }()
		var err error // needs no handling
		defer g.recovered("the store's Acquire", &err)
		ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
		defer cancel()
		if g.places.enter(ctx) == nil {
			defer g.places.leave()
			_ = g.places.change(ctx, studyID, do)
		}
	}()
}

// holdFor is how long a click holds a place. An interview takes about ten minutes.
const holdFor = 20 * time.Minute

// holds are the places of users who have opened the interview and not completed it yet,
// which the provider does not count. Each process keeps its own. Those of the last places
// are also in the store.
type holds struct {
	n      atomic.Int64 // len(byUser)
	mu     sync.Mutex
	byUser map[string]hold
}

type hold struct {
	until       time.Time
	completedAt time.Time // zero while the interview goes on
	shared      bool      // also in the store's list
}

// counts reports whether the hold takes a place that s still counts as free.
func (h hold) counts(s *study, now time.Time) bool {
	return now.Before(h.until) && (h.completedAt.IsZero() || !s.askedAt.After(h.completedAt))
}

// leavesPlace reports whether the user has or may take one of the study's places.
func (h *holds) leavesPlace(userID string, s *study, now time.Time) bool {
	if s.places < 0 || int64(s.places) > h.n.Load() {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leaves(userID, s, now)
}

// take holds a place for the user, and reports whether there was one.
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

// leaves is leavesPlace with mu held. It drops the holds that have ended.
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

// put adds a hold that the user has in the store.
func (h *holds) put(userID string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keep(userID, hold{until: until, shared: true})
}

// eachUnshared calls do with the holds that are not in the store's list yet.
func (h *holds) eachUnshared(now time.Time, do func(userID string, until time.Time)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, own := range h.byUser {
		if !own.shared && own.completedAt.IsZero() && now.Before(own.until) {
			do(id, own.until)
		}
	}
}

// reconcile marks the holds that are in the store's list as shared, and drops those that
// another replica has ended.
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

// completed makes the user's hold end with the next answer of the provider.
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
