package webhooktest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

const secret = "whsec_5b69ff6a12af94c6e3901a061180ca73"

// app is the app under test.
func app() http.Handler {
	hook, err := webhook.New(secret, memstore.New(), nil)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/webhooks/userjourneys", hook)
	return mux
}

// A delivery to a handler, without a server.
func ExampleNewRequest() {
	rec := httptest.NewRecorder()
	app().ServeHTTP(rec, webhooktest.NewRequest(secret, webhooktest.Completed("user_12345")))
	fmt.Println(rec.Code)
	// Output: 200
}

// A delivery to a running server, signed with the right and then with a wrong secret.
func ExampleDeliver() {
	server := httptest.NewServer(app())
	defer server.Close()
	event := webhooktest.Completed("user_12345")

	status, err := webhooktest.Deliver(context.Background(), server.URL+"/webhooks/userjourneys", secret, event)
	fmt.Println(status, err)
	status, err = webhooktest.Deliver(context.Background(), server.URL+"/webhooks/userjourneys", "whsec_ffffffffffffffffffffffffffffffff", event)
	fmt.Println(status, err)
	// Output:
	// 200 <nil>
	// 401 <nil>
}

// An event can be changed before it is sent, and any bytes can be sent.
func ExampleCompleted() {
	event := webhooktest.Completed("user_12345")
	quality := "unsuccessful"
	event.Data.QualityScore = &quality
	for _, body := range []any{event, []byte(`{"event":"study.closed"}`), []byte(`not JSON`)} {
		rec := httptest.NewRecorder()
		app().ServeHTTP(rec, webhooktest.NewRequest(secret, body))
		fmt.Println(rec.Code)
	}
	// Output:
	// 200
	// 200
	// 400
}

// Sign returns the value of the signature header, for a request that you build
// yourself.
func ExampleSign() {
	fmt.Println(webhooktest.Sign(secret, []byte(`{"event":"interview.completed"}`))[:15] + "…")
	// Output: sha256=1151e686…
}
