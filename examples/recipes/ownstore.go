package recipes

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
)

// OwnStore is a store with the two required methods. Replace its map with your tables.
// Without optional capabilities such as [store.Transcripts], the features that need them
// are off. Test your store with storetest.Run, as recipes_test.go does.
type OwnStore struct {
	mu   sync.Mutex
	kept map[string]store.Completion // by interview
}

// Completed implements [store.Store]. In SQL it is a look-up by study and user.
func (s *OwnStore) Completed(ctx context.Context, k store.Key) (bool, error) {
	if err := cmp.Or(store.CheckKey(k), ctx.Err()); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.kept {
		if c.Key == k && !c.Ignored && (c.Until.IsZero() || time.Now().Before(c.Until)) {
			return true, nil
		}
	}
	return false, nil
}

// Record implements [store.Store]. Use one transaction, and return nil only once it is
// on disk: the webhook then answers 200.
func (s *OwnStore) Record(ctx context.Context, c store.Completion) (first bool, err error) {
	if err := cmp.Or(store.CheckCompletion(c), ctx.Err()); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[string]store.Completion{}
	}
	have, again := s.kept[c.InterviewID]
	if again {
		if have.Quality == "" && c.Quality != "" { // the score comes later, with the policy's final verdict
			have.Quality, have.Until, have.Ignored = c.Quality, c.Until, c.Ignored
		}
		have.UserID = cmp.Or(have.UserID, c.UserID)
		c = have
	}
	s.kept[c.InterviewID] = c
	return !again, nil
}
