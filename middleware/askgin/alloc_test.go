//go:build !race

package askgin_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/askonce/askonce/middleware/askgin"
	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

// The race detector makes sync.Pool forget at random, so this is not for it.
func TestNotAskedAllocatesNothing(t *testing.T) {
	serve := func(h ...gin.HandlerFunc) float64 {
		e := gin.New()
		e.Use(h...)
		e.GET("/", func(*gin.Context) {})
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", "text/html")
		w := httptest.NewRecorder()
		return testing.AllocsPerRun(100, func() { e.ServeHTTP(w, r) })
	}
	ask := askgin.New(newMiddleware(t), func(*gin.Context) string { return "bob" })
	require.InDelta(t, serve(), serve(ask), 0.5)
}
