package main

import (
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// start serves an app that its caller closes.
func start(t *testing.T) *app {
	t.Helper()
	p := startProvider()
	t.Cleanup(p.Close)
	a, err := newApp(t.Context(), "127.0.0.1:0", filepath.Join(t.TempDir(), "demo.db"), p, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	a.serve(t.Context())
	return a
}

// A browser opens connections in advance and may send nothing on them for long.
func TestCloseDoesNotFailForASilentConnection(t *testing.T) {
	t.Parallel()
	a := start(t)
	silent, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	require.NoError(t, err)
	defer silent.Close()
	require.NoError(t, a.Close())
}
