package middleware_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// countedConn counts the writes to a connection: each is a system call.
type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

type countedListener struct {
	net.Listener
	writes *atomic.Int64
}

func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{c, l.writes}, nil
}

// The system calls that write a page are most of its cost. The prompt adds at most one,
// for a large page, whose end is held back.
func TestSystemCalls(t *testing.T) {
	t.Parallel()
	const end = "</body></html>\n"
	for _, tt := range []struct {
		size, piece int
		more        int64
	}{
		{1 << 10, 0, 0}, {4 << 10, 0, 0}, {64 << 10, 0, 1}, {1 << 20, 0, 1},
		{1 << 10, 64, 0}, {4 << 10, 64, 0}, {64 << 10, 64, 0}, {1 << 20, 64, 0},
	} {
		t.Run(fmt.Sprintf("%d by %d", tt.size, tt.piece), func(t *testing.T) {
			t.Parallel()
			page := "<!doctype html><html><body>" + filler(tt.size) + end
			write := func(w http.ResponseWriter, page string) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				if tt.piece == 0 {
					w.Header().Set("Content-Length", strconv.Itoa(len(page)))
					_, _ = w.Write([]byte(page))
					return
				}
				for rest := page; rest != ""; rest = rest[min(tt.piece, len(rest)):] {
					_, _ = w.Write([]byte(rest[:min(tt.piece, len(rest))]))
				}
			}
			served := func(h http.Handler) (body string, writes int64) {
				var n atomic.Int64
				srv := httptest.NewUnstartedServer(h)
				srv.Listener = countedListener{srv.Listener, &n}
				srv.Start()
				defer srv.Close()
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
				require.NoError(t, err)
				r.Header.Set("Accept", "text/html")
				resp, err := srv.Client().Do(r)
				require.NoError(t, err)
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				return string(b), n.Load()
			}
			with, writes := served(newMiddleware(t, askEveryone{}, "ada").Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w, page) })))
			require.Contains(t, with, "<aside")
			require.True(t, strings.HasSuffix(with, end))
			byHand, least := served(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w, with) }))
			require.Equal(t, with, byHand)
			t.Logf("%s: %d writes, %d by hand", t.Name(), writes, least)
			require.LessOrEqual(t, writes, least+tt.more)
		})
	}
}
