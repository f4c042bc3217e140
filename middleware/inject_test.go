package middleware_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/internal/pagetest"
)

// askEveryone asks every user.
type askEveryone struct{}

func (askEveryone) Decide(_ context.Context, v gate.Visitor) gate.Decision {
	return gate.Decision{Reason: gate.ReasonEligible, Prompt: gate.Prompt{
		StudyID: "study-1", StudyName: "Onboarding", InterviewLink: "https://provider.example/i/abc", UserID: v.UserID,
	}}
}

func (d askEveryone) Confirm(ctx context.Context, v gate.Visitor) gate.Decision {
	return d.Decide(ctx, v)
}

// injector is a middleware that asks everyone but the user "nobody" of a test header,
// and keeps the outcomes.
type injector struct {
	*middleware.Middleware

	mu       sync.Mutex
	outcomes []middleware.Outcome
}

const userHeader = "X-Test-User"

func newInjector(t testing.TB, opts middleware.Options) *injector {
	t.Helper()
	i := &injector{}
	opts.OnPrompt = func(_ *http.Request, _ string, o middleware.Outcome) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.outcomes = append(i.outcomes, o)
	}
	m, err := middleware.New(askEveryone{}, func(r *http.Request) string {
		if u := r.Header.Get(userHeader); u != "nobody" {
			return "ada" + u
		}
		return ""
	}, &opts)
	require.NoError(t, err)
	i.Middleware = m
	return i
}

// last returns the outcome of the latest response. It fails if there were others since
// the last call.
func (i *injector) last(t testing.TB) middleware.Outcome {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	require.Len(t, i.outcomes, 1, "OnPrompt must be told exactly once")
	o := i.outcomes[0]
	i.outcomes = nil
	return o
}

// pageRequest is what a browser without Fetch Metadata sends for a page.
func pageRequest(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/page", nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// serve runs one request through h and the middleware.
func (i *injector) serve(t testing.TB, r *http.Request, h http.HandlerFunc) (*httptest.ResponseRecorder, middleware.Outcome) {
	t.Helper()
	rec := httptest.NewRecorder()
	i.Handler(h).ServeHTTP(rec, r)
	return rec, i.last(t)
}

// respond returns a handler that writes a page with one call.
func respond(page string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(page))
	}
}

// snippetOf returns the snippet in a page without policies.
func snippetOf(t testing.TB, i *injector) string {
	t.Helper()
	rec, o := i.serve(t, pageRequest(), respond("<!doctype html><p></p></body>"))
	require.Equal(t, middleware.OutcomeInjected, o)
	s := strings.TrimSuffix(strings.TrimPrefix(rec.Body.String(), "<!doctype html><p></p>"), "</body>")
	require.True(t, strings.HasPrefix(s, "<aside") && strings.HasSuffix(s, "</script>"), s)
	return s
}

// The tests of package page use these too.
const closing = pagetest.Closing

var (
	without = pagetest.Without
	filler  = pagetest.Filler
)
