package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/examples/internal/site"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

const (
	webhookPath = "/webhooks/userjourneys"
	consolePath = "/admin/askonce/"
)

// app is Fernly, which uses askonce like any other app, with the demo's panel.
type app struct {
	url      string
	listener net.Listener
	kit      *askonce.Kit
	provider *provider
	store    *calendar
	plants   *plants
	journal  *journal
	log      *slog.Logger
	closeDB  func() error
	server   *http.Server
	stop     context.CancelFunc
	run      sync.WaitGroup
}

// newApp returns an app that does not serve yet. It registers the webhook with the
// provider, which an operator of a real app does once, with cmd/askonce.
func newApp(ctx context.Context, addr, file string, p *provider, logger *slog.Logger) (_ *app, err error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	a := &app{url: "http://" + listener.Addr().String(), listener: listener, provider: p, plants: newPlants(), journal: &journal{}, log: logger}
	defer func() {
		if err == nil {
			return
		}
		listener.Close()
		if a.closeDB != nil {
			err = errors.Join(err, a.closeDB())
		}
	}()
	kept, closeDB, err := site.OpenSQLite(ctx, file)
	if err != nil {
		return nil, err
	}
	a.closeDB, a.store = closeDB, &calendar{Store: kept}

	uj, err := userjourneys.NewClient(p.APIKey(), &userjourneys.Options{BaseURL: p.BaseURL(), Logger: logger})
	if err != nil {
		return nil, err
	}
	hook, err := uj.PutWebhook(ctx, userjourneys.Webhook{URL: a.url + webhookPath})
	if err != nil {
		return nil, err
	}
	p.secret = cmp.Or(hook.SigningSecret.Reveal(), p.secret)

	a.kit, err = askonce.New(askonce.Config{
		APIKey: p.APIKey(), BaseURL: p.BaseURL(), WebhookSecret: p.secret,
		Studies:    []string{p.study.Name},
		User:       currentUser,
		Store:      a.store, // uncached, so that a day passes at once
		CookieKeys: [][]byte{securecookie.GenerateRandomKey(64), securecookie.GenerateRandomKey(32)},
		Gate: &gate.Options{
			// The defaults, 3 and 15 minutes, are too long for a demo.
			Fresh: 3 * time.Second, Stale: 12 * time.Second,
			OnDecision: a.journal.decision,
		},
		Middleware: &middleware.Options{
			Sender:        middleware.Sender{Name: "Fernly", Logo: "/static/logo.svg"},
			OnPrompt:      a.journal.prompt,
			OnInteraction: a.journal.interaction,
		},
		Webhook: &webhook.Options{
			URL:            a.url + webhookPath,
			ReconcileEvery: 15 * time.Second, // by default 10 minutes
			OnDelivery:     a.journal.delivery,
			OnCompleted:    a.journal.completed,
			OnProgress:     a.journal.progress,
		},
		Logger: logger,
	})
	return a, err
}

// serve serves the app and runs its kit until Close.
func (a *app) serve(ctx context.Context) {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	a.stop = stop
	a.server = &http.Server{Handler: a.routes(), ReadHeaderTimeout: 10 * time.Second}
	a.run.Go(func() { _ = a.kit.Run(background) }) // ends with background
	a.run.Go(func() {
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("the app stopped serving", "err", err)
		}
	})
}

func (a *app) routes() http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /{$}", a.today)
	pages.HandleFunc("GET /plants", a.allPlants)
	pages.HandleFunc("GET /visits", a.visits)
	pages.HandleFunc("POST /water", a.water)
	pages.HandleFunc("POST /login", login)

	mux := http.NewServeMux()
	mux.Handle("/", a.kit.Handler(http.NewCrossOriginProtection().Handler(pages)))
	mux.Handle(webhookPath, a.kit.Webhook())
	mux.Handle(consolePath, a.kit.Console(func(*http.Request) bool { return true })) // a real app checks its session here
	mux.HandleFunc("GET /static/", static)
	// The panel's endpoints are outside the middleware.
	mux.HandleFunc("GET /demo/live", a.live)
	mux.Handle("POST /demo/{switch}", http.NewCrossOriginProtection().Handler(http.HandlerFunc(a.flip)))
	return mux
}

// Close drains requests in flight, stops the background work and closes the
// database.
func (a *app) Close() error {
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := a.server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = a.server.Close() // Shutdown waits 5 s for idle connections that browsers open in advance
	}
	a.stop()
	a.run.Wait()
	return errors.Join(err, a.closeDB())
}
