//go:build !race

package askechov4_test

import (
	"testing"

	"github.com/askonce/askonce/middleware/askechov4"
	"github.com/askonce/askonce/middleware/internal/adaptertest"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"
)

// The race detector makes sync.Pool forget at random, so this is not for it.
func TestNotAskedAllocatesNothing(t *testing.T) {
	serve := func(m echo.MiddlewareFunc) float64 {
		return adaptertest.Allocs(adapter.Serve(func(echo.Context) error { return nil }, m))
	}
	ask := askechov4.New(adaptertest.New(t), func(echo.Context) string { return "bob" })
	pass := func(next echo.HandlerFunc) echo.HandlerFunc { return func(c echo.Context) error { return next(c) } }
	require.InDelta(t, serve(pass), serve(ask), 0.5)
}
