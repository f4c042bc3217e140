package middleware

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// memo caches what was computed from a string, in bounded memory: every string has one
// place, where another may replace it. It is safe for concurrent use. A lookup takes no
// lock, for which the processors would contend, and allocates nothing.
//
// Without it, every page would parse Accept-Language and verify and decrypt its cookies
// again.
type memo[V any] struct {
	seed   maphash.Seed
	places [memoPlaces]atomic.Pointer[remembrance[V]]
}

type remembrance[V any] struct {
	key   string
	value V
}

const memoPlaces = 4096

func newMemo[V any]() *memo[V] { return &memo[V]{seed: maphash.MakeSeed()} }

func (m *memo[V]) place(key string) *atomic.Pointer[remembrance[V]] {
	return &m.places[maphash.String(m.seed, key)%memoPlaces]
}

// get returns nil for what is not known. What it points to must not be changed.
func (m *memo[V]) get(key string) *V {
	if r := m.place(key).Load(); r != nil && r.key == key {
		return &r.value
	}
	return nil
}

func (m *memo[V]) put(key string, v V) {
	key = strings.Clone(key) // it may be a small part of a large header
	m.place(key).Store(&remembrance[V]{key, v})
}
