package askonce_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/middleware"
)

func console(h http.Handler, user string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/admin/askonce/", nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("User", user)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// The console may be mounted inside the middleware: its own pages invite nobody.
func TestTheConsoleHasNoPrompt(t *testing.T) {
	t.Parallel()
	var outcome middleware.Outcome
	a := newApp(t, func(c *askonce.Config) {
		c.Middleware = &middleware.Options{OnPrompt: func(_ *http.Request, _ string, o middleware.Outcome) { outcome = o }}
	})
	a.requirePrompt("ada", "Checkout")
	w := console(a.kit.Handler(a.kit.Console(func(*http.Request) bool { return true })), "ada")
	require.Equal(t, middleware.OutcomeNoTransform, outcome, "she would be invited")
	require.Contains(t, w.Body.String(), ">Checkout <")
	require.NotContains(t, w.Body.String(), "/askonce/start")
}

func TestTheConsoleOfPartsWiredByHand(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil)
	h := askonce.Console(askonce.ConsoleParts{Gates: a.kit.Gates(), Webhook: a.kit.Webhook(), Store: a.cfg.Store}, func(r *http.Request) bool { return userHeader(r) == "admin" })
	require.Equal(t, http.StatusNotFound, console(h, "ada").Code)
	require.Contains(t, console(h, "admin").Body.String(), ">Checkout <")
}
