package userjourneystest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/askonce/askonce/userjourneys"
)

// TB is the part of [testing.TB] that [NewServer] needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatal(args ...any)
}

// Options configures a [Server]. The zero value of each field means its default.
type Options struct {
	// APIKey is the key that requests must carry. Defaults to
	// "uj_live_fake_0123456789abcdef".
	APIKey string

	// Secret is the signing secret that the first creation of the webhook
	// returns. Defaults to a fixed one. Every later creation returns another.
	Secret string

	// WebhookURL registers a webhook at the start, with Secret. Defaults to none.
	WebhookURL string

	// ProjectLimit is the project's monthly limit of interviews, which no response
	// shows. Defaults to 0, which means none.
	ProjectLimit int

	// NewestFirst reverses lists. The provider documents no order.
	NewestFirst bool

	// OnDelivery is called after each request that delivers the webhook, from the
	// goroutine that sent it. It must be safe for concurrent use. Defaults to
	// nothing.
	OnDelivery func(Delivery) `json:"-"`

	// Listener accepts the connections. The server closes it. Defaults to a free
	// port on a loopback address.
	Listener net.Listener
}

// printable returns o without its methods, key and secret: a test may use those of a real
// account.
func (o Options) printable() any {
	type plain Options
	o.APIKey, o.Secret = "uj_…", "whsec_…"
	return plain(o)
}

// Format implements [fmt.Formatter]. It prints neither key nor secret.
func (o Options) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), o.printable()) // fmt ignores errors of its writers
}

// MarshalJSON implements [json.Marshaler]. It writes neither key nor secret.
func (o Options) MarshalJSON() ([]byte, error) { return json.Marshal(o.printable()) }

// Server is the fake provider. It is safe for concurrent use.
type Server struct {
	opts   Options
	http   *httptest.Server
	sender *http.Client // delivers the webhook

	ctx     context.Context
	stop    context.CancelFunc // ends requests that wait and deliveries that are delayed
	senders sync.WaitGroup

	mu         sync.Mutex
	now        func() time.Time
	studies    []*study
	initial    bool // studies holds only the one that a new server has
	interviews []*interview
	webhook    *webhook
	created    int // secrets returned so far
	requests   []Request
	deliveries []Delivery
	failures   []failure
	hang       chan struct{} // closed by Release; nil if requests do not hang
	plan       []Fate
	hidden     time.Duration // how long a new transcript is answered with 404
	conditions Conditions
	limiter    limiter
}

// NewServer starts a [Server] that is closed when the test ends. A nil opts
// means defaults.
func NewServer(tb TB, opts *Options) *Server {
	tb.Helper()
	s := Start(opts)
	tb.Cleanup(s.Close)
	return s
}

// Start starts a [Server], which the caller must close. A nil opts means
// defaults.
func Start(opts *Options) *Server {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.APIKey = cmp.Or(o.APIKey, "uj_live_fake_0123456789abcdef")
	o.Secret = cmp.Or(o.Secret, "whsec_5b69ff6a12af94c6e3901a061180ca73")
	s := &Server{opts: o, now: time.Now, sender: &http.Client{
		// Not the default transport: every httptest.Server that closes, in another
		// test, closes its idle connections, sometimes before the response is read.
		Transport:     &http.Transport{DisableKeepAlives: true},
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.AddStudy(Study{ID: "e5f6a7b8-1234-56cd-ef78-222222222222", Code: "xK9mR2pQ"})
	s.initial = true
	if o.WebhookURL != "" {
		s.createWebhook(o.WebhookURL, []string{userjourneys.EventInterviewCompleted})
	}
	s.http = httptest.NewUnstartedServer(s.routes())
	if o.Listener != nil {
		s.http.Listener.Close()
		s.http.Listener = o.Listener
	}
	s.http.Start()
	return s
}

// Close ends requests that hang and deliveries that are delayed, waits for those
// in flight, and closes the server. It may be called twice.
func (s *Server) Close() {
	s.mu.Lock() // no delivery starts after this
	s.stop()
	s.mu.Unlock()
	s.http.Close()
	s.senders.Wait()
}

// URL returns the URL of the page for people, without a slash at the end.
func (s *Server) URL() string { return s.http.URL }

// BaseURL returns the value for [userjourneys.Options.BaseURL].
func (s *Server) BaseURL() string { return s.http.URL + "/api/v1" }

// APIKey returns the key that requests must carry.
func (s *Server) APIKey() string { return s.opts.APIKey }

// Secret returns the signing secret of the webhook, or the one that its first
// creation will return.
func (s *Server) Secret() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.webhook != nil {
		return s.webhook.secret
	}
	return s.nextSecret()
}

// nextSecret returns the configured secret first, then numbered ones.
func (s *Server) nextSecret() string {
	if s.created == 0 {
		return s.opts.Secret
	}
	return fmt.Sprintf("whsec_%032x", s.created)
}

// createWebhook registers a webhook with the next secret.
func (s *Server) createWebhook(url string, events []string) {
	s.webhook = &webhook{url: url, events: events, secret: s.nextSecret()}
	s.created++
}

// Request is one request to the API.
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
	return slices.Clone(s.requests)
}
