// Command minimal is the least there is, in one file to copy: it keeps its
// state in memory, and takes a cookie that anybody can set for a session.
//
//	USERJOURNEYS_API_KEY=uj_live_… USERJOURNEYS_WEBHOOK_SECRET=whsec_… USERJOURNEYS_STUDY="Onboarding Feedback" \
//	go run ./examples/minimal
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

func main() {
	done := store.NewMemory() // forgets on restart: see store.NewSQL
	uj, err1 := userjourneys.NewClient(os.Getenv("USERJOURNEYS_API_KEY"), nil)
	ask, err2 := gate.New(uj, os.Getenv("USERJOURNEYS_STUDY"), done, nil)
	prompt, err3 := middleware.New(ask, currentUser, nil)
	hook, err4 := webhook.NewHandler(os.Getenv("USERJOURNEYS_WEBHOOK_SECRET"), done, &webhook.Options{Interviews: uj, OnRecorded: ask.Recorded})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		log.Fatal(err)
	}
	go hook.Run(context.Background()) // transcripts, and deliveries that were lost

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", home)
	mux.Handle("/webhooks/userjourneys", hook)
	log.Fatal(http.ListenAndServe("localhost:8080", prompt.Handler(mux)))
}

// currentUser returns the id of who is logged in, "" for nobody.
func currentUser(r *http.Request) string {
	c, err := r.Cookie("user")
	if err != nil {
		return ""
	}
	return c.Value
}

func home(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, "<!doctype html><title>Home</title><body><h1>Home</h1></body></html>")
}
