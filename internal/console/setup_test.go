package console_test

import (
	"bytes"
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
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook"
)

// site is a console over a store and a fake provider, and a browser before it.
type site struct {
	http.Handler
	t        *testing.T
	provider *userjourneystest.Server
	study    userjourneystest.Study
	gates    *gate.Group
	webhook  *webhook.Handler
	log      *logged
}

// setup mounts the console at /console/ for everybody.
func setup(t *testing.T, s store.Store, opts *webhook.Options) *site {
	t.Helper()
	provider := userjourneystest.NewServer(t, nil)
	study := provider.AddStudy(userjourneystest.Study{Name: "Onboarding"})
	client, err := userjourneys.NewClient(provider.APIKey(), &userjourneys.Options{BaseURL: provider.BaseURL(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	lines := new(logged)
	log := lines.logger()
	g, err := gate.New(client, study.ID, s, &gate.Options{Logger: log})
	require.NoError(t, err)
	o := webhook.Options{Client: client, Logger: log}
	if opts != nil {
		o = *opts
		o.Client, o.Logger = client, log
	}
	hook, err := webhook.New(provider.Secret(), s, &o)
	require.NoError(t, err)
	all := &site{t: t, provider: provider, study: study, gates: gate.First(g), webhook: hook, log: lines}
	all.Handler = console.New(console.Parts{Gate: all.gates, Webhook: hook, Store: s, Logger: log}, anybody)
	return all
}

func anybody(*http.Request) bool { return true }

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
	return s.get(strings.TrimPrefix(to.RequestURI(), "/console/"))
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

// logged is what was logged, as lines of text.
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
