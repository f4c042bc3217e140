package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
)

func TestKeysFitTheMiddlewareAndTheReferences(t *testing.T) {
	t.Parallel()
	out, hints, err := runWith(t.Context(), nil, "keys")
	require.NoError(t, err)
	again, _, err := runWith(t.Context(), nil, "keys")
	require.NoError(t, err)
	require.NotEqual(t, out, again)

	require.Equal(t, 1, strings.Count(out, "\n"), "a line for a file of variables")
	text, ok := strings.CutPrefix(strings.TrimSpace(out), "ASKONCE_COOKIE_KEYS=")
	require.True(t, ok)
	keys, err := middleware.ParseKeys(text) // as the hint says
	require.NoError(t, err)
	_, err = middleware.New(gate.First(), func(*http.Request) string { return "" }, &middleware.Options{CookieKeys: keys})
	require.NoError(t, err)
	_, err = gate.SignedReferences(keys...) // as the usage says
	require.NoError(t, err)
	_, err = gate.SealedReferences(keys...)
	require.NoError(t, err)
	require.Contains(t, hints, `middleware.ParseKeys(os.Getenv("ASKONCE_COOKIE_KEYS"))`)
	require.NotContains(t, hints, text)
}
