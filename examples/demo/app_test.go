package main

import (
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A browser opens connections in advance and may send nothing on them for long.
func TestCloseDoesNotFailForASilentConnection(t *testing.T) {
	t.Parallel()
	p := startProvider()
	t.Cleanup(p.Close)
	a, err := startApp(t.Context(), "127.0.0.1:0", filepath.Join(t.TempDir(), "demo.db"), p, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	silent, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	require.NoError(t, err)
	defer silent.Close()
	require.NoError(t, a.Close())
}
