package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// A Handler is mounted like any other. A delivery answered with 200 is stored.
func ExampleNew() {
	const secret = "whsec_5b69ff6a12af94c6e3901a061180ca73" // os.Getenv("USERJOURNEYS_WEBHOOK_SECRET")
	done := memstore.New()
	hook, err := webhook.New(secret, done, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/webhooks/userjourneys", hook)

	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, webhooktest.NewRequest(secret, webhooktest.Completed("user_12345")))
	completed, err := done.Completed(context.Background(), store.Key{StudyID: webhooktest.StudyID, UserID: "user_12345"})
	fmt.Println(rec.Code, completed, err)
	// Output: 200 true <nil>
}

// An empty environment variable fails at start. Otherwise anybody could sign with
// the empty key.
func ExampleNew_noSecret() {
	_, err := webhook.New("", memstore.New(), nil)
	fmt.Println(err)
	// Output: webhook: unusable signing secret: it is empty
}

// Run fetches the transcripts and finds completions that were never delivered.
func ExampleHandler_Run() {
	provider := userjourneystest.Start(nil) // a fake one
	defer provider.Close()
	study := provider.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback"})
	provider.FinishInterview(study.ID, userjourneystest.Interview{ReferenceID: "user_12345"}) // no webhook is registered: it is lost

	uj, err := userjourneys.NewClient(provider.APIKey(), &userjourneys.Options{BaseURL: provider.BaseURL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	done := memstore.New()
	transcripts := make(chan string)
	hook, err := webhook.New("whsec_5b69ff6a12af94c6e3901a061180ca73", done, &webhook.Options{
		Client: uj,
		Logger: slog.New(slog.DiscardHandler),
		OnCompleted: func(_ context.Context, c store.Completion, t store.Transcript) error {
			transcripts <- c.UserID
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- hook.Run(ctx) }()
	fmt.Println("a transcript of", <-transcripts)
	stop()
	fmt.Println(<-ended)
	// Output:
	// a transcript of user_12345
	// <nil>
}

// Reconcile does once what Run does regularly. Here it finds an interview that was
// finished before the app existed.
func ExampleHandler_Reconcile() {
	provider := userjourneystest.Start(nil) // a fake one
	defer provider.Close()
	study := provider.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback"})
	provider.FinishInterview(study.ID, userjourneystest.Interview{ReferenceID: "user_12345"})

	uj, err := userjourneys.NewClient(provider.APIKey(), &userjourneys.Options{BaseURL: provider.BaseURL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, done := context.Background(), memstore.New()
	hook, err := webhook.New("whsec_5b69ff6a12af94c6e3901a061180ca73", done, &webhook.Options{
		Client: uj,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(hook.Reconcile(ctx))
	fmt.Println(done.Completed(ctx, store.Key{StudyID: study.ID, UserID: "user_12345"}))
	// Output:
	// <nil>
	// true <nil>
}

// Verify is for a handler that you write yourself. It needs the body byte for byte.
func ExampleVerify() {
	secret := "whsec_5b69ff6a12af94c6e3901a061180ca73"
	body := []byte(`{"event":"interview.completed"}`)
	header := http.Header{"X-Webhook-Signature": {webhooktest.Sign(secret, body)}}

	fmt.Println(webhook.Verify([]string{secret}, header, body))
	fmt.Println(webhook.Verify([]string{secret}, header, append(body, '\n')))
	fmt.Println(webhook.Verify([]string{""}, header, body))
	// Output:
	// <nil>
	// webhook: the signature does not match
	// webhook: unusable signing secret: it is empty
}

// Wrong: the body is decoded and encoded again before it is verified. The
// signature covers the bytes that were sent, so every delivery is refused. Verify
// first, then decode.
func ExampleVerify_wrong() {
	secret := "whsec_5b69ff6a12af94c6e3901a061180ca73"
	sent := []byte(`{"event": "interview.completed", "data": {}}`)
	header := http.Header{"X-Webhook-Signature": {webhooktest.Sign(secret, sent)}}

	var value map[string]any
	if err := json.Unmarshal(sent, &value); err != nil {
		fmt.Println(err)
		return
	}
	again, err := json.Marshal(value)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(webhook.Verify([]string{secret}, header, again))
	fmt.Println(webhook.Verify([]string{secret}, header, sent))
	// Output:
	// webhook: the signature does not match
	// <nil>
}

// Wrong: a middleware around the Handler reads the body to log it, so nothing is
// left to verify. The Handler answers 401, and its Result and its log name the
// cause. Mount the Handler outside such middleware.
func ExampleHandler_behindAMiddlewareThatReadsBodies() {
	const secret = "whsec_5b69ff6a12af94c6e3901a061180ca73"
	hook, err := webhook.New(secret, memstore.New(), &webhook.Options{
		Logger:     slog.New(slog.DiscardHandler),
		OnDelivery: func(_ context.Context, d webhook.Delivery) { fmt.Println(d.Result.Status(), d.Result) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	logged := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Println("read", len(body) > 0, err)
		hook.ServeHTTP(w, r)
	})
	logged.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, webhooktest.Completed("user_12345")))
	// Output:
	// read true <nil>
	// 401 body_consumed
}

// Users whose interview was unsuccessful may be asked again after 90 days.
func ExampleSnooze() {
	const secret = "whsec_5b69ff6a12af94c6e3901a061180ca73"
	done := memstore.New()
	hook, err := webhook.New(secret, done, &webhook.Options{
		Policy: func(c store.Completion) webhook.Verdict {
			if c.Quality == userjourneys.QualityUnsuccessful {
				return webhook.Snooze(90 * 24 * time.Hour)
			}
			return webhook.Complete()
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	e := webhooktest.Completed("user_12345")
	quality := userjourneys.QualityUnsuccessful
	e.Data.QualityScore = &quality
	hook.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, e))
	for c, err := range done.Completions(context.Background(), store.Filter{UserID: "user_12345"}) {
		fmt.Println(c.Until.Sub(c.CompletedAt), err)
	}
	// Output: 2160h0m0s <nil>
}

// Transcripts that were given up stay listed with the reason, and can be requeued.
func ExampleHandler_Health() {
	ctx := context.Background()
	done := memstore.New()
	hook, err := webhook.New("whsec_5b69ff6a12af94c6e3901a061180ca73", done, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	health, err := hook.Health(ctx)
	fmt.Println(health.Pending, health.Dead, health.KeyRefused, err)
	for j, err := range done.DeadJobs(ctx) { // the dead ones
		fmt.Println(j.InterviewID, j.Reason, err)
		fmt.Println(done.RequeueJob(ctx, j.InterviewID))
	}
	// Output: 0 0 false <nil>
}

// The set of results is small and fixed, so they can label a metric.
func ExampleResult() {
	const secret = "whsec_5b69ff6a12af94c6e3901a061180ca73"
	var counted []string
	hook, err := webhook.New(secret, memstore.New(), &webhook.Options{
		OnDelivery: func(_ context.Context, d webhook.Delivery) {
			counted = append(counted, d.Result.String()) // deliveries.WithLabelValues(d.Result.String()).Inc()
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	event := webhooktest.Completed("user_12345")
	for _, signedWith := range []string{secret, secret, "whsec_ffffffffffffffffffffffffffffffff"} {
		hook.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(signedWith, event))
	}
	fmt.Println(counted)
	// Output: [accepted duplicate bad_signature]
}

// Deliveries shows why nothing is recorded: here the secret is wrong.
func ExampleHandler_Deliveries() {
	hook, err := webhook.New("whsec_5b69ff6a12af94c6e3901a061180ca73", memstore.New(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	hook.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest("whsec_ffffffffffffffffffffffffffffffff", webhooktest.Completed("user_12345")))
	for _, d := range hook.Deliveries() {
		fmt.Println(d.Result.Status(), d.Result)
	}
	// Output: 401 bad_signature
}
