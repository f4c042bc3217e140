package matrix

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/askonce/askonce/webhook/webhooktest"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chimw "github.com/go-chi/chi/v5/middleware"
	echo4 "github.com/labstack/echo/v4"
	echo4mw "github.com/labstack/echo/v4/middleware"
	echo5 "github.com/labstack/echo/v5"
	"github.com/stretchr/testify/require"
	"github.com/urfave/negroni/v3"
)

// TestSlowSendersKeepNobodyOutOfAWebhook fills the webhook with bodies that never
// end, behind the writers of the frameworks and of their timeouts, which do not
// all allow a read deadline. Good deliveries are answered before any of them gives up.
func TestSlowSendersKeepNobodyOutOfAWebhook(t *testing.T) {
	t.Parallel()
	for name, mount := range map[string]func(http.Handler) http.Handler{
		"gin": func(hook http.Handler) http.Handler {
			e := gin.New()
			e.POST("/", gin.WrapH(hook))
			return e
		},
		"echo v4": func(hook http.Handler) http.Handler {
			e := echo4.New()
			e.POST("/", echo4.WrapHandler(hook))
			return e
		},
		"echo v4 with Timeout": func(hook http.Handler) http.Handler {
			e := echo4.New()
			//lint:ignore SA1019 apps still use it, and its writer is what is tested
			e.Use(echo4mw.TimeoutWithConfig(echo4mw.TimeoutConfig{Timeout: time.Minute}))
			e.POST("/", echo4.WrapHandler(hook))
			return e
		},
		"echo v5": func(hook http.Handler) http.Handler {
			e := echo5.New()
			e.POST("/", echo5.WrapHandler(hook))
			return e
		},
		"chi with Logger's writer": func(hook http.Handler) http.Handler {
			r := chi.NewRouter()
			r.Use(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					next.ServeHTTP(chimw.NewWrapResponseWriter(w, r.ProtoMajor), r)
				})
			})
			r.Post("/", hook.ServeHTTP)
			return r
		},
		"negroni with Logger": func(hook http.Handler) http.Handler {
			quiet := negroni.NewLogger()
			quiet.ALogger = log.New(io.Discard, "", 0)
			n := negroni.New(quiet)
			n.UseHandler(hook)
			return n
		},
		"a status logger": func(hook http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				hook.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
			})
		},
		"http.TimeoutHandler": func(hook http.Handler) http.Handler { return http.TimeoutHandler(hook, time.Minute, "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const places, more = 256, 44
			hook := newReceiver(t)
			server := httptest.NewServer(mount(hook))
			t.Cleanup(server.CloseClientConnections)
			for range places + more {
				c, err := net.Dial("tcp", server.Listener.Addr().String())
				require.NoError(t, err)
				t.Cleanup(func() { _ = c.Close() })
				_, err = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nX-Webhook-Signature: %s\r\nContent-Length: 600\r\n\r\n{", webhooktest.Sign(secret, nil))
				require.NoError(t, err)
			}
			require.Eventually(t, func() bool { return len(hook.Deliveries()) == more }, 30*time.Second, time.Millisecond, "the others are in flight")
			const good = 20
			for range good {
				require.Equal(t, http.StatusOK, deliver(t, server.URL+"/"))
			}
			require.Less(t, len(hook.Deliveries()), more+good+places/2, "one of them made room, and the others are still in flight")
		})
	}
}
