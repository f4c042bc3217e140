// Command nethttp is the quickstart: an app with one page that asks its users
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
	"html"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

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
		log.Fatalln("nethttp:", err)
	}
}

func run(ctx context.Context, getenv func(string) string) error {
	var missing error
	env := func(name string) string {
		if getenv(name) == "" {
			missing = errors.Join(missing, fmt.Errorf("the environment variable %s is not set", name))
		}
		return getenv(name)
	}
	key, secret, study := env("USERJOURNEYS_API_KEY"), env("USERJOURNEYS_WEBHOOK_SECRET"), env("USERJOURNEYS_STUDY")
	if missing != nil {
		return missing
	}

	uj, err := userjourneys.NewClient(key, &userjourneys.Options{BaseURL: getenv("USERJOURNEYS_BASE_URL")})
	if err != nil {
		return err
	}
	done := store.NewMemory() // forgets on restart: see store.NewSQL
	ask, err := gate.New(uj, study, done, nil)
	if err != nil {
		return err
	}
	prompt, err := middleware.New(ask, currentUser, nil)
	if err != nil {
		return err
	}
	hook, err := webhook.NewHandler(secret, done, &webhook.Options{Interviews: uj, OnRecorded: ask.Recorded})
	if err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", home)
	mux.Handle("/webhooks/userjourneys", hook)
	return serve(ctx, cmp.Or(getenv("ADDR"), "localhost:8080"), prompt.Handler(mux), hook)
}

// serve runs the app and the webhook's background work until ctx ends, then
// lets the requests in flight finish.
func serve(ctx context.Context, addr string, app http.Handler, hook *webhook.Handler) error {
	server := &http.Server{Addr: addr, Handler: app, ReadHeaderTimeout: 10 * time.Second}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return hook.Run(ctx) })
	group.Go(func() error {
		log.Printf("serving http://%s", addr)
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return server.Shutdown(grace)
	})
	return group.Wait()
}

// currentUser stands in for your app's session look-up. "" is an anonymous
// visitor, who is never asked.
func currentUser(r *http.Request) string {
	user, _, _ := r.BasicAuth()
	return user
}

func home(w http.ResponseWriter, r *http.Request) {
	user := currentUser(r)
	if user == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="any name, no password"`)
		http.Error(w, "Log in with any name.", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html>\n<html lang=\"en\"><title>Example</title><body><h1>Hello, %s</h1></body></html>\n", html.EscapeString(user))
}
