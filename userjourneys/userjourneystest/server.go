// Package userjourneystest is a fake of the provider: a real HTTP server that
// behaves like the API of userjourneys.ai, with knobs for what goes wrong.
//
//	fake := userjourneystest.NewServer(t, nil)
//	study := fake.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback"})
//	client, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
//
// It serves the API below BaseURL and, below /i/, the public interview page of
// each study, with a button that finishes the interview: that counts against
// the limits, makes the transcript available and delivers the signed webhook.
package userjourneystest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// TB is the part of testing.TB that NewServer needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatal(args ...any)
}

// Options configure a Server. The zero value of each field means its default.
type Options struct {
	// APIKey is the key that requests must carry. Defaults to
	// "uj_live_fake_0123456789abcdef".
	APIKey string

	// Secret is the signing secret that the first creation of the webhook
	// hands out. Defaults to a fixed one; every later creation has another.
	Secret string

	// ProjectLimit is the project's monthly number of interviews, which no
	// response shows. Defaults to 0, which means none.
	ProjectLimit int

	// NewestFirst turns the order of lists around. The provider documents none.
	NewestFirst bool

	// HTTPClient delivers the webhooks. Defaults to a client with a time limit
	// of 10 s.
	HTTPClient *http.Client
}

// printable is o without its methods, key and secret: a test may be given those
// of a real account.
func (o Options) printable() any {
	type plain Options
	o.APIKey, o.Secret = "uj_…", "whsec_…"
	return plain(o)
}

// Format implements [fmt.Formatter]. It prints neither key nor secret.
func (o Options) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), o.printable())
}

// MarshalJSON implements [json.Marshaler]. It writes neither key nor secret.
func (o Options) MarshalJSON() ([]byte, error) { return json.Marshal(o.printable()) }

// Server is the fake provider. All methods are safe for concurrent use.
type Server struct {
	opts Options
	http *httptest.Server

	stop    context.CancelFunc // ends what hangs and what is still to be delivered
	ctx     context.Context
	senders sync.WaitGroup

	mu         sync.Mutex
	now        func() time.Time
	studies    []*study
	interviews []*interview
	webhook    *webhook
	created    int // secrets handed out so far
	requests   []Request
	deliveries []Delivery
	failures   []failure
	hang       chan struct{} // closed by Release; nil when nothing hangs
	plan       []Fate
	hidden     time.Duration // how long a new transcript answers 404
}

// NewServer starts a Server that is closed when the test ends. A nil opts means
// defaults.
func NewServer(tb TB, opts *Options) *Server {
	tb.Helper()
	s := Start(opts)
	tb.Cleanup(s.Close)
	return s
}

// Start starts a Server on a free loopback port. A nil opts means defaults. The
// caller closes it.
func Start(opts *Options) *Server {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.APIKey = cmp.Or(o.APIKey, "uj_live_fake_0123456789abcdef")
	o.Secret = cmp.Or(o.Secret, "whsec_5b69ff6a12af94c6e3901a061180ca73")
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{
			// Not the default transport: every httptest.Server that closes, in
			// another test, closes its idle connections, at times before the
			// answer is handed on.
			Transport:     &http.Transport{DisableKeepAlives: true},
			Timeout:       10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{opts: o, ctx: ctx, stop: stop, now: time.Now}
	s.http = httptest.NewServer(s.routes())
	return s
}

// Close ends what hangs, waits for the deliveries under way and closes the
// server. It may be called twice.
func (s *Server) Close() {
	s.mu.Lock() // no delivery starts after this
	s.stop()
	s.mu.Unlock()
	s.http.Close()
	s.senders.Wait()
}

// BaseURL is what userjourneys.Options.BaseURL shall be.
func (s *Server) BaseURL() string { return s.http.URL + "/api/v1" }

// APIKey is the key that requests must carry.
func (s *Server) APIKey() string { return s.opts.APIKey }

// Secret is the signing secret of the webhook, or the one that its first
// creation will hand out.
func (s *Server) Secret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.webhook != nil {
		return s.webhook.secret
	}
	return s.nextSecret()
}

// nextSecret is the configured one first, then numbered ones.
func (s *Server) nextSecret() string {
	if s.created == 0 {
		return s.opts.Secret
	}
	return fmt.Sprintf("whsec_%032x", s.created)
}

// Request is one request to the API, as Requests returns it.
type Request struct {
	Method     string
	Path       string // below BaseURL
	Query      string
	Authorized bool
	At         time.Time
}

// Requests returns the requests to the API so far, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}
