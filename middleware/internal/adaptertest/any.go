package adaptertest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/stretchr/testify/require"
)

// AsksAda is a [gate.Decider] that invites the user "ada" and nobody else.
type AsksAda struct{}

// Decide implements [gate.Decider].
func (AsksAda) Decide(_ context.Context, v gate.Visitor) gate.Decision {
	if v.UserID != "ada" {
		return gate.Decision{Reason: gate.ReasonHeldOut}
	}
	return gate.Decision{Reason: gate.ReasonEligible, Prompt: gate.Prompt{
		StudyID: "s1", InterviewLink: "https://interviews.example/i/a", UserID: v.UserID,
	}}
}

// Confirm implements [gate.Decider].
func (a AsksAda) Confirm(ctx context.Context, v gate.Visitor) gate.Decision { return a.Decide(ctx, v) }

// Page is a page without the prompt.
const Page = "<!doctype html><html><body><p>Hello</p></body></html>"

// UserHeader is the header with the user's id, in place of a session.
const UserHeader = "X-User"

// New returns a Middleware that invites Ada. Its own func for the user knows nobody, so the
// adapter's must be called.
func New(t *testing.T) *middleware.Middleware {
	m, err := middleware.New(AsksAda{}, func(*http.Request) string { return "" }, nil)
	require.NoError(t, err)
	return m
}

// NewWithUser returns a Middleware that invites Ada and reads the user from [UserHeader].
func NewWithUser(t *testing.T) *middleware.Middleware {
	m, err := middleware.New(AsksAda{}, func(r *http.Request) string { return r.Header.Get(UserHeader) }, nil)
	require.NoError(t, err)
	return m
}

// Get sends a request of Ada's browser. The header is a list of names and values.
func Get(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	return Send(h, http.MethodGet, path, header...)
}

// Send sends a request like [Get], with another method.
func Send(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	r.Header.Set(UserHeader, "ada")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Prompt tests an app that serves [Page] at "/".
func Prompt(t *testing.T, h http.Handler) {
	w := Get(h, "/")
	require.Regexp(t, `^<!doctype html><html><body><p>Hello</p><aside[\s\S]*</body></html>$`, w.Body.String())
	require.Equal(t, "private, no-cache", w.Header().Get("Cache-Control"))
	require.Equal(t, Page, Get(h, "/", UserHeader, "bob").Body.String(), "Bob is not asked")
	require.Equal(t, Page, Get(h, "/", UserHeader, "").Body.String(), "nobody is not asked")
	require.Equal(t, Page, Get(h, "/", "Accept", "*/*").Body.String(), "a tool is not asked")
}

// RenderedByTheApp tests an app that calls PromptFrom at "/" and serves [Page].
func RenderedByTheApp(t *testing.T, h http.Handler) {
	require.Equal(t, Page, Get(h, "/").Body.String(), "nothing is injected")
	require.Equal(t, Page, Get(h, "/", UserHeader, "bob").Body.String())
}

// Endpoints tests the endpoints in an app that answers "the app's" to other paths.
func Endpoints(t *testing.T, h http.Handler) {
	w := Get(h, "/askonce/start?study=s1")
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "https://interviews.example/i/a?reference_id=ada", w.Header().Get("Location"))
	w = Get(h, "/askonce/start?study=s1", UserHeader, "")
	require.Empty(t, w.Header().Get("Location"), "nobody is sent on")
	w = Get(h, "/askonce/decision", "Accept", "application/json")
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), "/askonce/start?study=s1")
	w = Get(h, "/askonce/none")
	require.Equal(t, http.StatusNotFound, w.Code)
	require.NotContains(t, w.Body.String(), "the app's")

	w = Send(h, http.MethodHead, "/askonce/start?study=s1")
	require.Equal(t, http.StatusOK, w.Code)
	require.Empty(t, w.Header().Get("Location"), "only a click is confirmed")
	for path, form := range map[string]int{
		"/askonce/later?study=s1":   http.StatusSeeOther,
		"/askonce/decline?study=s1": http.StatusOK, // a page with an undo
	} {
		w = Send(h, http.MethodPost, path, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors")
		require.Equal(t, http.StatusNoContent, w.Code)
		require.Empty(t, w.Body.String())
		require.Contains(t, w.Header().Get("Set-Cookie"), "askonce=")
		w = Send(h, http.MethodPost, path, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
		require.Equal(t, form, w.Code, "without JavaScript")
		w = Send(h, http.MethodPost, path, "Sec-Fetch-Site", "cross-site")
		require.Equal(t, http.StatusForbidden, w.Code)
		require.Empty(t, w.Header().Get("Set-Cookie"))
		w = Get(h, path)
		require.Equal(t, http.StatusMethodNotAllowed, w.Code)
		require.Equal(t, http.MethodPost, w.Header().Get("Allow"))
		require.Empty(t, w.Header().Get("Set-Cookie"))
	}
}

// Decline returns the status of a "No thanks" without a CSRF token.
func Decline(h http.Handler) int {
	return Send(h, http.MethodPost, "/askonce/decline?study=s1", "Accept", "*/*", "Origin", "http://example.com").Code
}

// UserOnlyWhenNeeded tests an app whose func for the user counts its calls and returns "".
func UserOnlyWhenNeeded(t *testing.T, h http.Handler, calls *int) {
	Get(h, "/", "Accept", "*/*")
	Get(h, "/", "Sec-Fetch-Dest", "image")
	require.Zero(t, *calls)
	Get(h, "/")
	require.Equal(t, 1, *calls)
	Get(h, "/askonce/start")
	require.Equal(t, 2, *calls)
}

// Allocs returns the number of allocations of a page without the prompt.
func Allocs(h http.Handler) float64 {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	return testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) })
}
