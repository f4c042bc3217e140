// Command quickstart is the smallest app that asks its users for an interview
// once. It needs nothing but this module: copy it and begin.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	var missing []error
	env := func(name string) string {
		if os.Getenv(name) == "" {
			missing = append(missing, fmt.Errorf("the environment variable %s is not set", name))
		}
		return os.Getenv(name)
	}
	key, secret, study := env("USERJOURNEYS_API_KEY"), env("USERJOURNEYS_WEBHOOK_SECRET"), env("USERJOURNEYS_STUDY") // id or name
	if missing != nil {
		return errors.Join(missing...)
	}

	// The client of the provider's API. An empty BaseURL is the real one.
	uj, err := userjourneys.NewClient(key, &userjourneys.Options{BaseURL: os.Getenv("USERJOURNEYS_BASE_URL")})
	if err != nil {
		return err
	}
	// Who has completed what. In production sqlstore.New, which a restart does not empty.
	done := memstore.New()
	// Shall this user be asked?
	ask, err := gate.New(uj, study, done, nil)
	if err != nil {
		return err
	}
	// Puts the prompt into pages. Yours looks into the session for who is logged in; "" is nobody.
	user := func(*http.Request) string { return "ada" }
	prompt, err := middleware.New(ask, user, nil) // in production with CookieKeys
	if err != nil {
		return err
	}
	// Takes completed interviews in; its Run fetches transcripts, and completions whose delivery was lost.
	hook, err := webhook.New(secret, done, &webhook.Options{Client: uj, OnRecorded: ask.Recorded})
	if err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<!doctype html><title>My app</title><h1>Hello</h1></html>")
	})
	mux.Handle("/webhooks/userjourneys", hook)

	var work sync.WaitGroup
	work.Go(func() { _ = ask.Warm(ctx) }) // or the first page would come before the provider's answer
	work.Go(func() { _ = hook.Run(ctx) }) // until ctx ends, which is no error
	server := &http.Server{Addr: cmp.Or(os.Getenv("ADDR"), "localhost:8080"), Handler: prompt.Handler(mux), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = errors.Join(hook.Close(), server.Shutdown(grace))
	work.Wait()
	return err
}
