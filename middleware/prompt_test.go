package middleware_test

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/stretchr/testify/require"
)

// oneStudy is a provider with one study.
type oneStudy struct{ userjourneys.Study }

func (s *oneStudy) FindStudy(context.Context, string) (userjourneys.Study, error) {
	if s.ID == "" {
		return userjourneys.Study{}, userjourneys.ErrNotFound
	}
	return s.Study, nil
}

var everyLanguage = []string{"en", "es", "de", "fr", "it", "pt", "no"}

func newStudy() *oneStudy {
	return &oneStudy{userjourneys.Study{
		ID: "study-1", Name: "Onboarding", Status: "active", AcceptingResponses: true,
		InterviewLink: "https://provider.example/i/abc", SupportedLanguages: everyLanguage,
	}}
}

func newGate(t testing.TB, opts *gate.Options) *gate.Gate {
	t.Helper()
	var o gate.Options
	if opts != nil {
		o = *opts
	}
	o.LinkHosts = []string{"provider.example"}
	o.Linger = cmp.Or(o.Linger, -1)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second) // the race detector on a busy machine
	g, err := gate.New(newStudy(), "study-1", store.NewCached(memstore.New(), nil), &o)
	require.NoError(t, err)
	require.NoError(t, g.Warm(t.Context()))
	return g
}

var testKeys = [][]byte{[]byte(strings.Repeat("h", 32)), []byte(strings.Repeat("b", 16))}

// newPrompt returns a middleware whose user is named by a header.
func newPrompt(t testing.TB, d gate.Decider, opts *middleware.Options) *middleware.Middleware {
	t.Helper()
	o := middleware.Options{}
	if opts != nil {
		o = *opts
	}
	if o.CookieKeys == nil {
		o.CookieKeys = testKeys
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := middleware.New(d, func(r *http.Request) string { return r.Header.Get(userHeader) }, &o)
	require.NoError(t, err)
	return m
}

// browser keeps cookies, follows no redirect and requests pages as one user.
type browser struct {
	t    testing.TB
	url  string
	user string
	*http.Client
}

func newBrowser(t testing.TB, m *middleware.Middleware) *browser {
	t.Helper()
	return newBrowserOn(t, m, respond("<!doctype html><title>A page</title><p>Hi.</p></body></html>"))
}

func newBrowserOn(t testing.TB, m *middleware.Middleware, page http.HandlerFunc) *browser {
	t.Helper()
	srv := httptest.NewServer(m.Handler(page))
	t.Cleanup(srv.Close)
	return browserFor(t, srv.URL)
}

func browserFor(t testing.TB, url string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{} // the default one loses connections whenever an httptest.Server closes
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t, url, "ada", &http.Client{Transport: transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

type answer struct {
	*http.Response
	body string
}

func (b *browser) do(method, path string, headers ...string) answer {
	b.t.Helper()
	r, err := http.NewRequest(method, b.url+path, nil)
	require.NoError(b.t, err)
	r.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	r.Header.Set(userHeader, b.user)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := b.Do(r)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return answer{resp, string(body)}
}

// asked reports whether the app's page has a prompt in it. If it has, the browser
// reports that it was seen, as the prompt's script does.
func (b *browser) asked(headers ...string) bool {
	b.t.Helper()
	a := b.do(http.MethodGet, "/", headers...)
	require.Equal(b.t, http.StatusOK, a.StatusCode)
	if !strings.Contains(a.body, "askonce-title") {
		return false
	}
	require.Equal(b.t, http.StatusNoContent, b.seen().StatusCode)
	return true
}

func (b *browser) seen() answer {
	return b.do(http.MethodPost, "/askonce/shown?study=study-1", "Accept", "*/*", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors")
}

// seen returns the cookie of the response to ada's report that she has seen the prompt.
func seen(t testing.TB, m *middleware.Middleware, change func(r *http.Request)) *http.Cookie {
	t.Helper()
	rec, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/askonce/shown?study=study-1", nil)
	r.Header.Set(userHeader, "ada")
	if change != nil {
		change(r)
	}
	m.Endpoints().ServeHTTP(rec, r)
	require.Equal(t, http.StatusNoContent, rec.Code)
	cookies := rec.Result().Cookies()
	require.Len(t, cookies, 1)
	return cookies[0]
}

// The app gets every word and link of a prompt.
func TestContentIsWhole(t *testing.T) {
	t.Parallel()
	m := newPrompt(t, askEveryone{}, nil)
	bodyOf(m, func(_ http.ResponseWriter, r *http.Request) {
		c, ok := middleware.PromptFrom(r.Context())
		require.True(t, ok)
		for _, part := range []reflect.Value{reflect.ValueOf(c), reflect.ValueOf(c.Texts)} {
			for i := range part.NumField() {
				name := part.Type().Field(i).Name
				require.Equal(t, name == "Seen", part.Field(i).IsZero(), name)
			}
		}
		urls := map[string]string{"start": c.StartURL, "shown": c.ShownURL, "later": c.LaterURL, "decline": c.DeclineURL, "undo": c.UndoURL, "optout": c.OptOutURL}
		for endpoint, url := range urls {
			require.True(t, strings.HasPrefix(url, "/askonce/"+endpoint+"?"), url)
		}
	})
}

// bodyOf returns the page that h makes for ada.
func bodyOf(m *middleware.Middleware, h http.HandlerFunc) string {
	rec := httptest.NewRecorder()
	m.Handler(h).ServeHTTP(rec, pageRequest(userHeader, "ada"))
	return rec.Body.String()
}
