package memstore

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
	"iter"
	"math/bits"
	"strings"
	"time"

	"github.com/askonce/askonce/store"
)

// interviews are the completions of a Memory. Each is a few bytes in one of
// large blocks, found through two tables; texts that many share are kept once.
// Nothing of it has a pointer, so that millions cost the garbage collector
// nothing. It takes no lock.
//
// In a block an interview is
//
//	flags            1 byte
//	quality          4 bytes, little-endian: which of words
//	study            which of studies
//	user             length and bytes; zeros once the user was erased
//	interview        length and bytes
//	completed at     microseconds
//	duration         nanoseconds
//	language         which of words
//	until            microseconds, where flagUntil is set
//
// with numbers as varints unless it says otherwise. A reference is the place in
// all blocks taken together, in units of refUnit bytes.
type interviews struct {
	seed           maphash.Seed
	studies, words texts
	blocks         [][]byte
	byID, byUser   refTable
}

const (
	flagReset  = 1 << iota // it does not count any more
	flagErased             // it belongs to somebody who was erased
	flagUntil
)

const (
	blockSize     = 1 << 18
	refUnit       = 4
	blockRefs     = blockSize / refUnit
	maxBlocks     = 1<<32/blockRefs - 1 // the last reference is refRemoved
	qualityOffset = 1
	studyOffset   = 5
)

var errMemoryFull = errors.New("store: a Memory holds no more than 16 GB of completions")

func newInterviews() *interviews {
	is := &interviews{seed: maphash.MakeSeed()}
	is.words.of("") // so that 0 is none
	return is
}

// texts numbers texts that many have in common.
type texts struct {
	all     []string
	numbers map[string]uint32
}

func (t *texts) of(text string) uint32 {
	n, known := t.numbers[text]
	if !known {
		if t.numbers == nil {
			t.numbers = map[string]uint32{}
		}
		n = uint32(len(t.all))
		text = strings.Clone(text)
		t.all = append(t.all, text)
		t.numbers[text] = n
	}
	return n
}

// hash is keyed: nobody outside can make ids that collide.
func (is *interviews) hash(studyID, userID string) uint64 {
	return bits.RotateLeft64(maphash.String(is.seed, studyID), 31) ^ maphash.String(is.seed, userID)
}

func (is *interviews) idHash(interviewID string) uint64 { return maphash.String(is.seed, interviewID) }

// entry is an interview as it stands in its block.
type entry struct {
	ref                              uint32
	bytes                            []byte // the interview's own, to the end of the block
	reset, erased                    bool
	quality, study, language         uint32
	user, interview                  []byte
	completedAt, durationNano, until int64
}

// hasUser reports whether the interview has a user.
func (e entry) hasUser() bool { return len(e.user) > 0 && !e.erased }

// at returns the entry that ref refers to.
func (is *interviews) at(ref uint32) entry {
	b := is.blocks[ref/blockRefs][ref%blockRefs*refUnit:]
	e := entry{
		ref: ref, bytes: b,
		reset: b[0]&flagReset != 0, erased: b[0]&flagErased != 0,
		quality: binary.LittleEndian.Uint32(b[qualityOffset:]),
		until:   never,
	}
	rest := b[studyOffset:]
	number := func() uint64 {
		v, n := binary.Uvarint(rest)
		rest = rest[n:]
		return v
	}
	text := func() []byte {
		n := number()
		t := rest[:n]
		rest = rest[n:]
		return t
	}
	signed := func() int64 {
		v, n := binary.Varint(rest)
		rest = rest[n:]
		return v
	}
	e.study = uint32(number())
	e.user, e.interview = text(), text()
	e.completedAt, e.durationNano = signed(), signed()
	e.language = uint32(number())
	if b[0]&flagUntil != 0 {
		e.until = signed()
	}
	return e
}

// put writes c into the last block, or a new one.
func (is *interviews) put(c store.Completion, flags byte) (ref uint32, err error) {
	if !c.Until.IsZero() {
		flags |= flagUntil
	}
	b := append(make([]byte, 0, 1024), flags) // on the stack
	b = binary.LittleEndian.AppendUint32(b, is.words.of(c.Quality))
	b = binary.AppendUvarint(b, uint64(is.studies.of(c.StudyID)))
	for _, id := range []string{c.UserID, c.InterviewID} {
		b = append(binary.AppendUvarint(b, uint64(len(id))), id...)
	}
	b = binary.AppendVarint(b, c.CompletedAt.UnixMicro())
	b = binary.AppendVarint(b, int64(c.Duration))
	b = binary.AppendUvarint(b, uint64(is.words.of(c.Language)))
	if !c.Until.IsZero() {
		b = binary.AppendVarint(b, c.Until.UnixMicro())
	}
	last := len(is.blocks) - 1
	if last < 0 || len(is.blocks[last])+len(b)+refUnit > blockSize {
		if last++; last >= maxBlocks {
			return 0, errMemoryFull
		}
		is.blocks = append(is.blocks, append(make([]byte, 0, blockSize), 0, 0, 0, 0)) // no reference is refNone
	}
	block := &is.blocks[last]
	ref = uint32(last*blockRefs + len(*block)/refUnit)
	*block = append(*block, b...)
	for len(*block)%refUnit != 0 {
		*block = append(*block, 0)
	}
	return ref, nil
}

// add adds an interview that is not there yet.
func (is *interviews) add(c store.Completion, erased bool) (ref uint32, err error) {
	var flags byte
	if erased {
		flags = flagErased
	}
	if ref, err = is.put(c, flags); err != nil {
		return 0, err
	}
	is.byID.add(is.idHash(c.InterviewID), ref, func(ref uint32) uint64 {
		return maphash.Bytes(is.seed, is.at(ref).interview)
	})
	is.addUser(c.Key, ref)
	return ref, nil
}

func (is *interviews) addUser(k store.Key, ref uint32) {
	if k.UserID == "" {
		return
	}
	is.byUser.add(is.hash(k.StudyID, k.UserID), ref, func(ref uint32) uint64 {
		e := is.at(ref)
		return is.hash(is.studies.all[e.study], string(e.user))
	})
}

// find returns the interview of that id.
func (is *interviews) find(interviewID string) (entry, bool) {
	for slot := range is.byID.candidates(is.idHash(interviewID)) {
		if e := is.at(slot.ref()); string(e.interview) == interviewID {
			return e, true
		}
	}
	return entry{}, false
}

// ofUser yields the interviews of a user in a study. They may be changed
// meanwhile, but none be added.
func (is *interviews) ofUser(k store.Key) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		study, known := is.studies.numbers[k.StudyID]
		if !known {
			return
		}
		for slot := range is.byUser.candidates(is.hash(k.StudyID, k.UserID)) {
			if e := is.at(slot.ref()); e.study == study && string(e.user) == k.UserID && !yield(e) {
				return
			}
		}
	}
}

// among yields at least those that f selects.
func (is *interviews) among(f store.Filter) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		switch {
		case f.InterviewID != "":
			if e, ok := is.find(f.InterviewID); ok {
				yield(e)
			}
		case f.UserID != "":
			for _, study := range is.studies.all {
				for e := range is.ofUser(store.Key{StudyID: study, UserID: f.UserID}) {
					if !yield(e) {
						return
					}
				}
			}
		default:
			for ref := range is.byID.all() {
				if !yield(is.at(ref)) {
					return
				}
			}
		}
	}
}

// completion returns e as it is seen from outside.
func (is *interviews) completion(e entry) store.Completion {
	c := store.Completion{
		Key:         store.Key{StudyID: is.studies.all[e.study]},
		InterviewID: string(e.interview),
		CompletedAt: instant(e.completedAt),
		Quality:     is.words.all[e.quality],
		Language:    is.words.all[e.language],
		Duration:    time.Duration(e.durationNano),
		Until:       untilTime(e.until),
	}
	if e.hasUser() {
		c.UserID = string(e.user)
	}
	return c
}

func (is *interviews) setQuality(e entry, quality string) {
	binary.LittleEndian.PutUint32(e.bytes[qualityOffset:], is.words.of(quality))
}

func (is *interviews) reset(e entry) { e.bytes[0] |= flagReset }

// setUser gives an interview its user. There is no room for one where it
// stands, so it moves.
func (is *interviews) setUser(e entry, userID string) (ref uint32, err error) {
	c := is.completion(is.at(e.ref)) // with a quality that has just come
	c.UserID = userID
	if ref, err = is.put(c, 0); err != nil {
		return 0, err
	}
	for slot := range is.byID.candidates(is.idHash(c.InterviewID)) {
		if slot.ref() == e.ref {
			slot.set(is.idHash(c.InterviewID), ref)
		}
	}
	is.addUser(c.Key, ref)
	return ref, nil
}

// erase takes the user out of an interview for good.
func (is *interviews) erase(e entry) {
	if len(e.user) > 0 {
		h := is.hash(is.studies.all[e.study], string(e.user))
		for slot := range is.byUser.candidates(h) {
			if slot.ref() == e.ref {
				slot.set(h, refRemoved)
			}
		}
		clear(e.user)
	}
	e.bytes[0] |= flagErased
}
