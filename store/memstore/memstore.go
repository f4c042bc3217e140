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

// A Store is a [store.Store] with every optional capability. It uses the process's clock
// and is safe for concurrent use.
type Store struct {
	mu     sync.RWMutex // guards everything below
	closed bool

	interviews map[string]*interview
	people     people
	funnel     map[funnelKey]*store.FunnelDay

	jobs        map[string]*job // by interview id
	due         dueJobs         // those that are not dead
	claims      int
	transcripts map[string]store.Transcript

	letters     map[string]store.DeadLetter
	checkpoints map[string]checkpoint
	switches    map[string]store.Switch
}

var _ interface {
	store.Store
	store.Transcripts
	store.Interactions
	store.Lister
	store.Eraser
	store.Resetter
	store.Retention
	store.DeadLetters
	store.Checkpoints
	store.Switches
} = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	return &Store{
		interviews:  map[string]*interview{},
		people:      newPeople(),
		funnel:      map[funnelKey]*store.FunnelDay{},
		jobs:        map[string]*job{},
		transcripts: map[string]store.Transcript{},
		letters:     map[string]store.DeadLetter{},
		checkpoints: map[string]checkpoint{},
		switches:    map[string]store.Switch{},
	}
}

// Close makes every later call return [store.ErrClosed].
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// lock takes the write lock, after the checks that every method makes.
func (s *Store) lock(ctx context.Context, invalid error) error {
	if err := cmp.Or(invalid, ctx.Err()); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return store.ErrClosed
	}
	return nil
}

// rlock is lock for reading.
func (s *Store) rlock(ctx context.Context, invalid error) error {
	if err := cmp.Or(invalid, ctx.Err()); err != nil {
		return err
	}
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return store.ErrClosed
	}
	return nil
}

type interview struct {
	store.Completion      // UserID is "" while nobody is known, and after an erasure
	gone             bool // known as an erased user's: it never gets a user again
	reset            bool // it no longer completes the study
}

// Completed implements [store.Store].
func (s *Store) Completed(ctx context.Context, k store.Key) (bool, error) {
	if err := s.rlock(ctx, store.CheckKey(k)); err != nil {
		return false, err
	}
	defer s.mu.RUnlock()
	return s.people.find(k.UserID).hasCompleted(k.StudyID), nil
}

// Record implements [store.Store].
func (s *Store) Record(ctx context.Context, c store.Completion) (first bool, err error) {
	if err := s.lock(ctx, store.CheckCompletion(c)); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	i, known := s.interviews[c.InterviewID]
	if !known {
		i = &interview{Completion: c}
		i.UserID, i.CompletedAt, i.Until = "", store.Instant(c.CompletedAt), store.Instant(c.Until)
		s.interviews[c.InterviewID] = i
		s.queue(c.InterviewID)
	} else if i.Quality == "" && c.Quality != "" {
		i.Quality, i.Until, i.Ignored = c.Quality, store.Instant(c.Until), c.Ignored
		if i.UserID != "" {
			s.completeAgain(i.Key)
		}
	}
	if i.UserID == "" && c.UserID != "" && !i.gone {
		s.attribute(i, c.UserID)
	}
	return !known, nil
}

// attribute gives an interview without a user to one.
func (s *Store) attribute(i *interview, userID string) {
	p := s.people.get(userID)
	if p.erased {
		i.gone = true
		s.forgetInterview(i.InterviewID)
	} else {
		i.UserID = userID
		p.interviews = append(p.interviews, i.InterviewID)
	}
	if !i.Ignored {
		s.complete(p, i)
	}
}

// complete records that an interview completes its study.
func (s *Store) complete(p *person, i *interview) {
	ends, done := p.completed[i.StudyID]
	if !done || !ends.IsZero() && (i.Until.IsZero() || i.Until.After(ends)) {
		p.completed[i.StudyID] = i.Until
	}
	s.count(p, i.StudyID, completed, i.CompletedAt)
}

// completeAgain determines again whether a user has completed a study.
func (s *Store) completeAgain(k store.Key) {
	p := s.people.get(k.UserID)
	delete(p.completed, k.StudyID)
	for _, id := range p.interviews {
		if i := s.interviews[id]; i.StudyID == k.StudyID && !i.Ignored && !i.reset {
			s.complete(p, i)
		}
	}
}

// forgetInterview drops an interview's transcript and job.
func (s *Store) forgetInterview(id string) {
	s.unqueue(id)
	delete(s.transcripts, id)
}

// Reset implements [store.Resetter].
func (s *Store) Reset(ctx context.Context, k store.Key) error {
	if err := s.lock(ctx, store.CheckKey(k)); err != nil {
		return err
	}
	defer s.mu.Unlock()
	p := s.people.get(k.UserID)
	delete(p.completed, k.StudyID)
	p.Reset(k.StudyID, time.Now())
	for _, id := range p.interviews {
		if i := s.interviews[id]; i.StudyID == k.StudyID {
			i.reset = true
		}
	}
	return nil
}

// Erase implements [store.Eraser].
func (s *Store) Erase(ctx context.Context, userID string) error {
	if err := s.lock(ctx, store.CheckID(userID)); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, id := range s.people.erase(userID) {
		i := s.interviews[id]
		i.UserID, i.gone = "", true
		s.forgetInterview(id)
	}
	return nil
}

// Completions implements [store.Lister]. It yields what was stored when it began.
func (s *Store) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	return func(yield func(store.Completion, error) bool) {
		if err := s.rlock(ctx, store.CheckFilter(f)); err != nil {
			yield(store.Completion{}, err)
			return
		}
		among := s.interviews
		if one, ok := among[f.InterviewID]; ok {
			among = map[string]*interview{f.InterviewID: one}
		}
		var found []store.Completion
		for _, i := range among {
			if f.Selects(i.Completion) {
				found = append(found, i.Completion)
			}
		}
		s.mu.RUnlock()
		slices.SortFunc(found, f.Compare)
		yieldAll(ctx, found, yield)
	}
}

// yieldAll yields a list until the consumer stops or ctx ends.
func yieldAll[T any](ctx context.Context, all []T, yield func(T, error) bool) {
	for _, one := range all {
		if err := ctx.Err(); err != nil {
			yield(*new(T), err)
			return
		}
		if !yield(one, nil) {
			return
		}
	}
}

func live(until time.Time) bool { return until.IsZero() || time.Now().Before(until) }
