package middleware

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// memo remembers what was worked out for a string, in bounded memory: every
// string has one place, which it may have to leave to another. It is safe for
// concurrent use. Finding something takes no lock, which the processors would
// share for the few values that most requests have, and allocates nothing.
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
