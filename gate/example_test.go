package gate_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
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
	done := memstore.New()
	ask, err := gate.New(uj, "Onboarding Feedback", done, &gate.Options{Timeout: 5 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	visitor := gate.Visitor{UserID: "ada"}
	d := ask.Decide(ctx, visitor)
	fmt.Println(d.Ask(), d.Reason)

	// The prompt was seen an hour ago.
	visitor.History = visitor.History.WithShown(d.Prompt.StudyID, time.Now().Add(-time.Hour))
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
	ask, err := gate.New(uj, study, memstore.New(), &gate.Options{
		Target: func(_ context.Context, v gate.Visitor) bool { return v.UserID != "admin" },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range ask.Explain(ctx, gate.Visitor{UserID: "admin", History: gate.History{}.WithDecline(study, time.Now())}) {
		if !v.Pass {
			fmt.Println(v)
		}
	}
	// Output:
	// accepted by Target: fail (excluded)
	// not declined: fail (declined)
}

// A click in a tab that was opened before the interview. Confirm asks anew, so
// that nobody is sent into a study that they have completed or that is full.
func ExampleGate_Confirm() {
	ctx := context.Background()
	uj, study, stop := fakeClient()
	defer stop()
	done := memstore.New()
	ask, err := gate.New(uj, study, done, &gate.Options{Timeout: 5 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	ada := gate.Visitor{UserID: "ada"}
	d := ask.Decide(ctx, ada)
	fmt.Println(d.Reason, ask.Confirm(ctx, ada).Reason)

	_, err = done.Record(ctx, store.Completion{Key: d.Prompt.Key(), InterviewID: "i1", CompletedAt: time.Now()})
	fmt.Println(err, ask.Confirm(ctx, ada).Reason)
	// Output:
	// eligible eligible
	// <nil> completed
}

// The link that a click leads to. It says who the visitor is, in the way of the
// gate's References.
func ExamplePrompt_Link() {
	references, err := gate.SignedReferences([]byte("32 random bytes, from your vault"))
	if err != nil {
		fmt.Println(err)
		return
	}
	uj, study, stop := fakeClient()
	defer stop()
	ask, err := gate.New(uj, study, memstore.New(), &gate.Options{Timeout: 5 * time.Second, References: references})
	if err != nil {
		fmt.Println(err)
		return
	}
	d := ask.Decide(context.Background(), gate.Visitor{UserID: "ada"})
	link, err := d.Prompt.Link()
	fmt.Println(strings.HasPrefix(link, d.Prompt.InterviewLink+"?reference_id="), strings.Contains(link, "ada"), err)
	// Output:
	// true false <nil>
}

// Two studies, the more important one first. A user who does not want the one
// may still be asked for the other.
func ExampleFirst() {
	ctx := context.Background()
	fake := userjourneystest.Start(nil)
	defer fake.Close()
	onboarding := fake.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback"})
	fake.AddStudy(userjourneystest.Study{Name: "Pricing Feedback"})
	client, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	done := memstore.New()
	var gates []*gate.Gate
	for _, name := range []string{"Onboarding Feedback", "Pricing Feedback"} {
		g, err := gate.New(client, name, done, &gate.Options{Timeout: 5 * time.Second})
		if err != nil {
			fmt.Println(err)
			return
		}
		gates = append(gates, g)
	}
	ask := gate.First(gates...)

	var seen gate.History
	fmt.Println(ask.Decide(ctx, gate.Visitor{UserID: "ada", History: seen}).Prompt.StudyName)
	seen = seen.WithDecline(onboarding.ID, time.Now())
	fmt.Println(ask.Decide(ctx, gate.Visitor{UserID: "ada", History: seen}).Prompt.StudyName)
	// Output:
	// Onboarding Feedback
	// Pricing Feedback
}

// What a visitor has seen travels as a few bytes, for instance in a cookie.
func ExampleHistory() {
	noon := time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)
	seen := gate.History{}.WithShown("onboarding", noon).WithSnooze("onboarding", noon, noon.Add(24*time.Hour))
	b, err := seen.MarshalBinary()
	fmt.Println(len(b), "bytes", err)

	var back gate.History
	err = back.UnmarshalBinary(b)
	fmt.Println(len(back.Showings("onboarding")), len(back.Showings("pricing")), err)

	// A transition returns a new History and leaves the old one as it was.
	again := back.WithShown("onboarding", noon.Add(48*time.Hour))
	fmt.Println(len(back.Showings("onboarding")), len(again.Showings("onboarding")))
	// Output:
	// 42 bytes <nil>
	// 1 0 <nil>
	// 1 2
}

// The gate writes references and the webhook reads them, so both are given the
// same.
func ExampleSealedReferences() {
	refs, err := gate.SealedReferences([]byte("hash key: use 32 random bytes!!!"), []byte("block key: again 32 random ones!"))
	if err != nil {
		fmt.Println(err)
		return
	}
	ada := store.Key{StudyID: "study-1", UserID: "ada"}
	one, err := refs.Reference(ada)
	if err != nil {
		fmt.Println(err)
		return
	}
	other, err := refs.Reference(ada)
	fmt.Println(one == other, err) // the provider cannot tell that both are one user's
	fmt.Println(refs.UserID("study-1", one))
	fmt.Println(refs.UserID("study-2", one))
	// Output:
	// false <nil>
	// ada <nil>
	//  gate: bad reference
}

// The wrong way: Holdout is a share, so one user in ten is 0.1.
func ExampleOptions_percentage() {
	uj, study, stop := fakeClient()
	defer stop()
	_, err := gate.New(uj, study, memstore.New(), &gate.Options{Holdout: 10})
	fmt.Println(err)
	// Output:
	// gate: Holdout is 10: want a share from 0 to 1, not a percentage
}
