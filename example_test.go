package askonce_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook"
)

// An app with one study and a fake provider.
func Example() {
	provider := userjourneystest.Start(nil)
	defer provider.Close()
	study := provider.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback"})

	recorded := make(chan struct{})
	kit, err := askonce.New(askonce.Config{
		APIKey:        provider.APIKey(),
		WebhookSecret: provider.Secret(),
		Studies:       []string{"Onboarding Feedback"},
		User:          func(*http.Request) string { return "ada" }, // yours reads the session
		Store:         memstore.New(),                              // in production sqlstore or redisstore
		BaseURL:       provider.BaseURL(),
		Webhook:       &webhook.Options{OnRecorded: func(context.Context, store.Completion) { close(recorded) }},
		Gate:          &gate.Options{Timeout: 10 * time.Second}, // an example may wait for its first answer
		Logger:        slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<!doctype html><title>My app</title><h1>Hello</h1></html>")
	})
	mux.Handle("/webhooks/userjourneys", kit.Webhook())
	app := httptest.NewServer(kit.Handler(mux))
	defer app.Close()
	register(provider, app.URL+"/webhooks/userjourneys")

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { _ = kit.Run(ctx) }()

	fmt.Println("invited:", invited(app.URL))
	provider.FinishInterview(study.ID, userjourneystest.Interview{ReferenceID: "ada"})
	<-recorded
	fmt.Println("invited again:", invited(app.URL))
	// Output:
	// invited: true
	// invited again: false
}

// register creates the webhook, as an operator does once with the command askonce.
func register(provider *userjourneystest.Server, url string) {
	client, err := userjourneys.NewClient(provider.APIKey(), &userjourneys.Options{BaseURL: provider.BaseURL()})
	if err == nil {
		_, err = client.PutWebhook(context.Background(), userjourneys.Webhook{URL: url})
	}
	if err != nil {
		fmt.Println(err)
	}
}

// invited reports whether a browser finds the prompt in the app's page.
func invited(app string) bool {
	req, err := http.NewRequest(http.MethodGet, app, nil)
	if err != nil {
		return false
	}
	req.Header.Set("Accept", "text/html")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	return err == nil && strings.Contains(string(page), `class="askonce"`)
}

// The console belongs behind whatever check the app has for its own staff.
func ExampleKit_Console() {
	kit, err := askonce.New(askonce.Config{
		APIKey:        "uj_live_0123456789abcdef",
		WebhookSecret: "whsec_0123456789abcdef0123456789abcdef",
		Studies:       []string{"Onboarding Feedback"},
		User:          func(*http.Request) string { return "" },
		Store:         memstore.New(),
		Logger:        slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	isAdmin := func(r *http.Request) bool { // yours reads the session
		_, password, _ := r.BasicAuth()
		return password == "secret"
	}
	mux := http.NewServeMux()
	mux.Handle("/admin/askonce/", kit.Console(isAdmin))

	for _, password := range []string{"guess", "secret"} {
		r := httptest.NewRequest(http.MethodGet, "/admin/askonce/queue", nil)
		r.SetBasicAuth("ada", password)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 404
	// 200
}
