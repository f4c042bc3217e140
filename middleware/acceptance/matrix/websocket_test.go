package matrix

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/askechov4"
	"github.com/askonce/askonce/middleware/askechov5"
	"github.com/askonce/askonce/middleware/askgin"
	coder "github.com/coder/websocket"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	gorilla "github.com/gorilla/websocket"
	echo4 "github.com/labstack/echo/v4"
	echo5 "github.com/labstack/echo/v5"
	"github.com/stretchr/testify/require"
)

// echoes are servers that send one message back, by each library.
var echoes = map[string]http.HandlerFunc{
	"gorilla": func(w http.ResponseWriter, r *http.Request) {
		conn, err := (&gorilla.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		kind, p, err := conn.ReadMessage()
		if err == nil {
			_ = conn.WriteMessage(kind, p)
		}
	},
	"coder": func(w http.ResponseWriter, r *http.Request) {
		conn, err := coder.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		kind, p, err := conn.Read(r.Context())
		if err == nil {
			_ = conn.Write(r.Context(), kind, p)
		}
	},
}

// A request for a WebSocket gets no writer of the middleware's. If one does all
// the same, the connection is taken over through it.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	user := func(*http.Request) string { return "ada" }
	m, err := middleware.New(decider{}, user, nil)
	require.NoError(t, err)
	ginAsk := askgin.New(newMiddleware(t), func(*gin.Context) string { return "ada" })
	echo4Ask := askechov4.New(newMiddleware(t), func(echo4.Context) string { return "ada" })
	echo5Ask := askechov5.New(newMiddleware(t), func(*echo5.Context) string { return "ada" })
	apps := map[string]func(h http.HandlerFunc) http.Handler{
		"net/http": func(h http.HandlerFunc) http.Handler { return m.Handler(h) },
		"chi": func(h http.HandlerFunc) http.Handler {
			r := chi.NewRouter()
			r.Use(m.Handler)
			r.Get("/", h)
			return r
		},
		"gin": func(h http.HandlerFunc) http.Handler {
			e := gin.New()
			e.Use(ginAsk)
			e.GET("/", gin.WrapF(h))
			return e
		},
		"gin, around": func(h http.HandlerFunc) http.Handler {
			e := gin.New()
			e.GET("/", gin.WrapF(h))
			return m.Handler(e)
		},
		"echo v4": func(h http.HandlerFunc) http.Handler {
			e := echo4.New()
			e.Use(echo4Ask)
			e.GET("/", echo4.WrapHandler(h))
			return e
		},
		"echo v5": func(h http.HandlerFunc) http.Handler {
			e := echo5.New()
			e.Use(echo5Ask)
			e.GET("/", echo5.WrapHandler(h))
			return e
		},
	}
	for name, app := range apps {
		for library, h := range echoes {
			for _, wrapped := range []bool{false, true} {
				t.Run(name+", "+library, func(t *testing.T) {
					t.Parallel()
					a := app(h)
					if wrapped {
						a = hideUpgrade(app(showUpgrade(h)))
					}
					s := httptest.NewServer(a)
					defer s.Close()
					conn, resp, err := gorilla.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), http.Header{"Accept": {"text/html"}})
					require.NoError(t, err)
					defer conn.Close()
					_ = resp.Body.Close()
					require.NoError(t, conn.WriteMessage(gorilla.TextMessage, []byte("</body></html>")))
					_, p, err := conn.ReadMessage()
					require.NoError(t, err)
					require.Equal(t, "</body></html>", string(p))
				})
			}
		}
	}
}

// hideUpgrade keeps the middleware from seeing that a WebSocket is wanted, so
// that its writer is in the way; showUpgrade is for the handler.
func hideUpgrade(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header["X-Upgrade"] = r.Header["Upgrade"]
		r.Header.Del("Upgrade")
		next.ServeHTTP(w, r)
	})
}

func showUpgrade(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Header["Upgrade"] = r.Header["X-Upgrade"]
		next(w, r)
	}
}
