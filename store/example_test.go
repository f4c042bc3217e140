package store_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

var (
	ctx = context.Background()
	day = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)
)

// must ends an example that cannot go on.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// An interview may be recorded any number of times and counts once.
func Example() {
	done := memstore.New() // in production sqlstore or redisstore
	for range 2 {
		first, err := done.Record(ctx, store.Completion{Key: ada, InterviewID: "i1", CompletedAt: day})
		fmt.Println(first, err)
	}
	fmt.Println(done.Completed(ctx, ada))
	fmt.Println(done.Completed(ctx, store.Key{StudyID: ada.StudyID, UserID: "bob"}))
	// Output:
	// true <nil>
	// false <nil>
	// true <nil>
	// false <nil>
}

// What is recorded through the cache is visible through it at once.
func ExampleNewCached() {
	done := store.NewCached(memstore.New(), &store.CacheOptions{Open: time.Minute})
	fmt.Println(done.Completed(ctx, ada)) // the cache remembers this for a minute
	_, err := done.Record(ctx, store.Completion{Key: ada, InterviewID: "i1", CompletedAt: day})
	must(err)
	fmt.Println(done.Completed(ctx, ada))
	// Output:
	// false <nil>
	// true <nil>
}

// A type assertion on a wrapper says nothing about the store inside. As does.
func ExampleAs() {
	type least struct{ store.Store } // a store without capabilities
	done := store.NewCached(least{memstore.New()}, nil)

	fmt.Println(done.Erase(ctx, "ada"))
	_, ok := store.As[store.Eraser](done)
	fmt.Println(ok)
	// Output:
	// unsupported operation
	// false
}

// A person who was erased is still not asked again.
func ExampleEraser() {
	done := memstore.New()
	_, err := done.Record(ctx, store.Completion{Key: ada, InterviewID: "i1", CompletedAt: day})
	must(err)
	must(done.Erase(ctx, "ada"))
	fmt.Println(done.Completed(ctx, ada))
	for c, err := range done.Completions(ctx, store.Filter{}) {
		fmt.Printf("%s %q %v\n", c.InterviewID, c.UserID, err)
	}
	// Output:
	// true <nil>
	// i1 "" <nil>
}

// A worker claims a job, stores the transcript and finishes the job. A worker that
// takes longer than its lease loses the job to another one.
func ExampleTranscripts() {
	done := memstore.New()
	_, err := done.Record(ctx, store.Completion{Key: ada, InterviewID: "i1", CompletedAt: day}) // queues the job too
	must(err)
	jobs, err := done.ClaimJobs(ctx, time.Minute, 10)
	must(err)
	others, err := done.ClaimJobs(ctx, time.Minute, 10)
	fmt.Println(len(jobs), len(others), err)

	must(done.SaveTranscript(ctx, jobs[0], store.Transcript{FetchedAt: day, Body: []byte(`{"id": "i1"}`)}))
	must(done.FinishJob(ctx, jobs[0]))
	fmt.Println(errors.Is(done.FinishJob(ctx, jobs[0]), store.ErrLeaseLost))
	t, err := done.Transcript(ctx, "i1")
	fmt.Println(string(t.Body), err)
	// Output:
	// 1 0 <nil>
	// true
	// {"id": "i1"} <nil>
}

// A delivery that is repeated does not undo a reset. Another interview does.
func ExampleResetter() {
	done := memstore.New()
	record := func(interview string) {
		_, err := done.Record(ctx, store.Completion{Key: ada, InterviewID: interview, CompletedAt: day})
		must(err)
	}
	record("i1")
	must(done.Reset(ctx, ada))
	record("i1")
	fmt.Println(done.Completed(ctx, ada))
	record("i2")
	fmt.Println(done.Completed(ctx, ada))
	// Output:
	// false <nil>
	// true <nil>
}

// A list can be read a page at a time.
func ExampleLister() {
	done := memstore.New()
	for i, user := range []string{"ada", "bob", "cleo"} {
		c := store.Completion{Key: store.Key{StudyID: "onboarding", UserID: user}, InterviewID: "i" + user, CompletedAt: day.AddDate(0, 0, i)}
		_, err := done.Record(ctx, c)
		must(err)
	}
	page := store.Filter{StudyID: "onboarding", NewestFirst: true}
	for range 2 {
		n := 0
		for c, err := range done.Completions(ctx, page) {
			must(err)
			if n++; n > 2 {
				break
			}
			fmt.Println(c.UserID, c.CompletedAt.Format(time.DateOnly))
			page.After = &c
		}
		fmt.Println("--")
	}
	// Output:
	// cleo 2026-03-04
	// bob 2026-03-03
	// --
	// ada 2026-03-02
	// --
}

// The same body is kept once.
func ExampleDeadLetters() {
	done := memstore.New()
	letter := store.DeadLetter{ReceivedAt: day, Reason: "schema", Body: []byte(`{"event": 1}`)}
	for range 2 {
		must(done.AddDeadLetter(ctx, letter))
	}
	for d, err := range done.DeadLetters(ctx) {
		fmt.Printf("%s %s %v\n", d.Reason, d.Body, err)
		fmt.Println(done.DeleteDeadLetter(ctx, d.ID))
	}
	// Output:
	// schema {"event": 1} <nil>
	// <nil>
}

// Two replicas share one walk. The second one goes on where the first one stopped.
func ExampleCheckpoints() {
	done := memstore.New()
	state, acquired, err := done.Acquire(ctx, "walk", "replica-1", time.Minute)
	fmt.Printf("%q %v %v\n", state, acquired, err)
	_, acquired, err = done.Acquire(ctx, "walk", "replica-2", time.Minute)
	fmt.Println(acquired, err)

	must(done.Release(ctx, "walk", "replica-1", "page 7"))
	state, acquired, err = done.Acquire(ctx, "walk", "replica-2", time.Minute)
	fmt.Printf("%q %v %v\n", state, acquired, err)
	// Output:
	// "" true <nil>
	// false <nil>
	// "page 7" true <nil>
}

// Answers may arrive in any order. The one that was given last counts.
func ExampleInteractions() {
	done := memstore.New()
	must(done.Note(ctx, store.Interaction{Key: ada, Kind: store.InteractionUndone, At: day.Add(time.Minute)}))
	must(done.Note(ctx, store.Interaction{Key: ada, Kind: store.InteractionDeclined, At: day}))
	must(done.Note(ctx, store.Interaction{Key: ada, Kind: store.InteractionShown, At: day.Add(-time.Minute)}))
	p, err := done.Person(ctx, "ada")
	must(err)
	fmt.Println(p.Study(ada.StudyID).Answer, len(p.Study(ada.StudyID).Showings))

	days, err := done.Funnel(ctx, ada.StudyID, day, day.AddDate(0, 0, 1))
	must(err)
	fmt.Println(days[0].Day.Format(time.DateOnly), days[0].Shown, days[0].Declined)
	// Output:
	// undone 1
	// 2026-03-02 1 1
}

// Retention deletes in batches, so that no call takes long.
func ExampleRetention() {
	done := memstore.New()
	for i := range 5 {
		must(done.AddDeadLetter(ctx, store.DeadLetter{ReceivedAt: day, Body: []byte{byte(i)}}))
	}
	for {
		n, err := done.DeleteExpired(ctx, store.ExpirableDeadLetters, day.AddDate(0, 1, 0), 2)
		must(err)
		fmt.Println(n)
		if n < 2 {
			break
		}
	}
	// Output:
	// 2
	// 2
	// 1
}

// An operator pauses one study on all replicas.
func ExampleSwitches() {
	done := memstore.New()
	must(done.SetSwitch(ctx, store.Switch{Name: store.PauseSwitch("onboarding"), On: true, By: "ada", At: day}))
	all, err := done.Switches(ctx)
	must(err)
	for _, s := range all {
		fmt.Println(s.Name, s.On, s.By)
	}
	// Output:
	// pause/onboarding true ada
}
