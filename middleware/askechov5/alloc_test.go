//go:build !race

package askechov5_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/askonce/askonce/middleware/askechov5"
	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/require"
)

func TestNotAskedAllocatesNothing(t *testing.T) {
	serve := func(m ...echo.MiddlewareFunc) float64 {
		e := newEcho(m...)
		e.GET("/", func(*echo.Context) error { return nil })
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", "text/html")
		w := httptest.NewRecorder()
		return testing.AllocsPerRun(100, func() { e.ServeHTTP(w, r) })
	}
	ask := askechov5.New(newMiddleware(t), func(*echo.Context) string { return "bob" })
	pass := func(next echo.HandlerFunc) echo.HandlerFunc { return func(c *echo.Context) error { return next(c) } }
	require.InDelta(t, serve(pass), serve(ask), 0.5)
}
