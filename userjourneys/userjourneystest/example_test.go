package userjourneystest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook"
)

func ExampleStart() {
	fake := userjourneystest.Start(nil) // in a test: userjourneystest.NewServer(t, nil), which the test closes
	defer fake.Close()
	fake.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback", WeeklyLimit: 1})

	client, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	if err != nil {
		log.Fatal(err)
	}
	study, err := client.FindStudy(context.Background(), "Onboarding Feedback")
	fmt.Println(study.AcceptingResponses, err)

	fake.FinishInterview(study.ID, userjourneystest.Interview{ReferenceID: "ada"})
	study, err = client.FindStudy(context.Background(), "Onboarding Feedback")
	fmt.Println(study.AcceptingResponses, err)
	// Output:
	// true <nil>
	// false <nil>
}

func ExampleServer_FinishInterview() {
	fake := userjourneystest.Start(nil)
	defer fake.Close()
	study := fake.AddStudy(userjourneystest.Study{})

	delivered := make(chan struct{})
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Println(r.Header.Get("X-Webhook-Event"))
		fmt.Println("signature:", webhook.Verify([]string{fake.Secret()}, r.Header, body))
		close(delivered)
	}))
	defer app.Close()
	client, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.PutWebhook(context.Background(), userjourneys.Webhook{URL: app.URL}); err != nil {
		log.Fatal(err)
	}

	id := fake.FinishInterview(study.ID, userjourneystest.Interview{ReferenceID: "ada"})
	<-delivered
	interview, err := client.Interview(context.Background(), id)
	fmt.Println(interview.ReferenceID, interview.Turns()[0].Text, err)
	// Output:
	// interview.completed
	// signature: <nil>
	// ada How did you find us? <nil>
}

func ExampleServer_FailNext() {
	fake := userjourneystest.Start(nil)
	defer fake.Close()
	client, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL(), MaxRetries: -1})
	if err != nil {
		log.Fatal(err)
	}
	fake.FailNext(1, http.StatusServiceUnavailable)
	for range 2 {
		_, err := client.Webhook(context.Background())
		fmt.Println(errors.Is(err, userjourneys.ErrNotFound), err)
	}
	// Output:
	// false userjourneys: unexpected status 503 Service Unavailable: asked to fail
	// true userjourneys: unexpected status 404 Not Found: no webhook is configured
}

// Deliveries get lost, and arrive twice or late.
func ExampleServer_NextDeliveries() {
	fake := userjourneystest.Start(nil)
	defer fake.Close()
	study := fake.AddStudy(userjourneystest.Study{})
	arrived := make(chan struct{})
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} }))
	defer app.Close()
	client, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.PutWebhook(context.Background(), userjourneys.Webhook{URL: app.URL}); err != nil {
		log.Fatal(err)
	}

	fake.NextDeliveries(userjourneystest.Fate{Drop: true}, userjourneystest.Fate{Copies: 1})
	fake.FinishInterview(study.ID, userjourneystest.Interview{ReferenceID: "ada"})
	fake.FinishInterview(study.ID, userjourneystest.Interview{ReferenceID: "bob"})
	<-arrived
	<-arrived
	fmt.Println("bob's came twice")
	// Output: bob's came twice
}
