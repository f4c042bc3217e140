package middleware_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/internal/pagetest"
)

const injected = middleware.OutcomeInjected

func TestTraps(t *testing.T) {
	t.Parallel()
	for _, tt := range pagetest.Traps {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			checkTrap(t, tt)
		})
	}
}

// The same pages, longer than the tail. The tail is the same: the filler is before it.
func TestTrapsBehindALongPage(t *testing.T) {
	t.Parallel()
	for _, tt := range pagetest.Traps {
		head, rest, ok := strings.Cut(tt.Page, "<body>")
		if !ok {
			continue
		}
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			tt.Page = head + "<body>" + filler(3000) + rest
			checkTrap(t, tt)
		})
	}
}

func checkTrap(t *testing.T, tt pagetest.Trap) {
	t.Helper()
	i := newInjector(t, middleware.Options{})
	snippet := snippetOf(t, i)
	rec, outcome := i.serve(t, pageRequest(), respond(tt.Page))
	require.Equal(t, tt.Want.String(), outcome.String(), "%.2000q", tt.Page[max(0, len(tt.Page)-1100):])
	rest, at := without(t, rec.Body.String(), snippet)
	require.Equal(t, tt.Page, rest, "what the handler wrote must leave as it is")
	if outcome != injected {
		require.Equal(t, -1, at, "not injected, and yet there")
		return
	}
	live, difference := pagetest.Judge(t, tt.Page, snippet, at)
	require.Empty(t, difference)
	require.Equal(t, 1, live, "the prompt must be live\n%s", rec.Body)
	require.Equal(t, tt.Before, rest[at:])
}
