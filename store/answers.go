package store

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gocache "github.com/patrickmn/go-cache"
)

// answers remembers answers of Completed, at most size of them.
//
// go-cache has no bound of its own, and its sweep holds the write lock for as
// long as it walks the whole map. So there are two generations: new answers go
// into the young one; when that is half of the size, it becomes the old one
// and the old one is dropped whole. An answer that is used moves up. Each
// study has a go-cache of its own, so that a look-up builds no key.
//
// When an answer ends stands in the answer, on the monotonic clock: go-cache
// goes by the wall clock, which may jump, and takes a time to live that is
// already negative for one without end.
type answers struct {
	size int
	gens atomic.Pointer[generations]

	mu    sync.Mutex // held to change anything
	young int        // answers in the young generation
}

// generations are by study. The maps are not changed but replaced.
type generations struct {
	young, old map[string]*gocache.Cache
}

type answer struct {
	done bool
	ends time.Time
}

func newAnswers(size int) *answers {
	a := &answers{size: size}
	a.gens.Store(&generations{})
	return a
}

// get returns what is remembered about k.
func (a *answers) get(k Key) (done, known bool) {
	g := a.gens.Load()
	got, ok := find(g.young, k)
	aged := false
	if !ok {
		if got, aged = find(g.old, k); !aged {
			return false, false
		}
	}
	if !time.Now().Before(got.ends) {
		return false, false
	}
	if aged {
		a.put(k, got.done, got.ends, func() bool {
			now, ok := find(a.gens.Load().old, k)
			return ok && now == got // not dropped meanwhile
		})
	}
	return got.done, true
}

func find(gen map[string]*gocache.Cache, k Key) (*answer, bool) {
	users, ok := gen[k.StudyID]
	if !ok {
		return nil, false
	}
	v, ok := users.Get(k.UserID)
	if !ok {
		return nil, false
	}
	return v.(*answer), true
}

// put remembers an answer, if valid still says so under the lock. An open
// answer never takes the place of a completion.
func (a *answers) put(k Key, done bool, ends time.Time, valid func() bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !valid() {
		return
	}
	g := a.gens.Load()
	had, ok := find(g.young, k)
	if !ok {
		a.young++
		if had, ok = find(g.old, k); ok {
			g.old[k.StudyID].Delete(k.UserID)
		}
	}
	if ok && had.done && !done && time.Now().Before(had.ends) {
		done, ends = true, had.ends
	}
	users, ok := g.young[k.StudyID]
	if !ok {
		users = gocache.New(gocache.NoExpiration, 0) // 0: its janitor could not be stopped
		young := maps.Clone(g.young)
		if young == nil {
			young = map[string]*gocache.Cache{}
		}
		young[strings.Clone(k.StudyID)] = users
		a.gens.Store(&generations{young: young, old: g.old})
	}
	users.Set(strings.Clone(k.UserID), &answer{done, ends}, gocache.NoExpiration)
	if a.young >= max(a.size/2, 1) {
		a.gens.Store(&generations{old: a.gens.Load().young})
		a.young = 0
	}
}

// drop forgets k.
func (a *answers) drop(k Key) {
	a.dropIf(k, func(*answer) bool { return true })
}

// dropOpen forgets that k is open.
func (a *answers) dropOpen(k Key) {
	a.dropIf(k, func(had *answer) bool { return !had.done })
}

func (a *answers) dropIf(k Key, condition func(*answer) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.gens.Load()
	if had, ok := find(g.young, k); ok && condition(had) {
		g.young[k.StudyID].Delete(k.UserID)
		a.young--
	}
	if had, ok := find(g.old, k); ok && condition(had) {
		g.old[k.StudyID].Delete(k.UserID)
	}
}

// dropUser forgets the user in every study.
func (a *answers) dropUser(userID string) {
	g := a.gens.Load()
	for study := range g.young {
		a.drop(Key{study, userID})
	}
	for study := range g.old {
		a.drop(Key{study, userID})
	}
}
