package recipes_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/examples/recipes"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store/memstore"
)

func TestPreview(t *testing.T) {
	t.Parallel()
	_, uj := provider(t, "Checkout")
	g, err := gate.New(uj, "Checkout", memstore.New(), &gate.Options{Timeout: 10 * time.Second, Holdout: 1})
	require.NoError(t, err)
	for _, staff := range []bool{true, false} {
		m, err := middleware.New(g, ada, recipes.Preview(func(*http.Request) bool { return staff }))
		require.NoError(t, err)
		h := m.Handler(http.HandlerFunc(plainPage))
		require.NotContains(t, get(h, "/").Body.String(), "/askonce/start")
		previewing := func(method, path string) *httptest.ResponseRecorder {
			w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, nil)
			r.Header.Set("Accept", "text/html")
			r.AddCookie(&http.Cookie{Name: "preview", Value: "1"})
			h.ServeHTTP(w, r)
			return w
		}
		require.Equal(t, staff, strings.Contains(previewing("GET", "/").Body.String(), "/askonce/start"))
		declined := previewing("POST", "/askonce/decline?study=study-1").Header()
		require.Equal(t, staff, declined.Get("Set-Cookie") == "", "what staff answer is not recorded")
	}
}
