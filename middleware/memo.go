package middleware

import (
	"hash/maphash"
	"strings"
	"sync"
)

// memo remembers what was worked out for a string, in bounded memory: when the
// young generation is full it becomes the old one, and the old one is
// forgotten. It is safe for concurrent use, and finding something allocates
// nothing.
type memo[V any] struct {
	seed   maphash.Seed
	shards [memoShards]memoShard[V]
}

type memoShard[V any] struct {
	mu         sync.RWMutex
	young, old map[string]V
}

const (
	memoShards = 16
	memoSize   = 128 // of one generation of one shard
)

func newMemo[V any]() *memo[V] { return &memo[V]{seed: maphash.MakeSeed()} }

func (m *memo[V]) shard(key string) *memoShard[V] {
	return &m.shards[maphash.String(m.seed, key)%memoShards]
}

func (m *memo[V]) get(key string) (v V, ok bool) {
	s := m.shard(key)
	s.mu.RLock()
	v, ok = s.young[key]
	inYoung := ok
	if !ok {
		v, ok = s.old[key]
	}
	s.mu.RUnlock()
	if ok && !inYoung {
		m.put(key, v)
	}
	return v, ok
}

func (m *memo[V]) put(key string, v V) {
	key = strings.Clone(key) // it may be a small part of a large header
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.young) >= memoSize {
		s.old, s.young = s.young, nil
	}
	if s.young == nil {
		s.young = make(map[string]V)
	}
	s.young[key] = v
}
