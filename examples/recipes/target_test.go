package recipes_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/examples/recipes"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store/memstore"
)

var startLink = regexp.MustCompile(`/askonce/start\?study=[^"&]+`)

func TestTarget(t *testing.T) {
	t.Parallel()
	_, uj := provider(t, "Checkout")
	opts := recipes.Target()
	opts.Timeout = 10 * time.Second
	g, err := gate.New(uj, "Checkout", memstore.New(), opts)
	require.NoError(t, err)
	m, err := middleware.New(g, ada, nil)
	require.NoError(t, err)
	h := m.Handler(http.HandlerFunc(plainPage))
	ask := func(path string, a recipes.Account) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Accept", "text/html")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(context.WithValue(t.Context(), recipes.AccountKey{}, a)))
		return w
	}
	old := recipes.Account{Paying: true, Since: time.Now().AddDate(-1, 0, 0)}
	start := startLink.FindString(ask("/dashboard", old).Body.String())
	require.NotEmpty(t, start, "a paying customer")
	require.NotRegexp(t, startLink, ask("/settings", old).Body.String())
	require.NotRegexp(t, startLink, ask("/dashboard", recipes.Account{Paying: true, Since: time.Now()}).Body.String())
	require.NotRegexp(t, startLink, ask("/dashboard", recipes.Account{Since: old.Since}).Body.String())
	require.Equal(t, http.StatusSeeOther, ask(start, recipes.Account{}).Code, "whoever saw the prompt may follow it")
}
