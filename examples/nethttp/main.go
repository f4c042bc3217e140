// Command nethttp is the quickstart grown up: an app on net/http alone, with
// sessions, a database and metrics, that asks its users for an interview once.
//
//	go run ./examples/nethttp -fake   # with a fake provider: no account needed
//	go run ./examples/nethttp -h      # what to set to run it for real
package main

import (
	"context"
	"net/http"

	"github.com/askonce/askonce/examples/internal/site"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

func main() { site.Main(run) }

// run wires askonce into the app. What the site brings stands for what yours
// has already: configuration, a database, sessions, metrics, pages.
func run(ctx context.Context, s *site.Site) error {
	// The client of the provider's API. An empty BaseURL is the real one.
	uj, err := userjourneys.NewClient(s.APIKey, &userjourneys.Options{BaseURL: s.BaseURL})
	if err != nil {
		return err
	}
	// Who has completed what. s.Store is a sqlstore.New on SQLite or PostgreSQL.
	done := store.NewCached(s.Store, nil)
	// Shall this user be asked?
	ask, err := gate.New(uj, s.Study, done, &gate.Options{OnDecision: s.Metrics.Decision})
	if err != nil {
		return err
	}
	// Puts the prompt into pages. s.User returns the id of who is logged in.
	prompt, err := middleware.New(ask, s.User, &middleware.Options{CookieKeys: s.CookieKeys, OnPrompt: s.Metrics.Prompt})
	if err != nil {
		return err
	}
	// Takes completed interviews in, and fetches their transcripts. URL is where
	// they should come: a warning says when the provider sends them elsewhere.
	hook, err := webhook.New(s.WebhookSecret, done, &webhook.Options{
		Client:     uj,
		URL:        s.WebhookURL,
		OnDelivery: s.Metrics.Delivery,
		OnRecorded: func(ctx context.Context, c store.Completion) {
			ask.Recorded(ctx, c)
			s.Metrics.Recorded(ctx, c)
		},
	})
	if err != nil {
		return err
	}

	pages := http.NewServeMux()
	pages.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		site.Render(w, "home.html", site.Page{User: s.User(r)})
	})
	pages.HandleFunc("GET /interviews", func(w http.ResponseWriter, r *http.Request) { interviews(w, r, s) })

	mux := http.NewServeMux()
	mux.Handle("/", prompt.Handler(pages))
	mux.Handle(site.WebhookPath, hook)
	mux.HandleFunc("POST /login", s.Login)
	mux.HandleFunc("POST /logout", s.Logout)
	mux.HandleFunc("GET /style.css", site.Style)
	mux.Handle("GET /metrics", s.Metrics.Handler(hook, ask))
	mux.Handle("GET /healthz", site.Healthz(hook))
	return s.Serve(ctx, mux, hook)
}

func interviews(w http.ResponseWriter, r *http.Request, s *site.Site) {
	page := site.Page{User: s.User(r)}
	if !page.Admin() {
		http.NotFound(w, r)
		return
	}
	var err error
	if page.Interviews, err = s.Interviews(r.Context()); err != nil {
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	site.Render(w, "interviews.html", page)
}
