package memstore

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
)

// Memory keeps everything in the memory of this process. It is not durable:
// a restart forgets who has completed what, and those users are asked again.
// It serves tests, examples and a first try; for anything else use NewSQL.
//
// With ids of 36 bytes a completion takes about 110 bytes, with its job until
// that is done about 220; a transcript takes its size and about 150 bytes. All
// completions take 16 GB at most. A Memory has every optional capability and
// is safe for concurrent use.
type Store struct {
	mu         sync.RWMutex
	closed     bool
	interviews *interviews
	erased     map[uint64]bool  // users, by keyed hash
	marks      map[uint64]int64 // what erased users completed, by keyed hash: the end of it, as in untilMicros

	jobs        map[uint32]*memoryJob // by the interview's reference
	due         dueJobs               // those that are not dead
	claims      uint64
	transcripts map[uint32]memoryTranscript // by the interview's reference

	letters     map[string]store.DeadLetter
	checkpoints map[string]memoryCheckpoint
}

// New returns an empty Memory.
func New() *Store {
	return &Store{
		interviews:  newInterviews(),
		erased:      map[uint64]bool{},
		marks:       map[uint64]int64{},
		jobs:        map[uint32]*memoryJob{},
		transcripts: map[uint32]memoryTranscript{},
		letters:     map[string]store.DeadLetter{},
		checkpoints: map[string]memoryCheckpoint{},
	}
}

// live reports whether a completion that ends at until counts now.
func live(until time.Time) bool { return until.IsZero() || time.Now().Before(until) }

// Close makes every later call return ErrClosed.
func (m *Store) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// lock takes the lock for writing, unless the context or the store has ended.
func (m *Store) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return store.ErrClosed
	}
	return nil
}

// rlock is lock for reading.
func (m *Store) rlock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.RLock()
	if m.closed {
		m.mu.RUnlock()
		return store.ErrClosed
	}
	return nil
}

// Completed implements Store.
func (m *Store) Completed(ctx context.Context, k store.Key) (bool, error) {
	if err := store.CheckKey(k); err != nil {
		return false, err
	}
	if err := m.rlock(ctx); err != nil {
		return false, err
	}
	defer m.mu.RUnlock()
	return m.completed(k), nil
}

// Peek is Completed for callers that must not wait. It is always known, except
// for a key that Completed refuses and in a closed store.
func (m *Store) Peek(k store.Key) (completed, known bool) {
	if store.CheckKey(k) != nil {
		return false, false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.completed(k), !m.closed
}

func (m *Store) completed(k store.Key) bool {
	for e := range m.interviews.ofUser(k) {
		if !e.reset && live(untilTime(e.until)) {
			return true
		}
	}
	if len(m.marks) == 0 {
		return false
	}
	until, ok := m.marks[m.interviews.hash(k.StudyID, k.UserID)]
	return ok && live(untilTime(until))
}

// Record implements Store.
func (m *Store) Record(ctx context.Context, c store.Completion) (first bool, err error) {
	if err := store.CheckCompletion(c); err != nil {
		return false, err
	}
	c.CompletedAt, c.Until = store.Instant(c.CompletedAt), store.Instant(c.Until)
	if err := m.lock(ctx); err != nil {
		return false, err
	}
	defer m.mu.Unlock()
	e, known := m.interviews.find(c.InterviewID)
	gone := c.UserID != "" && len(m.erased) > 0 && m.erased[m.userHash(c.UserID)]
	switch {
	case known:
		return false, m.recordAgain(e, c, gone)
	case !gone:
		ref, err := m.interviews.add(c, false)
		if err != nil {
			return false, err
		}
		m.queue(ref, time.Now())
	default:
		k := c.Key
		c.UserID = ""
		if _, err := m.interviews.add(c, true); err != nil {
			return false, err
		}
		m.mark(k, untilMicros(c.Until))
	}
	return true, nil
}

// recordAgain fills in what an interview that is known already did not have.
func (m *Store) recordAgain(e entry, c store.Completion, gone bool) error {
	if e.quality == 0 && c.Quality != "" {
		m.interviews.setQuality(e, c.Quality)
	}
	if e.hasUser() || e.erased || c.UserID == "" {
		return nil
	}
	study := m.interviews.completion(e).StudyID
	if gone {
		m.forget(e.ref)
		m.interviews.erase(e)
		m.mark(store.Key{StudyID: study, UserID: c.UserID}, e.until)
		return nil
	}
	ref, err := m.interviews.setUser(e, c.UserID)
	if err == nil {
		m.move(e.ref, ref)
	}
	return err
}

// userHash is what remains of an erased user. No study is "", so it is no
// key's hash.
func (m *Store) userHash(userID string) uint64 { return m.interviews.hash("", userID) }

// mark notes that an erased user has completed a study; the later end counts.
func (m *Store) mark(k store.Key, until int64) {
	h := m.interviews.hash(k.StudyID, k.UserID)
	if old, ok := m.marks[h]; !ok || until > old {
		m.marks[h] = until
	}
}

// forget drops what an interview has left beside its completion.
func (m *Store) forget(ref uint32) {
	m.unqueue(ref)
	delete(m.transcripts, ref)
}

// move is forget for an interview that stands elsewhere now, and has it there.
func (m *Store) move(from, to uint32) {
	if j, ok := m.jobs[from]; ok {
		delete(m.jobs, from)
		m.jobs[to], j.ref = j, to
	}
	if t, ok := m.transcripts[from]; ok {
		delete(m.transcripts, from)
		m.transcripts[to] = t
	}
}

// Reset implements Resetter.
func (m *Store) Reset(ctx context.Context, k store.Key) error {
	if err := store.CheckKey(k); err != nil {
		return err
	}
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for e := range m.interviews.ofUser(k) {
		m.interviews.reset(e)
	}
	delete(m.marks, m.interviews.hash(k.StudyID, k.UserID))
	return nil
}

// Erase implements Eraser.
func (m *Store) Erase(ctx context.Context, userID string) error {
	if err := store.CheckID(userID); err != nil {
		return err
	}
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.erased[m.userHash(userID)] = true
	for _, study := range m.interviews.studies.all {
		k := store.Key{StudyID: study, UserID: userID}
		for e := range m.interviews.ofUser(k) {
			if !e.reset {
				m.mark(k, e.until)
			}
			m.forget(e.ref)
			m.interviews.erase(e)
		}
	}
	return nil
}

// Completions implements Lister.
func (m *Store) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	return func(yield func(store.Completion, error) bool) {
		if err := store.CheckFilter(f); err != nil {
			yield(store.Completion{}, err)
			return
		}
		if err := m.rlock(ctx); err != nil {
			yield(store.Completion{}, err)
			return
		}
		var found []store.Completion
		for e := range m.interviews.among(f) {
			c := m.interviews.completion(e)
			if (f.StudyID == "" || f.StudyID == c.StudyID) && (f.UserID == "" || f.UserID == c.UserID) && !c.CompletedAt.Before(f.Since) {
				found = append(found, c)
			}
		}
		m.mu.RUnlock()
		slices.SortFunc(found, func(a, b store.Completion) int {
			return cmp.Or(a.CompletedAt.Compare(b.CompletedAt), cmp.Compare(a.InterviewID, b.InterviewID))
		})
		yieldAll(ctx, found, yield)
	}
}

// yieldAll yields all, until the consumer or ctx ends it.
func yieldAll[T any](ctx context.Context, all []T, yield func(T, error) bool) {
	for _, v := range all {
		if err := ctx.Err(); err != nil {
			yield(*new(T), err)
			return
		}
		if !yield(v, nil) {
			return
		}
	}
}
