package userjourneys_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

// connect returns a client of the fake provider.
func connect(fake *userjourneystest.Server) *userjourneys.Client {
	client, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	if err != nil {
		log.Fatal(err)
	}
	return client
}

func ExampleNewClient() {
	_, err := userjourneys.NewClient("", &userjourneys.Options{BaseURL: "http://example.com/api"})
	fmt.Println(err)
	// Output:
	// userjourneys: the API key is empty
	// userjourneys: the base URL must be https: the key would travel in the clear
}

func ExampleClient_FindStudy() {
	fake := userjourneystest.Start(nil) // in a program: the real provider
	defer fake.Close()
	fake.AddStudy(userjourneystest.Study{ID: "stu_1", Name: "Onboarding Feedback", WeeklyLimit: 5})
	fake.AddStudy(userjourneystest.Study{ID: "stu_2", Name: "Checkout"})
	fake.AddStudy(userjourneystest.Study{ID: "stu_3", Name: "Checkout"})
	client := connect(fake)

	ctx := context.Background()
	study, err := client.FindStudy(ctx, "Onboarding Feedback")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(study.ID, study.AcceptingResponses, study.Limits.Weekly.Limit)
	_, err = client.FindStudy(ctx, "Checkout")
	fmt.Println(errors.Is(err, userjourneys.ErrAmbiguous), err)
	_, err = client.FindStudy(ctx, "No such study")
	fmt.Println(errors.Is(err, userjourneys.ErrNotFound), err)
	// Output:
	// stu_1 true 5
	// true userjourneys: more than one study has this name: "Checkout"
	// true userjourneys: not found: no active study "No such study"
}

func ExampleClient_Interviews() {
	fake := userjourneystest.Start(nil) // in a program: the real provider
	defer fake.Close()
	study := fake.AddStudy(userjourneystest.Study{})
	for _, user := range []string{"ada", "bob", "cyd"} {
		fake.FinishInterview(study.ID, userjourneystest.Interview{ReferenceID: user})
	}
	fake.FinishInterview(study.ID, userjourneystest.Interview{ReferenceID: "dan", Status: userjourneys.StatusStarted})
	client := connect(fake)

	completed := userjourneys.InterviewFilter{StudyID: study.ID, Status: userjourneys.StatusCompleted}
	for interview, err := range client.Interviews(context.Background(), completed) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(interview.ReferenceID, interview.QualityScore, interview.Duration)
	}
	// Output:
	// ada insightful 9m40s
	// bob insightful 9m40s
	// cyd insightful 9m40s
}

func ExampleInterview_Turns() {
	interview := userjourneys.Interview{Transcript: json.RawMessage(`[
		{"role": "assistant", "text": "How did you find us?"},
		{"role": "user", "text": "A friend told me."}
	]`)}
	for _, turn := range interview.Turns() {
		fmt.Printf("%s: %s\n", turn.Role, turn.Text)
	}
	// Output:
	// assistant: How did you find us?
	// user: A friend told me.
}

func ExampleInterview_HasTranscript() {
	for _, transcript := range []string{`{"turns":[]}`, `{"turns":["How did you find us?"]}`} {
		interview := userjourneys.Interview{Transcript: json.RawMessage(transcript)}
		fmt.Println(interview.HasTranscript())
	}
	// Output:
	// false
	// true
}

func ExampleSecret() {
	var hook userjourneys.Webhook // as PutWebhook returns it
	if err := json.Unmarshal([]byte(`{"url":"https://example.com/","signing_secret":"whsec_5b69ff6a"}`), &hook); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", hook)
	fmt.Println(hook.SigningSecret.Reveal())
	// Output:
	// {URL:https://example.com/ Events:[] SigningSecret:whsec_…}
	// whsec_5b69ff6a
}

func ExampleClient_PutWebhook() {
	fake := userjourneystest.Start(nil) // in a program: the real provider
	defer fake.Close()
	client := connect(fake)

	ctx := context.Background()
	hook, err := client.Webhook(ctx)
	if !errors.Is(err, userjourneys.ErrNotFound) {
		log.Fatal("somebody has one already: ", hook.URL, err)
	}
	hook, err = client.PutWebhook(ctx, userjourneys.Webhook{URL: "https://example.com/webhooks/userjourneys"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("keep the secret, it is shown once:", hook.SigningSecret.Reveal() != "")
	hook, err = client.Webhook(ctx)
	fmt.Printf("%s %s %q %v\n", hook.URL, hook.Events, hook.SigningSecret, err)
	// Output:
	// keep the secret, it is shown once: true
	// https://example.com/webhooks/userjourneys [interview.completed] "" <nil>
}

func ExampleClient_Studies() {
	fake := userjourneystest.Start(nil) // in a program: the real provider
	defer fake.Close()
	for _, name := range []string{"Onboarding Feedback", "Checkout"} {
		fake.AddStudy(userjourneystest.Study{Name: name})
	}
	for study, err := range connect(fake).Studies(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(study.Name, study.AcceptingResponses)
	}
	// Output:
	// Onboarding Feedback true
	// Checkout true
}

// The transcript is in the response for one interview, not in lists.
func ExampleClient_Interview() {
	fake := userjourneystest.Start(nil) // in a program: the real provider
	defer fake.Close()
	study := fake.AddStudy(userjourneystest.Study{})
	id := fake.FinishInterview(study.ID, userjourneystest.Interview{ReferenceID: "ada"})
	client := connect(fake)

	interview, err := client.Interview(context.Background(), id)
	fmt.Println(interview.ReferenceID, len(interview.Turns()) > 0, err)
	_, err = client.Interview(context.Background(), "another")
	fmt.Println(errors.Is(err, userjourneys.ErrNotFound))
	// Output:
	// ada true <nil>
	// true
}

// A response other than 2xx is an *Error, with the provider's message and its
// Retry-After.
func ExampleError() {
	fake := userjourneystest.Start(nil) // in a program: the real provider
	defer fake.Close()
	client, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL(), MaxRetries: -1})
	if err != nil {
		log.Fatal(err)
	}
	fake.FailNextRetryAfter(1, http.StatusTooManyRequests, "30")
	_, err = client.Webhook(context.Background())

	var refused *userjourneys.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.StatusCode, refused.RetryAfter == 30*time.Second)
	}
	fmt.Println(errors.Is(err, userjourneys.ErrRateLimited))
	// Output:
	// 429 true
	// true
}
