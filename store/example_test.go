package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/store/sqlstore"
)

// The same interview may be told any number of times, and counts once.
func Example() {
	ctx := context.Background()
	done := memstore.New() // in production NewSQL
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
func ExampleNewCached() {
	ctx := context.Background()
	done := store.NewCached(memstore.New(), &store.CacheOptions{Open: time.Minute})
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
	done := store.NewCached(memstore.New(), nil)
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
	var done store.Store = store.NewCached(least{memstore.New()}, nil)

	eraser, ok := done.(store.Eraser)
	fmt.Println(ok, eraser.Erase(context.Background(), "ada"))

	_, ok = store.As[store.Eraser](done)
	fmt.Println(ok)
	// Output:
	// true unsupported operation
	// false
}

// A worker's round: claim a job, fetch its transcript, store it. Whoever takes
// longer than the lease has lost the job to another worker.
func ExampleTranscripts() {
	ctx := context.Background()
	done := memstore.New()
	c := store.Completion{Key: store.Key{StudyID: "onboarding", UserID: "ada"}, InterviewID: "i1", CompletedAt: time.Now()}
	if _, err := done.Record(ctx, c); err != nil { // which queues the job, too
		fmt.Println(err)
		return
	}
	jobs, err := done.ClaimJobs(ctx, time.Minute, 10)
	fmt.Println(len(jobs), err)
	others, err := done.ClaimJobs(ctx, time.Minute, 10)
	fmt.Println(len(others), err)

	t := store.Transcript{InterviewID: "i1", FetchedAt: time.Now(), Body: []byte(`{"id": "i1"}`)}
	fmt.Println(done.SaveTranscript(ctx, jobs[0], t))
	fmt.Println(done.FinishJob(ctx, jobs[0]))
	fmt.Println(errors.Is(done.FinishJob(ctx, jobs[0]), store.ErrLeaseLost))
	t, err = done.Transcript(ctx, "i1")
	fmt.Println(string(t.Body), err)
	// Output:
	// 1 <nil>
	// 0 <nil>
	// <nil>
	// <nil>
	// true
	// {"id": "i1"} <nil>
}

// A user who is to be asked again is. The same interview, delivered once more,
// does not undo that; another one does.
func ExampleResetter() {
	ctx := context.Background()
	done := memstore.New()
	ada := store.Key{StudyID: "onboarding", UserID: "ada"}
	record := func(interview string) {
		if _, err := done.Record(ctx, store.Completion{Key: ada, InterviewID: interview, CompletedAt: time.Now()}); err != nil {
			fmt.Println(err)
		}
	}
	record("i1")
	fmt.Println(done.Reset(ctx, ada))
	record("i1")
	fmt.Println(done.Completed(ctx, ada))
	record("i2")
	fmt.Println(done.Completed(ctx, ada))
	// Output:
	// <nil>
	// false <nil>
	// true <nil>
}

// Completions are listed in the order of their times.
func ExampleLister() {
	ctx := context.Background()
	done := memstore.New()
	day := time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)
	for i, user := range []string{"ada", "bob", "cleo"} {
		c := store.Completion{Key: store.Key{StudyID: "onboarding", UserID: user}, InterviewID: "i" + user, CompletedAt: day.AddDate(0, 0, i)}
		if _, err := done.Record(ctx, c); err != nil {
			fmt.Println(err)
			return
		}
	}
	for c, err := range done.Completions(ctx, store.Filter{StudyID: "onboarding", Since: day.AddDate(0, 0, 1)}) {
		fmt.Println(c.UserID, c.CompletedAt.Format(time.DateOnly), err)
	}
	// Output:
	// bob 2026-03-03 <nil>
	// cleo 2026-03-04 <nil>
}

// Deliveries that made no sense wait for somebody to read them.
func ExampleDeadLetters() {
	ctx := context.Background()
	done := memstore.New()
	letter := store.DeadLetter{ReceivedAt: time.Now(), Reason: "schema", Body: []byte(`{"event": 1}`)}
	for range 2 { // the same body is kept once
		if err := done.AddDeadLetter(ctx, letter); err != nil {
			fmt.Println(err)
			return
		}
	}
	for d, err := range done.DeadLetters(ctx) {
		fmt.Printf("%s %s %v\n", d.Reason, d.Body, err)
		fmt.Println(done.DeleteDeadLetter(ctx, d.ID))
	}
	// Output:
	// schema {"event": 1} <nil>
	// <nil>
}

// Two replicas share one walk: who comes second waits, and goes on from where
// the first has been.
func ExampleCheckpoints() {
	ctx := context.Background()
	done := memstore.New()
	state, acquired, err := done.Acquire(ctx, "walk", "replica-1", time.Minute)
	fmt.Printf("%q %v %v\n", state, acquired, err)
	_, acquired, err = done.Acquire(ctx, "walk", "replica-2", time.Minute)
	fmt.Println(acquired, err)
	fmt.Println(done.Release(ctx, "walk", "replica-1", "page 7"))
	state, acquired, err = done.Acquire(ctx, "walk", "replica-2", time.Minute)
	fmt.Printf("%q %v %v\n", state, acquired, err)
	// Output:
	// "" true <nil>
	// false <nil>
	// <nil>
	// "page 7" true <nil>
}

// Schema is for teams whose migrations are reviewed and run by a tool.
func ExampleSchema() {
	schema, err := sqlstore.Schema(sqlstore.Postgres, &sqlstore.Options{TablePrefix: "research_"})
	fmt.Println(strings.Contains(schema, "create table if not exists research_interview ("), err)
	// Output: true <nil>
}
