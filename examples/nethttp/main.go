// Command nethttp is the quickstart with what a real app has: sessions, a
// database, metrics, health and a graceful shutdown, on net/http alone.
//
//	go run ./examples/nethttp -fake   # with a fake provider: no account needed
//	go run ./examples/nethttp -h      # what to set to run it for real
package main

import (
	"context"
	"net/http"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/examples/internal/site"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
)

func main() { site.Main(run) }

// run wires askonce into the app. The site stands in for what your app has
// already: configuration, a database, sessions, metrics, pages.
func run(ctx context.Context, s *site.Site) error {
	kit, err := askonce.New(askonce.Config{
		APIKey:        s.APIKey,
		WebhookSecret: s.WebhookSecret,
		Studies:       []string{s.Study},
		User:          s.User,                        // the id of the user who is signed in
		Store:         store.NewCached(s.Store, nil), // a sqlstore or redisstore
		CookieKeys:    s.CookieKeys,
		Gate:          &gate.Options{OnDecision: s.Metrics.Decision},
		Middleware:    &middleware.Options{OnPrompt: s.Metrics.Prompt, OnInteraction: s.Metrics.Interaction},
		Webhook: &webhook.Options{
			URL:        s.WebhookURL, // a warning says when the provider delivers elsewhere
			OnDelivery: s.Metrics.Delivery,
			OnRecorded: s.Metrics.Recorded,
			OnProgress: s.Metrics.Progress,
		},
		BaseURL: s.BaseURL,
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
	mux.Handle("/", kit.Handler(pages))
	mux.Handle(site.WebhookPath, kit.Webhook())
	mux.Handle("/admin/askonce/", kit.Console(s.Admin))
	mux.HandleFunc("POST /login", s.Login)
	mux.HandleFunc("POST /logout", s.Logout)
	mux.HandleFunc("GET /style.css", site.Style)
	mux.Handle("GET /metrics", s.Metrics.Handler(kit))
	mux.Handle("GET /healthz", site.Healthz(kit.Webhook()))
	return s.Serve(ctx, mux, kit)
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
