package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/store/storetest"
)

func TestWithoutHooksNothingChanges(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return storetest.WithHooks(memstore.New(), storetest.Hooks{}) })
}

func TestHooksFailEveryMethod(t *testing.T) {
	t.Parallel()
	storetest.RunDamaged(t, func(t *testing.T) (store.Store, storetest.Backend) {
		failing := false
		hooks := storetest.Hooks{Before: func(_ context.Context, method string) error {
			if failing {
				return errors.New(method + " fails")
			}
			return nil
		}}
		return storetest.WithHooks(memstore.New(), hooks), storetest.Backend{Fail: func(_ *testing.T, fail bool) { failing = fail }}
	})
}

// A call can get through although its caller is told otherwise, and another replica
// can write while a call is under way.
func ExampleWithHooks() {
	ctx := context.Background()
	lost := errors.New("connection lost")
	s := storetest.WithHooks(memstore.New(), storetest.Hooks{After: func(_ context.Context, method string) error {
		if method == "Record" {
			return lost
		}
		return nil
	}})
	ada := store.Completion{Key: store.Key{StudyID: "onboarding", UserID: "ada"}, InterviewID: "i1"}
	fmt.Println(s.Record(ctx, ada))
	fmt.Println(s.Completed(ctx, ada.Key))
	// Output:
	// false connection lost
	// true <nil>
}
