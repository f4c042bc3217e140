// Command quickstart is a small app that invites its users to an interview.
package main

import (
	"cmp"
	"context"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/store/memstore"
)

func main() {
	kit, err := askonce.New(askonce.Config{
		APIKey:        os.Getenv("USERJOURNEYS_API_KEY"),
		WebhookSecret: os.Getenv("USERJOURNEYS_WEBHOOK_SECRET"),
		Studies:       []string{"Onboarding Feedback"},             // by name or id
		User:          func(*http.Request) string { return "ada" }, // yours reads the session; "" is nobody
		Store:         memstore.New(),                              // in production sqlstore or redisstore
		BaseURL:       os.Getenv("USERJOURNEYS_BASE_URL"),          // only for a fake provider
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("<!doctype html><title>My app</title><h1>Hello</h1></html>"))
	})
	mux.Handle("/webhooks/userjourneys", kit.Webhook())
	server := &http.Server{Addr: cmp.Or(os.Getenv("ADDR"), "localhost:8080"), Handler: kit.Handler(mux)}
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			log.Fatal(err)
		}
	}()
	log.Printf("open http://%s", server.Addr)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	kit.Run(ctx)                          // until ctx ends: transcripts, and completions whose delivery was lost
	stop()                                // a second signal ends the process at once
	server.Shutdown(context.Background()) // requests in flight are answered, and deliveries recorded
}
