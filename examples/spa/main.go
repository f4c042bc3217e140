// Command spa is an example of a single-page app. No page of the server can contain
// the prompt, so the script asks for the decision with the typed client, and shows the
// prompt itself: see ui/app.js.
//
//	go run ./examples/spa -fake   # with a fake provider: no account needed
//	go run ./examples/spa -h      # what to set to run it for real
package main

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/examples/internal/site"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
)

//go:embed ui
var ui embed.FS

func main() { site.Main(run) }

func run(ctx context.Context, s *site.Site) error {
	kit, err := askonce.New(askonce.Config{
		APIKey:        s.APIKey,
		WebhookSecret: s.WebhookSecret,
		Studies:       []string{s.Study},
		User:          s.User,
		Store:         store.NewCached(s.Store, nil),
		CookieKeys:    s.CookieKeys,
		Gate:          &gate.Options{OnDecision: s.Metrics.Decision},
		Middleware:    &middleware.Options{OnInteraction: s.Metrics.Interaction},
		Webhook: &webhook.Options{
			URL:        s.WebhookURL,
			OnDelivery: s.Metrics.Delivery,
			OnRecorded: s.Metrics.Recorded,
			OnProgress: s.Metrics.Progress,
		},
		BaseURL: s.BaseURL,
	})
	if err != nil {
		return err
	}

	files, err := fs.Sub(ui, "ui")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/askonce/", kit.Middleware().Endpoints()) // the client, and what it calls
	mux.Handle("/", strict(http.FileServerFS(files)))
	for _, view := range []string{"GET /notes/{id}", "GET /interviews"} { // of the app, when one is reloaded
		mux.Handle(view, strict(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "index.html") })))
	}
	mux.HandleFunc("GET /style.css", site.Style)
	mux.HandleFunc("GET /api/me", func(w http.ResponseWriter, r *http.Request) {
		page := site.Page{User: s.User(r)}
		writeJSON(w, map[string]any{"user": page.User, "admin": page.Admin()})
	})
	mux.HandleFunc("GET /api/interviews", func(w http.ResponseWriter, r *http.Request) {
		if page := (site.Page{User: s.User(r)}); !page.Admin() {
			http.NotFound(w, r)
			return
		}
		interviews, err := s.Interviews(r.Context())
		if err != nil {
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
			return
		}
		writeJSON(w, interviews)
	})
	mux.HandleFunc("POST /login", s.Login)
	mux.HandleFunc("POST /logout", s.Logout)
	mux.Handle(site.WebhookPath, kit.Webhook())
	mux.Handle("GET /metrics", s.Metrics.Handler(kit))
	mux.Handle("GET /healthz", site.Healthz(kit.Webhook()))
	return s.Serve(ctx, mux, kit)
}

// strict lets the page run its own script and nothing else.
func strict(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}
