package gate_test

import (
	"context"
	"fmt"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

// fakeClient is a client of a fake provider with one study, "Onboarding Feedback".
func fakeClient() (client *userjourneys.Client, studyID string, stop func()) {
	fake := userjourneystest.Start(nil)
	study := fake.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback", WeeklyLimit: 100})
	client, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	if err != nil {
		panic(err)
	}
	return client, study.ID, fake.Close
}

func Example() {
	ctx := context.Background()
	uj, _, stop := fakeClient()
	defer stop()
	done := store.NewMemory()
	ask, err := gate.New(uj, "Onboarding Feedback", done, &gate.Options{Timeout: 5 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	visitor := gate.Visitor{UserID: "ada"}
	d := ask.Decide(ctx, visitor)
	fmt.Println(d.Ask, d.Reason)

	// The middleware shows the prompt and notes it.
	visitor.History = visitor.History.Shown(d.Prompt.StudyID, time.Now())
	fmt.Println(ask.Decide(ctx, visitor).Reason)

	// The webhook records the interview.
	_, err = done.Record(ctx, store.Completion{Key: d.Prompt.Key(), InterviewID: "i1", CompletedAt: time.Now()})
	fmt.Println(err, ask.Decide(ctx, gate.Visitor{UserID: "ada"}).Reason)
	// Output:
	// true eligible
	// cooling_down
	// <nil> completed
}

func ExampleGate_Explain() {
	ctx := context.Background()
	uj, study, stop := fakeClient()
	defer stop()
	ask, err := gate.New(uj, study, store.NewMemory(), &gate.Options{
		Target: func(_ context.Context, v gate.Visitor) bool { return v.UserID != "admin" },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range ask.Explain(ctx, gate.Visitor{UserID: "admin", History: gate.History{}.Declined(study)}) {
		if !v.Pass {
			fmt.Println(v.Check, v.Reason)
		}
	}
	// Output:
	// target excluded
	// declined declined
}

// The wrong way: a Target that asks a database runs in every page, and the
// gate's Timeout does not cut it short. Load what it needs beforehand.
func ExampleOptions_slowTarget() {
	uj, _, stop := fakeClient()
	defer stop()
	ask, err := gate.New(uj, "Onboarding Feedback", store.NewMemory(), &gate.Options{
		Timeout: time.Millisecond,
		Target: func(context.Context, gate.Visitor) bool {
			time.Sleep(20 * time.Millisecond) // SELECT plan FROM users …
			return false
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	began := time.Now()
	reason := ask.Decide(context.Background(), gate.Visitor{UserID: "ada"}).Reason
	fmt.Println(reason, time.Since(began) > 20*time.Millisecond)
	// Output:
	// excluded true
}
