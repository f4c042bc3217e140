package store

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gocache "github.com/patrickmn/go-cache"
)

// users caches what is known about at most size users.
//
// go-cache has no limit, and its sweep holds the write lock while it walks the whole map.
// So there are two generations. New entries go into the young one. When it holds half of
// size, it replaces the old one, which is dropped as a whole. Entries carry their age by
// the monotonic clock, because go-cache uses the wall clock, which may jump.
type users struct {
	size int
	gens atomic.Pointer[generations]
	seed maphash.Seed

	mu     sync.Mutex // held to change gens, young or an epoch
	young  int        // entries in the young generation
	epochs [256]atomic.Uint64
}

type generations struct{ young, old *gocache.Cache }

// remembered is what is known about one user. It is immutable.
type remembered struct {
	asked   time.Time // when the look-up of person began
	person  *Person   // nil if the store has no Interactions
	studies []study
}

type study struct {
	id        string
	completed bool
	ends      time.Time // of the completion; zero if never
	asked     time.Time
}

// with returns a copy of r with one study added or replaced. r may be nil.
func (r *remembered) with(s study) *remembered {
	n := &remembered{studies: []study{s}}
	if r != nil {
		for _, had := range r.studies {
			if had.id != s.id {
				n.studies = append(n.studies, had)
			}
		}
	}
	return n
}

func newUsers(size int) *users {
	u := &users{size: size, seed: maphash.MakeSeed()}
	u.gens.Store(&generations{newGeneration(), newGeneration()})
	return u
}

// newGeneration sets no cleanup interval, because go-cache's janitor cannot be stopped.
func newGeneration() *gocache.Cache { return gocache.New(gocache.NoExpiration, 0) }

// get returns what is remembered about a user, or nil.
func (u *users) get(userID string) *remembered {
	g := u.gens.Load()
	if v, ok := g.young.Get(userID); ok {
		return v.(*remembered)
	}
	v, ok := g.old.Get(userID)
	if !ok {
		return nil
	}
	r := v.(*remembered)
	u.mu.Lock()
	defer u.mu.Unlock()
	if now, ok := u.gens.Load().old.Get(userID); ok && now == v { // not forgotten in the meantime
		u.add(userID, r)
	}
	return r
}

// epoch counts the writes about a user, and about other users with the same counter. An
// answer from an earlier epoch is not cached.
func (u *users) epoch(userID string) uint64 { return u.counter(userID).Load() }

func (u *users) counter(userID string) *atomic.Uint64 {
	return &u.epochs[maphash.String(u.seed, userID)%uint64(len(u.epochs))]
}

// put remembers r if nothing has been written about the user since epoch.
func (u *users) put(userID string, r *remembered, epoch uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.epoch(userID) == epoch {
		u.add(userID, r)
	}
}

// add is called with mu held.
func (u *users) add(userID string, r *remembered) {
	g := u.gens.Load()
	if _, ok := g.young.Get(userID); !ok {
		u.young++
		g.old.Delete(userID)
	}
	g.young.Set(strings.Clone(userID), r, gocache.NoExpiration)
	if u.young >= max(u.size/2, 1) {
		u.gens.Store(&generations{young: newGeneration(), old: g.young})
		u.young = 0
	}
}

// forget drops what is cached about a user, and the results of look-ups in flight.
func (u *users) forget(userID string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.counter(userID).Add(1)
	g := u.gens.Load()
	if _, ok := g.young.Get(userID); ok {
		g.young.Delete(userID)
		u.young--
	}
	g.old.Delete(userID)
}

// forgetAll is forget for every user.
func (u *users) forgetAll() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.epochs {
		u.epochs[i].Add(1)
	}
	u.gens.Store(&generations{newGeneration(), newGeneration()})
	u.young = 0
}
