package storetest_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"golang.org/x/text/unicode/norm"
)

// Each type below is a Memory that breaks one rule of the contract.

type everyFirst struct {
	*memstore.Store
}

func (s *everyFirst) Record(ctx context.Context, c store.Completion) (bool, error) {
	_, err := s.Store.Record(ctx, c)
	return err == nil, err
}

type racyFirst struct {
	*memstore.Store
	mu   sync.Mutex
	seen map[string]bool
}

func (s *racyFirst) Record(ctx context.Context, c store.Completion) (bool, error) {
	s.mu.Lock()
	seen := s.seen[c.InterviewID]
	s.mu.Unlock()
	for range 100 {
		runtime.Gosched()
	}
	_, err := s.Store.Record(ctx, c)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[c.InterviewID] = true
	return !seen, err
}

type lastWins struct {
	*memstore.Store
	mu   sync.Mutex
	last map[string]store.Completion
}

func (s *lastWins) Record(ctx context.Context, c store.Completion) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[c.InterviewID] = c
	return s.Store.Record(ctx, c)
}

func (s *lastWins) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	return listed{s.Store, func(cs []store.Completion) []store.Completion {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, c := range cs {
			cs[i] = s.last[c.InterviewID]
		}
		return cs
	}}.Completions(ctx, f)
}

type dropsLate struct {
	*memstore.Store
	mu   sync.Mutex
	seen map[string]bool
}

func (s *dropsLate) Record(ctx context.Context, c store.Completion) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[c.InterviewID] {
		return false, nil
	}
	s.seen[c.InterviewID] = true
	return s.Store.Record(ctx, c)
}

// record spoils what is recorded.
type record struct {
	*memstore.Store
	spoil func(c *store.Completion)
}

func (s record) Record(ctx context.Context, c store.Completion) (bool, error) {
	s.spoil(&c)
	return s.Store.Record(ctx, c)
}

// listed spoils what is listed.
type listed struct {
	*memstore.Store
	spoil func([]store.Completion) []store.Completion
}

func (s listed) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	return func(yield func(store.Completion, error) bool) {
		var all []store.Completion
		for c, err := range s.Store.Completions(ctx, f) {
			if err != nil {
				yield(c, err)
				return
			}
			all = append(all, c)
		}
		for _, c := range s.spoil(all) {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func sortByID(cs []store.Completion) []store.Completion {
	slices.SortFunc(cs, func(a, b store.Completion) int { return cmp.Compare(a.InterviewID, b.InterviewID) })
	return cs
}

// keyed spoils keys.
type keyed struct {
	*memstore.Store
	spoil func(k store.Key) store.Key
}

func (s keyed) Completed(ctx context.Context, k store.Key) (bool, error) {
	return s.Store.Completed(ctx, s.spoil(k))
}

func (s keyed) Record(ctx context.Context, c store.Completion) (bool, error) {
	c.Key = s.spoil(c.Key)
	return s.Store.Record(ctx, c)
}

func both(f func(string) string) func(store.Key) store.Key {
	return func(k store.Key) store.Key { return store.Key{StudyID: f(k.StudyID), UserID: f(k.UserID)} }
}

var (
	foldCase  = both(strings.ToLower)
	trimIDs   = both(func(id string) string { return strings.TrimRight(id, " ") })
	normalise = both(norm.NFC.String)
	cutIDs    = both(func(id string) string { return id[:min(len(id), 255)] })
	mendIDs   = both(func(id string) string {
		id = strings.ToValidUTF8(id, "")
		id = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, id)
		return id[:min(len(id), store.MaxIDLen)]
	})
)

func joinIDs(k store.Key) store.Key {
	if k.StudyID == "" || k.UserID == "" {
		return k
	}
	return store.Key{StudyID: k.StudyID[:1], UserID: k.StudyID[1:] + ":" + k.UserID}
}

type tellsIDs struct{ *memstore.Store }

func (s tellsIDs) Record(ctx context.Context, c store.Completion) (bool, error) {
	first, err := s.Store.Record(ctx, c)
	if err != nil {
		err = fmt.Errorf("recording %v: %w", c, err)
	}
	return first, err
}

type heedless struct{ *memstore.Store }

func (s heedless) Record(ctx context.Context, c store.Completion) (bool, error) {
	return s.Store.Record(context.WithoutCancel(ctx), c)
}

func (s heedless) Completed(ctx context.Context, k store.Key) (bool, error) {
	return s.Store.Completed(context.WithoutCancel(ctx), k)
}

type unclosed struct{ *memstore.Store }

func (unclosed) Close() error { return nil }

type replayed struct {
	*memstore.Store
	mu   sync.Mutex
	done map[store.Key]bool
}

func (s *replayed) Record(ctx context.Context, c store.Completion) (bool, error) {
	first, err := s.Store.Record(ctx, c)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done[c.Key] = s.done[c.Key] || err == nil && !first
	return first, err
}

func (s *replayed) Completed(ctx context.Context, k store.Key) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done, err := s.Store.Completed(ctx, k)
	return done || s.done[k], err
}

type stickyReset struct {
	*memstore.Store
	mu    sync.Mutex
	reset map[store.Key]bool
}

func (s *stickyReset) Reset(ctx context.Context, k store.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reset[k] = true
	return s.Store.Reset(ctx, k)
}

func (s *stickyReset) Completed(ctx context.Context, k store.Key) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done, err := s.Store.Completed(ctx, k)
	return done && !s.reset[k], err
}

type wideReset struct{ *memstore.Store }

func (s wideReset) Reset(ctx context.Context, k store.Key) error {
	for c, err := range s.Completions(ctx, store.Filter{StudyID: k.StudyID}) {
		if err != nil {
			return err
		}
		if err := s.Store.Reset(ctx, c.Key); err != nil {
			return err
		}
	}
	return s.Store.Reset(ctx, k)
}

type eraseAsks struct {
	*memstore.Store
	mu   sync.Mutex
	gone map[string]bool
}

func (s *eraseAsks) Erase(ctx context.Context, user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone[user] = true
	return s.Store.Erase(ctx, user)
}

func (s *eraseAsks) Completed(ctx context.Context, k store.Key) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done, err := s.Store.Completed(ctx, k)
	return done && !s.gone[k.UserID], err
}

type keepsTranscripts struct {
	*memstore.Store
	kept map[string]store.Transcript
}

func (s *keepsTranscripts) SaveTranscript(ctx context.Context, j store.Job, t store.Transcript) error {
	err := s.Store.SaveTranscript(ctx, j, t)
	if err == nil {
		s.kept[j.InterviewID] = t
	}
	return err
}

func (s *keepsTranscripts) Transcript(ctx context.Context, id string) (store.Transcript, error) {
	if t, ok := s.kept[id]; ok {
		return t, nil
	}
	return s.Store.Transcript(ctx, id)
}

type resurrects struct {
	*memstore.Store
	kept map[string]store.Transcript
}

func (s *resurrects) SaveTranscript(ctx context.Context, j store.Job, t store.Transcript) error {
	s.kept[j.InterviewID] = t
	return s.Store.SaveTranscript(ctx, j, t)
}

func (s *resurrects) Transcript(ctx context.Context, id string) (store.Transcript, error) {
	t, err := s.Store.Transcript(ctx, id)
	if kept, ok := s.kept[id]; err != nil && ok {
		return kept, nil
	}
	return t, err
}

// forgetsErasure gives an erased user a new life at the next Record.
type forgetsErasure struct {
	*memstore.Store
	mu    sync.Mutex
	lives map[string]int
}

func (s *forgetsErasure) alive(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return user + strings.Repeat("'", s.lives[user])
}

func (s *forgetsErasure) Erase(ctx context.Context, user string) error {
	err := s.Store.Erase(ctx, s.alive(user))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lives[user]++
	return err
}

func (s *forgetsErasure) Record(ctx context.Context, c store.Completion) (bool, error) {
	c.UserID = s.alive(c.UserID)
	return s.Store.Record(ctx, c)
}

func (s *forgetsErasure) Completed(ctx context.Context, k store.Key) (bool, error) {
	done, err := s.Store.Completed(ctx, k)
	if done || err != nil {
		return done, err
	}
	return s.Store.Completed(ctx, store.Key{StudyID: k.StudyID, UserID: s.alive(k.UserID)})
}

type noErase struct{ *memstore.Store }

func (noErase) Erase(context.Context, string) error { return nil }

// locked holds a lock while it lists.
type locked struct {
	*memstore.Store
	mu sync.Mutex
}

func (s *locked) Record(ctx context.Context, c store.Completion) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.Record(ctx, c)
}

func (s *locked) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	return func(yield func(store.Completion, error) bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.Store.Completions(ctx, f)(yield)
	}
}

type timeless struct{ *memstore.Store }

func (s timeless) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	f.Since = time.Time{}
	return s.Store.Completions(ctx, f)
}

// bodies spoils transcripts.
type bodies struct {
	*memstore.Store
	spoil func([]byte) []byte
}

func (s bodies) SaveTranscript(ctx context.Context, j store.Job, t store.Transcript) error {
	t.Body = s.spoil(t.Body)
	return s.Store.SaveTranscript(ctx, j, t)
}

func mendBody(b []byte) []byte { return bytes.ToValidUTF8(b, []byte("?")) }

type shared struct {
	*memstore.Store
	kept map[string]store.Transcript
}

func (s *shared) SaveTranscript(ctx context.Context, j store.Job, t store.Transcript) error {
	s.kept[j.InterviewID] = t
	return s.Store.SaveTranscript(ctx, j, t)
}

func (s *shared) Transcript(_ context.Context, id string) (store.Transcript, error) {
	return s.kept[id], nil
}

type lastLetter struct{ *memstore.Store }

func (s lastLetter) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	for old, err := range s.Store.DeadLetters(ctx) {
		if err != nil {
			return err
		}
		if bytes.Equal(old.Body, d.Body) {
			if err := s.DeleteDeadLetter(ctx, old.ID); err != nil {
				return err
			}
		}
	}
	return s.Store.AddDeadLetter(ctx, d)
}

type anyHolder struct{ *memstore.Store }

func (s anyHolder) Acquire(ctx context.Context, name, _ string, lease time.Duration) (string, bool, error) {
	return s.Store.Acquire(ctx, name, "me", lease)
}

type lenientSave struct{ *memstore.Store }

func (s lenientSave) Save(ctx context.Context, name, holder, state string, lease time.Duration) error {
	if err := s.Store.Save(ctx, name, holder, state, lease); err != store.ErrLeaseLost {
		return err
	}
	return nil
}
