package userjourneys

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDefaultTimeouts runs a client with default options against servers that
// hang. It is in the package for one reason: the connections must be pipes,
// which a synctest bubble can wait for.
func TestDefaultTimeouts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		scheme string
		server func(net.Conn) // returns when the client has hung up
		limit  time.Duration
	}{
		"no TLS handshake": {"https", neverAnswer, 5 * time.Second},
		"no headers":       {"http", neverAnswer, 10 * time.Second},
		"headers, but a body that drips": {"http", func(conn net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
				return
			}
			_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
			for err == nil {
				time.Sleep(time.Second)
				_, err = io.WriteString(conn, " ")
			}
		}, 30 * time.Second},
	} {
		for _, retries := range []int{-1, 1} {
			t.Run(fmt.Sprint(name, " ", retries), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c, err := NewClient("uj_live_very_secret", &Options{BaseURL: tt.scheme + "://127.0.0.1", MaxRetries: retries})
					require.NoError(t, err)
					var servers sync.WaitGroup
					defer servers.Wait()
					attempts := 0
					c.http.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
						attempts++
						client, server := net.Pipe()
						servers.Go(func() {
							defer server.Close()
							tt.server(server)
						})
						return client, nil
					}
					start := time.Now()
					_, err = c.Interview(t.Context(), "1")
					require.Error(t, err)
					want := 1 + max(0, retries)
					require.Equal(t, want, attempts)
					require.GreaterOrEqual(t, time.Since(start), time.Duration(want)*tt.limit)
					require.Less(t, time.Since(start), time.Duration(want)*tt.limit+200*time.Millisecond)
				})
			})
		}
	}
}

// neverAnswer reads and never writes.
func neverAnswer(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
