package storetest_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/storetest"
)

// myStore is about the least that a store must be. The cases of the optional
// capabilities, of which it has none, are skipped.
type myStore struct {
	mu         sync.Mutex
	interviews map[string]store.Completion // by id
}

func (s *myStore) Completed(ctx context.Context, k store.Key) (bool, error) {
	if err := store.CheckKey(k); err != nil {
		return false, err
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.interviews {
		if c.Key == k && !c.Ignored && (c.Until.IsZero() || time.Now().Before(c.Until)) {
			return true, nil
		}
	}
	return false, nil
}

func (s *myStore) Record(ctx context.Context, c store.Completion) (first bool, err error) {
	if err := store.CheckCompletion(c); err != nil {
		return false, err
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known, repeated := s.interviews[c.InterviewID]
	if repeated {
		if known.Quality == "" && c.Quality != "" {
			known.Quality, known.Until, known.Ignored = c.Quality, c.Until, c.Ignored
		}
		if known.UserID == "" {
			known.UserID = c.UserID
		}
		c = known
	}
	s.interviews[c.InterviewID] = c
	return !repeated, nil
}

// In a file such as mystore_test.go, TestContract is a function of its own.
func ExampleRun() {
	TestContract := func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store {
			return &myStore{interviews: map[string]store.Completion{}} // an empty one for each case
		})
	}
	_ = TestContract
}

// A store that keeps its data elsewhere can be opened several times on it.
func ExampleRunModel() {
	TestModel := func(t *testing.T) {
		storetest.RunModel(t, func(t *testing.T) func(t *testing.T) store.Store {
			s := &myStore{interviews: map[string]store.Completion{}} // a new place for data
			return func(t *testing.T) store.Store { return s }       // a store on it
		})
	}
	_ = TestModel
}
