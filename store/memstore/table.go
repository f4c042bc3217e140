package memstore

import (
	"encoding/binary"
	"iter"
)

// refTable finds by hash where things are: a hash table of 32-bit references
// that takes 6 to 10 bytes for each and has no pointers for the garbage
// collector to follow. Whoever looks something up compares what it finds; the
// table itself knows nothing about what the references refer to. It may hold
// several of one hash.
//
// It is cut into shards that grow by themselves, so that no call waits for
// more than a part of it.
type refTable [256]refShard

// refShard is open addressing with linear probing, at most four fifths full.
type refShard struct {
	slots []refSlot
	used  int // also by what was removed
}

// refSlot is a byte of the hash, so that few of the wrong references are
// followed, and the reference. It has no padding.
type refSlot [5]byte

// References that a slot may have, beside true ones.
const (
	refNone    = 0
	refRemoved = 1<<32 - 1
)

func (s *refSlot) ref() uint32 { return binary.LittleEndian.Uint32(s[1:]) }

func (s *refSlot) set(h uint64, ref uint32) {
	s[0] = byte(h)
	binary.LittleEndian.PutUint32(s[1:], ref)
}

// shard goes by the upper byte of the hash, first by the bits below it, and the
// byte in the slot is the lowest one.
func (t *refTable) shard(h uint64) *refShard { return &t[h>>56] }

func (s *refShard) first(h uint64) int {
	return int(uint64(uint32(h>>24)) * uint64(len(s.slots)) >> 32)
}

func (s *refShard) after(i int) int {
	if i++; i < len(s.slots) {
		return i
	}
	return 0
}

// candidates yields the slots whose references may have been added with h. They
// may be changed meanwhile, but nothing be added.
func (t *refTable) candidates(h uint64) iter.Seq[*refSlot] {
	return func(yield func(*refSlot) bool) {
		s := t.shard(h)
		if len(s.slots) == 0 {
			return
		}
		for i := s.first(h); ; i = s.after(i) {
			slot := &s.slots[i]
			switch ref := slot.ref(); {
			case ref == refNone:
				return
			case slot[0] == byte(h) && ref != refRemoved && !yield(slot):
				return
			}
		}
	}
}

// add adds ref; hash tells what those that are there already were added with.
func (t *refTable) add(h uint64, ref uint32, hash func(ref uint32) uint64) {
	s := t.shard(h)
	if s.used >= len(s.slots)*4/5 {
		s.grow(hash)
	}
	s.insert(h, ref)
}

func (s *refShard) insert(h uint64, ref uint32) {
	i := s.first(h)
	for s.slots[i].ref() != refNone {
		i = s.after(i)
	}
	s.slots[i].set(h, ref)
	s.used++
}

func (s *refShard) grow(hash func(ref uint32) uint64) {
	old := s.slots
	*s = refShard{slots: make([]refSlot, max(8, len(old)+len(old)/2))}
	for i := range old {
		if ref := old[i].ref(); ref != refNone && ref != refRemoved {
			s.insert(hash(ref), ref)
		}
	}
}

// all yields every reference.
func (t *refTable) all() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i := range t {
			for j := range t[i].slots {
				if ref := t[i].slots[j].ref(); ref != refNone && ref != refRemoved && !yield(ref) {
					return
				}
			}
		}
	}
}
