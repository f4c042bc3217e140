package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// statusLogger wraps the ResponseWriter as many middlewares do: without Unwrap, so no
// read deadline can be set through it.
type statusLogger struct {
	http.ResponseWriter
	status int
}

func (s *statusLogger) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// unwrapping is a wrapper that has Unwrap.
type unwrapping struct{ http.ResponseWriter }

func (u unwrapping) Unwrap() http.ResponseWriter { return u.ResponseWriter }

var wrappers = map[string]func(http.Handler) http.Handler{
	"none": func(h http.Handler) http.Handler { return h },
	"with Unwrap": func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(unwrapping{w}, r) })
	},
	"without Unwrap": func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(&statusLogger{ResponseWriter: w}, r) })
	},
	"http.TimeoutHandler": func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Minute, "") },
}

// halfBody sends only the first byte of a body.
func halfBody(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	_, err = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nX-Webhook-Signature: %s\r\nContent-Length: 600\r\n\r\n{", webhooktest.Sign(secret, nil))
	require.NoError(t, err)
	return c
}

func TestSendersThatStopInMidBodyKeepNobodyOutBehindAnyWriter(t *testing.T) {
	t.Parallel()
	for name, wrap := range wrappers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, logger := newLog()
			h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: logger, ReadTimeout: time.Hour})
			require.NoError(t, err)
			srv := httptest.NewServer(wrap(h))
			t.Cleanup(srv.CloseClientConnections)
			for range 300 {
				halfBody(t, srv.Listener.Addr().String())
			}
			require.Eventually(t, func() bool { return len(h.Deliveries()) == 300-256 }, 20*time.Second, time.Millisecond)
			var took []time.Duration
			for range 20 {
				begun := time.Now()
				code, err := webhooktest.Deliver(t.Context(), srv.URL, secret, webhooktest.Completed("ada"))
				took = append(took, time.Since(begun))
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, code)
			}
			slices.Sort(took)
			t.Logf("20 good deliveries beside 256 half-sent ones: median %v, slowest %v", took[10], took[19])
			unwraps := name == "none" || name == "with Unwrap"
			require.Equal(t, !unwraps, strings.Contains(log.String(), "set http.Server.ReadTimeout"), "the cause is named once")
		})
	}
}

func TestASlowBodyIsAnsweredAfterReadTimeoutBehindAnyWriter(t *testing.T) {
	t.Parallel()
	for name, wrap := range wrappers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard, ReadTimeout: 50 * time.Millisecond})
			require.NoError(t, err)
			srv := httptest.NewServer(wrap(h))
			t.Cleanup(srv.CloseClientConnections)
			c := halfBody(t, srv.Listener.Addr().String())
			require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
			head := make([]byte, len("HTTP/1.1 408"))
			_, err = io.ReadFull(c, head)
			require.NoError(t, err)
			require.Equal(t, "HTTP/1.1 408", string(head))
		})
	}
}

func TestASenderThatStopsAfterARefusalLosesItsConnection(t *testing.T) {
	t.Parallel()
	tooMuch := fmt.Sprintf("%x\r\n%s", 80<<10, strings.Repeat(" ", 70<<10))
	for name, c := range map[string]struct{ rest, status string }{
		"a chunked body over the limit": {"X-Webhook-Signature: " + webhooktest.Sign(secret, nil) + "\r\nTransfer-Encoding: chunked\r\n\r\n" + tooMuch, "413"},
		"a declared length over it":     {"X-Webhook-Signature: " + webhooktest.Sign(secret, nil) + "\r\nContent-Length: 80000\r\n\r\n{", "413"},
		"no signature":                  {"Content-Length: 600\r\n\r\n{", "401"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard})
			require.NoError(t, err)
			srv := httptest.NewServer(h)
			t.Cleanup(srv.CloseClientConnections)
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			require.NoError(t, err)
			t.Cleanup(func() { conn.Close() })
			_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+c.rest)
			require.NoError(t, err)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
			answer, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.Contains(t, string(answer), "HTTP/1.1 "+c.status)
		})
	}
}

// A middleware may use what its Body's Read has changed once the handler has returned.
// The race detector must not find a Read that goes on.
func TestNoReadGoesOnAfterTheHandler(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"a copy of the body": func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var seen bytes.Buffer
				r.Body = io.NopCloser(io.TeeReader(r.Body, &seen))
				h.ServeHTTP(unwrapping{w}, r)
				_ = seen.String()
			})
		},
		"http.MaxBytesHandler": func(h http.Handler) http.Handler {
			return http.MaxBytesHandler(wrappers["with Unwrap"](h), 300)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard, ReadTimeout: time.Nanosecond})
			require.NoError(t, err)
			srv := httptest.NewServer(wrap(h))
			t.Cleanup(srv.Close)
			for range 50 {
				c := halfBody(t, srv.Listener.Addr().String())
				_, err = io.WriteString(c, strings.Repeat(" ", 599))
				require.NoError(t, err)
				_, err = http.ReadResponse(bufio.NewReader(c), nil)
				require.NoError(t, err)
			}
		})
	}
}

func TestAServersShorterReadTimeoutStays(t *testing.T) {
	t.Parallel()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard, ReadTimeout: time.Hour})
	require.NoError(t, err)
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ReadTimeout = 100 * time.Millisecond
	srv.Start()
	t.Cleanup(srv.Close)
	c := halfBody(t, srv.Listener.Addr().String())
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
	answer, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Contains(t, string(answer), "408 Request Timeout")
	require.Equal(t, webhook.ResultSlowBody, h.Deliveries()[0].Result)
}

func TestARefusalOnHTTP2KeepsTheConnectionForOthers(t *testing.T) {
	t.Parallel()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard})
	require.NoError(t, err)
	srv := httptest.NewUnstartedServer(h)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	for n := range 3 {
		var reused bool
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL, bytes.NewReader(make([]byte, 100<<10)))
		require.NoError(t, err)
		r.Header.Set("X-Webhook-Signature", webhooktest.Sign("another", nil))
		resp, err := srv.Client().Do(r)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, 2, resp.ProtoMajor)
		require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
		require.Empty(t, resp.Header.Get("Connection"))
		require.Equal(t, n > 0, reused, "no GOAWAY for the others")
	}
}

func TestSlowBodiesDoNotBlockGoodOnes(t *testing.T) {
	t.Parallel()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard, ReadTimeout: time.Hour})
	require.NoError(t, err)
	srv := httptest.NewServer(h)
	var conns []net.Conn
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
		srv.Close()
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	head := "POST / HTTP/1.1\r\nHost: x\r\nX-Webhook-Signature: " + webhooktest.Sign(secret, nil) + "\r\nContent-Length: 60000\r\n\r\n"
	for i := range 600 {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		conns = append(conns, c)
		payload := head + "{"
		if i%2 == 0 { // more than fits a small buffer
			payload = head + string(bytes.Repeat([]byte(" "), 10_000))
		}
		_, err = c.Write([]byte(payload))
		require.NoError(t, err)
	}
	for range 20 {
		code, err := webhooktest.Deliver(ctx, srv.URL, secret, webhooktest.Completed("ada"))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, code)
	}
}
