package recipes

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
)

// OwnStore is a store with the two required methods. Replace its maps with your
// tables. What needs an optional capability, such as [store.Transcripts], is not
// done with it. storetest.Run proves it, see the test beside this file.
type OwnStore struct {
	mu    sync.Mutex
	kept  map[string]store.Completion // by interview
	marks map[store.Key]time.Time     // the end of the completion, or zero
}

// Completed implements store.Store.
func (s *OwnStore) Completed(ctx context.Context, k store.Key) (bool, error) {
	if err := cmp.Or(store.CheckKey(k), ctx.Err()); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.marks[k]
	return ok && (until.IsZero() || time.Now().Before(until)), nil
}

// Record implements store.Store. Use one transaction, and return nil only once
// it is on disk: the webhook then answers 200.
func (s *OwnStore) Record(ctx context.Context, c store.Completion) (first bool, err error) {
	if err := cmp.Or(store.CheckCompletion(c), ctx.Err()); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept, s.marks = map[string]store.Completion{}, map[store.Key]time.Time{}
	}
	have, again := s.kept[c.InterviewID]
	if again { // fill in only what was empty
		if have.Quality == "" {
			have.Quality = c.Quality
		}
		if have.UserID != "" || c.UserID == "" {
			s.kept[c.InterviewID] = have
			return false, nil
		}
		have.UserID = c.UserID
		c = have
	}
	s.kept[c.InterviewID] = c
	if until, ok := s.marks[c.Key]; c.UserID != "" && (!ok || !until.IsZero() && (c.Until.IsZero() || c.Until.After(until))) {
		s.marks[c.Key] = c.Until
	}
	return !again, nil
}
