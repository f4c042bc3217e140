// Command nethttp is the quickstart: an app of two pages that asks its users
// for an interview once.
//
//	USERJOURNEYS_API_KEY=uj_live_… USERJOURNEYS_WEBHOOK_SECRET=whsec_… USERJOURNEYS_STUDY="Onboarding Feedback" \
//	go run ./examples/nethttp
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, getenv func(string) string) error {
	for _, name := range []string{"USERJOURNEYS_API_KEY", "USERJOURNEYS_WEBHOOK_SECRET", "USERJOURNEYS_STUDY"} {
		if getenv(name) == "" {
			return fmt.Errorf("nethttp: the environment variable %s is not set", name)
		}
	}

	uj, err := userjourneys.NewClient(getenv("USERJOURNEYS_API_KEY"), &userjourneys.Options{BaseURL: getenv("USERJOURNEYS_BASE_URL")})
	if err != nil {
		return err
	}
	done := store.NewMemory() // forgets on restart: see store.NewSQL
	ask, err := gate.New(uj, getenv("USERJOURNEYS_STUDY"), done, nil)
	if err != nil {
		return err
	}
	prompt, err := middleware.New(ask, currentUser, nil)
	if err != nil {
		return err
	}
	hook, err := webhook.NewHandler(getenv("USERJOURNEYS_WEBHOOK_SECRET"), done, &webhook.Options{Interviews: uj, OnRecorded: ask.Recorded})
	if err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", home)
	mux.HandleFunc("POST /login", login)
	mux.Handle("/webhooks/userjourneys", hook)

	return serve(ctx, cmp.Or(getenv("ADDR"), "localhost:8080"), prompt.Handler(mux), hook)
}

// serve runs the app and the webhook's background work until ctx ends, then
// lets requests in flight finish.
func serve(ctx context.Context, addr string, app http.Handler, hook *webhook.Handler) error {
	server := &http.Server{Addr: addr, Handler: app, ReadHeaderTimeout: 10 * time.Second}
	background, stop := context.WithCancel(context.Background())
	defer stop()
	stopped := make(chan error, 2)
	go func() { stopped <- hook.Run(background) }()
	go func() { stopped <- server.ListenAndServe() }()
	slog.Info("serving", "url", "http://"+addr)

	select {
	case err := <-stopped: // neither ends by itself
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := server.Shutdown(grace)
	stop()
	<-stopped
	<-stopped
	return err
}

// currentUser is the app's own session look-up; here, a cookie that anybody
// can set stands in for it.
func currentUser(r *http.Request) string {
	c, err := r.Cookie("user")
	if errors.Is(err, http.ErrNoCookie) {
		return ""
	}
	return c.Value
}

func login(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "user", Value: r.FormValue("user"), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

var page = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Example</title></head>
<body>
{{with .}}<h1>Hello, {{.}}</h1>{{else}}<h1>Hello</h1>
<form method="post" action="/login"><input name="user" aria-label="Your name" required> <button>Log in</button></form>{{end}}
</body>
</html>
`))

func home(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := page.Execute(w, currentUser(r)); err != nil {
		slog.Warn("page cut off", "err", err)
	}
}
