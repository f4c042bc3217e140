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
	"math/rand/v2"
	"slices"
	"time"

	"github.com/askonce/askonce/store"
)

const (
	// fewPlaces is how many places at most are held in the store. While a study has
	// more, the holds of each process are enough.
	fewPlaces = 50
	// maxListed bounds the list while holds are added that were made while there were
	// more places: it must fit in the 4 KB of a checkpoint's state.
	maxListed = 100

	listLease  = 2 * time.Second // blocks other replicas if the process dies
	refusalAge = time.Second     // how long a list that was full is not read again
	clockDrift = 2 * time.Second // between replicas
	// settleFor is longer than an answer of the provider is used at a click.
	settleFor = time.Minute
)

// places shares the last places of a study between replicas. The users who hold one
// are listed in a checkpoint of the store. A click leases the checkpoint, changes the
// list and releases it, which takes two calls.
type places struct {
	checkpoints store.Checkpoints // nil if the store has none
	turn        chan struct{}     // held by the click that is at the store

	// The list as it was last written, and its study. They belong to the holder of turn.
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
	// Time is when the hold ends, in seconds of Unix time. For a completed interview
	// it is until when the provider may have answered without counting it.
	Time int64 `json:"t"`
}

// readHeld reads a list and forgets what has ended. What cannot be read counts as
// empty, because holds are short and clicks must go on.
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

// leavesPlace reports whether the user has one of the study's places or may take one.
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

// complete replaces the user's hold by a place that counts until the provider's answers
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

// take holds a place in the store for the user. It reports false if there is none. The
// holds of the process that are not in the store yet are put there, too.
func (p *places) take(ctx context.Context, s *study, userID string, own *holds) (taken bool, err error) {
	if err := p.enter(ctx); err != nil {
		return false, err
	}
	defer p.leave()
	// Many who click at once wait for each other. Once one has found no place, the
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
		p.tidy.Reset(holdFor + clockDrift) // nobody may click any more
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

// change changes the list of a study in the store. While another replica has it, change
// tries again until ctx ends. It may call do several times.
func (p *places) change(ctx context.Context, studyID string, do func(h *heldPlaces, now time.Time)) error {
	name := "places/" + studyID
	for {
		// The holder stays in the store: it must say nothing about the user. A new
		// one for each attempt makes a lease that was lost known.
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

// hold holds a place for a visitor who has clicked. It reports false if there is
// none.
func (g *Gate) hold(ctx context.Context, q *question) (bool, error) {
	s, id := q.study, q.visitor.UserID
	if !g.places.areShared(s) {
		return g.holds.take(id, s, q.now()), nil
	}
	return lookUp(ctx, q, "Acquire", func(ctx context.Context) (bool, error) { return g.places.take(ctx, s, id, &g.holds) })
}

// tidyPlaces removes the users' hashes from the store after the last hold has ended.
func (g *Gate) tidyPlaces() {
	if known := g.capacity.latest().known; known != nil {
		g.changePlaces(known.ID, func(*heldPlaces, time.Time) {})
	}
}

// endHold ends the hold of a user who has completed the interview, on all replicas. It
// never blocks.
func (g *Gate) endHold(k store.Key, now time.Time) {
	g.holds.completed(k.UserID, now)
	known := g.capacity.latest().known // another replica may know of fewer places, so all limited studies share this
	if g.places.checkpoints == nil || k.UserID == "" || known != nil && known.places < 0 {
		return
	}
	g.changePlaces(k.StudyID, func(h *heldPlaces, _ time.Time) { h.complete(k.UserID, now) })
}

// changePlaces changes the list of a study in the background. If that fails, holds end
// by themselves.
func (g *Gate) changePlaces(studyID string, do func(h *heldPlaces, now time.Time)) {
	select {
	case g.lookups <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-g.lookups }()
		var err error // which changes nothing
		defer g.recovered("the store's Acquire", &err)
		ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
		defer cancel()
		if g.places.enter(ctx) == nil {
			defer g.places.leave()
			_ = g.places.change(ctx, studyID, do)
		}
	}()
}
