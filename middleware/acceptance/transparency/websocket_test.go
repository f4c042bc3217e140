package transparency_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware"
)

// echoers answer each message with itself.
var echoers = map[string]http.HandlerFunc{
	"gorilla": func(w http.ResponseWriter, r *http.Request) {
		up := gorilla.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return // it has answered
		}
		defer conn.Close()
		for {
			kind, msg, err := conn.ReadMessage()
			if err != nil || conn.WriteMessage(kind, msg) != nil {
				return
			}
		}
	},
	"coder": func(w http.ResponseWriter, r *http.Request) {
		conn, err := coder.Accept(w, r, &coder.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return // it has answered
		}
		defer conn.CloseNow()
		for {
			kind, msg, err := conn.Read(r.Context())
			if err != nil || conn.Write(r.Context(), kind, msg) != nil {
				return
			}
		}
	},
}

// forceWrap makes the middleware take a WebSocket handshake for a page, so that
// the library finds our writer and not the server's.
func forceWrap(m *middleware.Middleware, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		like := r.Clone(r.Context())
		like.Header.Del("Upgrade")
		_ = m.Serve(w, like, func() string { return "ada" }, func(w http.ResponseWriter, got *http.Request) error {
			next.ServeHTTP(w, r.WithContext(got.Context()))
			return nil
		})
	})
}

func TestWebSockets(t *testing.T) {
	t.Parallel()
	for name, echo := range echoers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outcomes := make(chan middleware.Outcome, 1)
			m := newMiddleware(t, outcomes)
			for _, forced := range []bool{false, true} {
				h := m.Handler(echo)
				if forced {
					h = forceWrap(m, echo)
				}
				srv := newServer(t, h, false)
				url := "ws" + strings.TrimPrefix(srv.URL, "http")
				header := http.Header{"Accept": {"text/html"}}
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()

				one, resp, err := gorilla.DefaultDialer.DialContext(ctx, url, header)
				require.NoError(t, err)
				require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
				const message = "<!doctype html><body></body></html>"
				for range 3 {
					require.NoError(t, one.WriteMessage(gorilla.TextMessage, []byte(message)))
					_, got, err := one.ReadMessage()
					require.NoError(t, err)
					require.Equal(t, message, string(got))
				}
				require.NoError(t, one.Close())
				if forced {
					require.Equal(t, middleware.OutcomeHijacked, <-outcomes)
				}

				two, _, err := coder.Dial(ctx, url, &coder.DialOptions{HTTPHeader: header})
				require.NoError(t, err)
				require.NoError(t, two.Write(ctx, coder.MessageText, []byte(message)))
				_, got, err := two.Read(ctx)
				require.NoError(t, err)
				require.Equal(t, message, string(got))
				require.NoError(t, two.Close(coder.StatusNormalClosure, ""))
				if forced {
					require.Equal(t, middleware.OutcomeHijacked, <-outcomes)
				} else {
					require.Empty(t, outcomes, "a handshake is no page")
				}
			}
		})
	}
}
