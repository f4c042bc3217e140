package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/examples/internal/site"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook"
)

const (
	webhookPath = "/webhooks/userjourneys"
	wrongSecret = "whsec_ffffffffffffffffffffffffffffffff"
)

// provider is the fake provider with the demo's study.
type provider struct {
	*userjourneystest.Server
	study  userjourneystest.Study
	secret string // the webhook's, shown only when it is created
	down   atomic.Bool
}

// startProvider starts the fake provider. Its study takes two interviews, so
// that the demo can show one that is full.
func startProvider() *provider {
	fake := userjourneystest.Start(nil)
	return &provider{Server: fake, study: fake.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback", WeeklyLimit: 2})}
}

// app is an app that uses askonce like any other.
type app struct {
	url      string
	listener net.Listener
	kit      *askonce.Kit
	provider *provider
	done     store.Store
	log      *journal
	db       func() error // closes it
	server   *http.Server
	stop     context.CancelFunc
	run      sync.WaitGroup
}

// startApp serves the app on addr, with its state in the SQLite file.
func startApp(ctx context.Context, addr, file string, p *provider, logger *slog.Logger) (*app, error) {
	a, err := newApp(ctx, addr, file, p, logger)
	if err == nil {
		a.serve(ctx, logger)
	}
	return a, err
}

// newApp returns an app that does not run yet. It registers the webhook with the
// provider. For a real app an operator does that once, with cmd/askonce.
func newApp(ctx context.Context, addr, file string, p *provider, logger *slog.Logger) (_ *app, err error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	a := &app{url: "http://" + listener.Addr().String(), listener: listener, provider: p, log: &journal{}}
	defer func() {
		if err == nil {
			return
		}
		listener.Close()
		if a.db != nil {
			err = errors.Join(err, a.db())
		}
	}()
	kept, closeDB, err := site.OpenSQLite(ctx, file)
	if err != nil {
		return nil, err
	}
	a.db, a.done = closeDB, store.NewCached(kept, nil)

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
		Studies: []string{p.study.Name},
		User:    currentUser,
		Store:   a.done,
		Gate: &gate.Options{
			OnDecision:  a.log.decision,
			MaxShowings: -1, ShowingPause: -1, // visitors of the demo reload often
		},
		Middleware: &middleware.Options{OnPrompt: a.log.prompt},
		Webhook:    &webhook.Options{OnDelivery: a.log.delivery, URL: a.url + webhookPath},
		Logger:     logger,
	})
	if err != nil {
		return nil, err
	}

	return a, nil
}

// serve serves the app and runs its kit until Close.
func (a *app) serve(ctx context.Context, logger *slog.Logger) {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	a.stop = stop
	a.server = &http.Server{Handler: a.routes(), ReadHeaderTimeout: 10 * time.Second}
	a.run.Go(func() { _ = a.kit.Run(background) }) // ends with background
	a.run.Go(func() {
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("the app stopped serving", "err", err)
		}
	})
}

func (a *app) routes() http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /{$}", home)

	mux := http.NewServeMux()
	mux.Handle("/", a.kit.Handler(pages))
	mux.HandleFunc("GET /style.css", style)
	mux.HandleFunc("POST /login", login)
	mux.Handle(webhookPath, a.kit.Webhook())
	// The demo's own pages are outside the middleware and have no prompt.
	mux.HandleFunc("GET /underneath", a.underneath)
	mux.HandleFunc("POST /provider", a.switchProvider)
	mux.HandleFunc("POST /forge", a.forge)
	return mux
}

// Close drains requests in flight, stops the background work and closes the
// database.
func (a *app) Close() error {
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := a.server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = a.server.Close() // Shutdown waits 5 s for new connections without a request, which browsers open in advance
	}
	a.stop()
	a.run.Wait()
	return errors.Join(err, a.db())
}

// journal keeps the calls of the hooks for the page that shows them.
type journal struct {
	mu         sync.Mutex
	decisions  []decided
	prompts    []string
	deliveries []webhook.Delivery
}

type decided struct {
	At     time.Time
	User   string
	Reason gate.Reason
}

const journalKeeps = 50

func keep[T any](list []T, item T) []T {
	if len(list) == journalKeeps {
		list = slices.Delete(list, 0, 1)
	}
	return append(list, item)
}

func (j *journal) decision(_ context.Context, v gate.Visitor, d gate.Decision) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.decisions = keep(j.decisions, decided{time.Now(), v.UserID, d.Reason})
}

func (j *journal) prompt(_ *http.Request, o middleware.Outcome) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.prompts = keep(j.prompts, o.String())
}

func (j *journal) delivery(_ context.Context, d webhook.Delivery) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.deliveries = keep(j.deliveries, d)
}

// lastDecision returns the reason of the newest decision for user.
func (j *journal) lastDecision(user string) (reason gate.Reason, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, d := range slices.Backward(j.decisions) {
		if d.User == user {
			return d.Reason, true
		}
	}
	return reason, false
}

// lastDelivery returns the result of the newest delivery, and their number.
func (j *journal) lastDelivery() (reason webhook.Result, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n = len(j.deliveries); n > 0 {
		reason = j.deliveries[n-1].Result
	}
	return reason, n
}
