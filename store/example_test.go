package store_test

import (
	"context"
	"fmt"
	"time"

	"github.com/askonce/askonce/store"
)

// The same interview may be told any number of times, and counts once.
func Example() {
	ctx := context.Background()
	done := store.NewMemory() // in production NewSQL
	ada := store.Key{StudyID: "onboarding", UserID: "ada"}
	for range 2 {
		first, err := done.Record(ctx, store.Completion{Key: ada, InterviewID: "i1", CompletedAt: time.Now()})
		fmt.Println(first, err)
	}
	fmt.Println(done.Completed(ctx, ada))
	fmt.Println(done.Completed(ctx, store.Key{StudyID: "onboarding", UserID: "bob"}))
	// Output:
	// true <nil>
	// false <nil>
	// true <nil>
	// false <nil>
}

// What is recorded through the cache is visible through it at once.
func ExampleCached() {
	ctx := context.Background()
	done := store.Cached(store.NewMemory(), &store.CacheOptions{Open: time.Minute})
	ada := store.Key{StudyID: "onboarding", UserID: "ada"}
	fmt.Println(done.Completed(ctx, ada)) // from now on answered by the cache, for a minute
	_, err := done.Record(ctx, store.Completion{Key: ada, InterviewID: "i1", CompletedAt: time.Now()})
	fmt.Println(err)
	fmt.Println(done.Completed(ctx, ada))
	// Output:
	// false <nil>
	// <nil>
	// true <nil>
}

// A person who wants to be forgotten is not asked again all the same.
func ExampleEraser() {
	ctx := context.Background()
	done := store.Cached(store.NewMemory(), nil)
	ada := store.Key{StudyID: "onboarding", UserID: "ada"}
	if _, err := done.Record(ctx, store.Completion{Key: ada, InterviewID: "i1", CompletedAt: time.Now()}); err != nil {
		fmt.Println(err)
		return
	}
	if eraser, ok := store.As[store.Eraser](done); ok {
		fmt.Println(eraser.Erase(ctx, "ada"))
	}
	fmt.Println(done.Completed(ctx, ada))
	if lister, ok := store.As[store.Lister](done); ok {
		for c, err := range lister.Completions(ctx, store.Filter{}) {
			fmt.Printf("%s %q %v\n", c.InterviewID, c.UserID, err)
		}
	}
	// Output:
	// <nil>
	// true <nil>
	// i1 "" <nil>
}

// least is a store with nothing but what every store must do.
type least struct{ store.Store }

// The wrong way: a wrapper has the methods of every capability, so a type
// assertion says yes whatever the store inside can do. As asks the store inside.
func ExampleAs_wrong() {
	done := store.Cached(least{store.NewMemory()}, nil)

	eraser, ok := done.(store.Eraser)
	fmt.Println(ok, eraser.Erase(context.Background(), "ada"))

	_, ok = store.As[store.Eraser](done)
	fmt.Println(ok)
	// Output:
	// true unsupported operation
	// false
}
