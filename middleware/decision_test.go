package middleware_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
)

// A decision has no side effect, however often it is requested.
func TestDecisionIsPure(t *testing.T) {
	t.Parallel()
	var stored recorder
	b := newBrowser(t, newPrompt(t, newGate(t, nil), &middleware.Options{Interactions: &stored}))
	for range 5 {
		a := b.do(http.MethodGet, "/askonce/decision")
		require.Contains(t, a.body, `"ask":true`)
		require.Empty(t, a.Cookies())
	}
	require.Empty(t, stored.kinds())
}

// The decider gets the path of the page that a single-page app shows.
func TestTargetSeesThePageOfADecision(t *testing.T) {
	t.Parallel()
	var path string
	g := newGate(t, &gate.Options{Target: func(_ context.Context, v gate.Visitor) bool {
		path = v.Path
		return true
	}})
	b := newBrowser(t, newPrompt(t, g, &middleware.Options{Origin: "https://app.example"}))
	for referer, want := range map[string]string{
		"https://app.example/dashboard?tab=2": "/dashboard",
		"https://elsewhere.example/dashboard": "",
		"":                                    "",
	} {
		path = "untouched"
		b.do(http.MethodGet, "/askonce/decision", "Referer", referer)
		require.Equal(t, want, path, referer)
	}
}
