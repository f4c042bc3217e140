package gate

import (
	"hash/maphash"
	"math"
	"sync"
)

// pace keeps a study that is nearly full from being offered to everybody: it
// lets in as many users as the places left need at the expected uptake.
//
// With the size of the audience known, that is a share of it, drawn by the
// user's id: the same on every replica, and nothing is remembered. Otherwise
// this process hands out numbered slots, first come, first served. A user keeps
// the number, and may be asked while it is below the number of users needed; so
// whoever is left out stays out while the places only shrink.
//
// A new week or month of the study's limit is for other users: those of the
// last one have had their chance, and the study would wait for them in vain.
type pace struct {
	uptake   float64 // 0: no pacing
	audience int     // 0: unknown

	seed   maphash.Seed
	mu     sync.RWMutex
	period string
	slots  map[uint64]int // of this period, by a hash of the user's id
}

// maxSlots bounds the memory to about 4 MB. A study that needs more users is
// not near its limit.
const maxSlots = 100_000

func newPace(uptake float64, audience int) *pace {
	return &pace{uptake: uptake, audience: audience, seed: maphash.MakeSeed(), slots: map[uint64]int{}}
}

// wanted is how many users the study's places need, +Inf for everybody.
func (p *pace) wanted(e *entry) float64 {
	left := e.places
	if left < 0 {
		return math.Inf(1)
	}
	return math.Ceil(float64(left) / p.uptake)
}

// pass reports whether the user may be asked. It takes no slot.
func (p *pace) pass(e *entry, userID string) bool {
	wanted := p.wanted(e)
	switch {
	case p.audience > 0:
		share := wanted / float64(p.audience)
		// Another draw than the sample's, or the two would cut the same users.
		return share >= 1 || inShare(draw(e.period, e.study.ID, userID), share)
	case wanted > maxSlots:
		return true
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	slot := 0
	if e.period <= p.period {
		slot = p.slot(p.hash(userID))
	}
	return float64(slot) < wanted
}

// admit is pass for a user who passed every check, and takes the slot.
func (p *pace) admit(e *entry, userID string) bool {
	if p.uptake == 0 || p.audience > 0 {
		return true // pass has said all
	}
	wanted := p.wanted(e)
	if wanted > maxSlots {
		return true
	}
	h := p.hash(userID)
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.period > p.period {
		p.period = e.period
		clear(p.slots)
	}
	slot := p.slot(h)
	if float64(slot) >= wanted {
		return false
	}
	p.slots[h] = slot
	return true
}

// slot is the user's, or the next one that is free.
func (p *pace) slot(user uint64) int {
	if slot, has := p.slots[user]; has {
		return slot
	}
	return len(p.slots)
}

func (p *pace) hash(userID string) uint64 { return maphash.String(p.seed, userID) }
