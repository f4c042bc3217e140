package middleware_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// A page gets the nonces of its own policy, and the prompt is not rendered again for
// each page.
func TestNoncesOfManyPages(t *testing.T) {
	m := newMiddleware(t, askEveryone{}, "ada")
	serve := func(script, style string) string {
		w := httptest.NewRecorder()
		m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'self'; script-src 'nonce-%s'; style-src 'nonce-%s'", script, style))
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<!doctype html><p>x</p></body></html>")
		})).ServeHTTP(w, pageRequest())
		return w.Body.String()
	}
	for n := range 3 {
		script, style := fmt.Sprintf("script+%d/_-=", n), fmt.Sprintf("style%d", n)
		page := serve(script, style)
		require.Contains(t, page, `async fetchpriority="low" nonce="`+script+`"></script>`)
		require.Contains(t, page, `nonce="`+style+`"><noscript>`)
		require.NotContains(t, page, `nonce="askonce`)
		if n > 0 {
			require.NotContains(t, page, fmt.Sprintf("script+%d", n-1))
			require.NotContains(t, page, fmt.Sprintf("style%d", n-1))
		}
	}
	require.Less(t, testing.AllocsPerRun(50, func() { serve("a1", "b2") }), 150.0, "rendering the template takes more than 500")
}
