package console_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/internal/console"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

const (
	studyID = "e5f6a7b8-1234-56cd-ef78-222222222222"
	secret  = "whsec_0123456789abcdef0123456789abcdef"
)

// site is a console with a store and a provider, without a network.
type site struct {
	http.Handler
	t        *testing.T
	provider *provider
	gates    *gate.Group
	webhook  *webhook.Handler
	log      *logged
}

// setup mounts the console at /console/ for everybody.
func setup(t *testing.T, s store.Store, opts *webhook.Options) *site {
	t.Helper()
	lines := new(logged)
	p := &provider{study: userjourneys.Study{ID: studyID, Name: "Onboarding", InterviewLink: "https://app.userjourneys.ai/i/x", AcceptingResponses: true}}
	g, err := gate.New(p, "Onboarding", s, &gate.Options{Logger: lines.logger()})
	require.NoError(t, err)
	var o webhook.Options
	if opts != nil {
		o = *opts
	}
	o.Logger = lines.logger()
	hook, err := webhook.New(secret, s, &o)
	require.NoError(t, err)
	all := &site{t: t, provider: p, gates: gate.First(g), webhook: hook, log: lines}
	all.Handler = console.New(console.Parts{Gates: all.gates, Webhook: hook, Store: s, Logger: lines.logger()}, anybody)
	return all
}

func anybody(*http.Request) bool { return true }

// provider is a provider with one study.
type provider struct {
	mu    sync.Mutex
	study userjourneys.Study
	err   error
	hang  bool
}

func (p *provider) FindStudy(ctx context.Context, _ string) (userjourneys.Study, error) {
	p.mu.Lock()
	study, err, hang := p.study, p.err, p.hang
	p.mu.Unlock()
	if hang {
		<-ctx.Done()
		err = ctx.Err()
	}
	return study, err
}

// set changes what the provider answers.
func (p *provider) set(change func(p *provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// get requests a page of the console, such as "queue".
func (s *site) get(path string) answer { return s.do(http.MethodGet, path, nil) }

// post sends a form as the console's own pages do, and follows the redirect.
func (s *site) post(path string, form url.Values) answer {
	s.t.Helper()
	a := s.do(http.MethodPost, path, form)
	require.Equal(s.t, http.StatusSeeOther, a.status, a.text)
	to, err := url.Parse("http://example.com/console/" + path)
	require.NoError(s.t, err)
	to, err = to.Parse(a.header.Get("Location"))
	require.NoError(s.t, err)
	page, below := strings.CutPrefix(to.RequestURI(), "/console/")
	require.True(s.t, below, "it redirects to %s", to)
	return s.get(page)
}

func (s *site) do(method, path string, form url.Values) answer {
	s.t.Helper()
	r := httptest.NewRequest(method, "http://example.com/console/"+path, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return serve(s.t, s.Handler, r)
}

// fetch requests a page over the network and follows redirects.
func fetch(t *testing.T, address string) (a answer, at *url.URL) {
	t.Helper()
	res, err := http.Get(address)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return answer{res.StatusCode, res.Header, string(body)}, res.Request.URL
}

// answer is a response.
type answer struct {
	status int
	header http.Header
	text   string
}

func serve(t *testing.T, h http.Handler, r *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// logged collects the log as lines of text.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
