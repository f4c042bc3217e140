package matrix

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/askonce/askonce/middleware/askechov4"
	"github.com/askonce/askonce/middleware/askechov5"
	"github.com/askonce/askonce/middleware/askgin"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
	"github.com/gin-contrib/gzip"
	"github.com/gin-gonic/gin"
	"github.com/gin-gonic/gin/binding"
	"github.com/go-chi/chi/v5"
	chimw "github.com/go-chi/chi/v5/middleware"
	echo4 "github.com/labstack/echo/v4"
	echo4mw "github.com/labstack/echo/v4/middleware"
	echo5 "github.com/labstack/echo/v5"
	echo5mw "github.com/labstack/echo/v5/middleware"
	"github.com/stretchr/testify/require"
)

const secret = "whsec_of_the_matrix"

// receiver is a webhook handler that tells what became of the last delivery.
type receiver struct {
	*webhook.Handler
	mu     sync.Mutex
	reason string // "" when nothing has come
	log    bytes.Buffer
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{
		Logger: slog.New(slog.NewTextHandler(&r.log, nil)),
		OnDelivery: func(_ context.Context, d webhook.Delivery) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.reason = d.Result.String()
		},
	})
	require.NoError(t, err)
	r.Handler = h
	return r
}

// deliver sends a completion as the provider does: it follows no redirect, has
// no cookie and no token, and looks at the status alone.
func deliver(t *testing.T, url string) int {
	body, err := json.Marshal(webhooktest.Completed("ada"))
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Webhook-Event", "interview.completed")
	r.Header.Set("X-Webhook-Signature", webhooktest.Sign(secret, body))
	c := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // the default one loses connections whenever an httptest.Server closes
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := c.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err, "the answer is whole")
	return resp.StatusCode
}

// stdRead reads the body on the way, and puts it back or not.
func stdRead(back bool) stdMiddleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if back {
				r.Body = io.NopCloser(bytes.NewReader(body))
			}
			next.ServeHTTP(w, r)
		})
	}
}

func TestWebhookMounts(t *testing.T) {
	t.Parallel()
	const path = "/webhooks/userjourneys"
	type mounted func(t *testing.T, hook http.Handler) http.Handler
	mux := func(hook http.Handler) *http.ServeMux {
		m := http.NewServeMux()
		m.Handle("POST "+path, hook)
		return m
	}
	withGin := func(ms ...gin.HandlerFunc) mounted {
		return func(t *testing.T, hook http.Handler) http.Handler {
			e := gin.New()
			e.Use(ms...)
			e.POST(path, gin.WrapH(hook))
			return e
		}
	}
	withEcho4 := func(ms ...echo4.MiddlewareFunc) mounted {
		return func(t *testing.T, hook http.Handler) http.Handler {
			e := echo4.New()
			e.Use(ms...)
			e.POST(path, echo4.WrapHandler(hook))
			return e
		}
	}
	withEcho5 := func(ms ...echo5.MiddlewareFunc) mounted {
		return func(t *testing.T, hook http.Handler) http.Handler {
			e := echo5.New()
			e.Logger = slog.New(slog.DiscardHandler)
			e.Use(ms...)
			e.POST(path, echo5.WrapHandler(hook))
			return e
		}
	}
	ginAsk := askgin.New(newMiddleware(t), ginUser)
	echo4Ask := askechov4.New(newMiddleware(t), echo4User)
	echo5Ask := askechov5.New(newMiddleware(t), echo5User)
	isHook4 := func(c echo4.Context) bool { return c.Path() == path }
	isHook5 := func(c *echo5.Context) bool { return c.Path() == path }
	const accepted, eaten, unseen = "accepted", "body_consumed", ""
	for _, c := range []struct {
		name   string
		app    mounted
		path   string
		status int
		reason string
	}{
		{"net/http", func(t *testing.T, hook http.Handler) http.Handler { return mux(hook) }, path, 200, accepted},
		{"net/http, below a prefix", func(t *testing.T, hook http.Handler) http.Handler {
			m := http.NewServeMux()
			m.Handle("/api/", http.StripPrefix("/api", mux(hook)))
			return m
		}, "/api" + path, 200, accepted},
		{"net/http, a trailing slash", func(t *testing.T, hook http.Handler) http.Handler { return mux(hook) }, path + "/", 404, unseen},
		{"net/http, inside the prompt", func(t *testing.T, hook http.Handler) http.Handler { return newMiddleware(t).Handler(mux(hook)) }, path, 200, accepted},
		{"net/http, a body that is put back", func(t *testing.T, hook http.Handler) http.Handler { return stdRead(true)(mux(hook)) }, path, 200, accepted},
		{"net/http, an eaten body", func(t *testing.T, hook http.Handler) http.Handler { return stdRead(false)(mux(hook)) }, path, 401, eaten},
		{"net/http, cross-origin protection", func(t *testing.T, hook http.Handler) http.Handler {
			return http.NewCrossOriginProtection().Handler(mux(hook))
		}, path, 200, accepted},

		{"chi", func(t *testing.T, hook http.Handler) http.Handler {
			r := chi.NewRouter()
			r.Use(chimw.Compress(5), newMiddleware(t).Handler)
			r.Method("POST", path, hook)
			return r
		}, path, 200, accepted},
		{"chi, mounted below routers", func(t *testing.T, hook http.Handler) http.Handler {
			r := chi.NewRouter()
			r.Route("/api", func(r chi.Router) { r.Mount("/hook", hook) })
			return r
		}, "/api/hook", 200, accepted},
		{"chi, an eaten body", func(t *testing.T, hook http.Handler) http.Handler {
			r := chi.NewRouter()
			r.Use(stdRead(false))
			r.Method("POST", path, hook)
			return r
		}, path, 401, eaten},

		{"gin", withGin(), path, 200, accepted},
		{"gin, below groups", func(t *testing.T, hook http.Handler) http.Handler {
			e := gin.New()
			e.Group("/api").Group("/:version").POST("/hook", gin.WrapH(hook))
			return e
		}, "/api/v1/hook", 200, accepted},
		{"gin, inside compressor and prompt", withGin(gzip.Gzip(gzip.BestSpeed), ginAuth, ginAsk), path, 200, accepted},
		{"gin, a trailing slash", withGin(), path + "/", 307, unseen},
		{"gin, a bound body", withGin(func(c *gin.Context) { var v any; _ = c.ShouldBindBodyWith(&v, binding.JSON) }), path, 401, eaten},
		{"gin, a body that is put back", withGin(func(c *gin.Context) {
			body, _ := c.GetRawData()
			c.Request.Body = io.NopCloser(bytes.NewReader(body))
		}), path, 200, accepted},
		{"gin, cross-origin protection", func(t *testing.T, hook http.Handler) http.Handler {
			return http.NewCrossOriginProtection().Handler(withGin()(t, hook))
		}, path, 200, accepted},
		{"gin, a check for tokens", withGin(func(c *gin.Context) {
			if c.GetHeader("X-CSRF-Token") == "" {
				c.AbortWithStatus(http.StatusForbidden)
			}
		}), path, 403, unseen},

		{"echo v4", withEcho4(), path, 200, accepted},
		{"echo v4, below groups", func(t *testing.T, hook http.Handler) http.Handler {
			e := echo4.New()
			e.Group("/api").Group("/:version").POST("/hook", echo4.WrapHandler(hook))
			return e
		}, "/api/v1/hook", 200, accepted},
		{"echo v4, inside compressor and prompt", withEcho4(echo4mw.Gzip(), echo4Auth, echo4Ask), path, 200, accepted},
		{"echo v4, a trailing slash", withEcho4(), path + "/", 404, unseen},
		{"echo v4, a body dump", withEcho4(echo4mw.BodyDump(func(echo4.Context, []byte, []byte) {})), path, 200, accepted},
		{"echo v4, a bound body", withEcho4(func(next echo4.HandlerFunc) echo4.HandlerFunc {
			return func(c echo4.Context) error { var v map[string]any; _ = c.Bind(&v); return next(c) }
		}), path, 401, eaten},
		{"echo v4, CSRF", withEcho4(echo4mw.CSRF()), path, 400, unseen},
		{"echo v4, CSRF with a Skipper", withEcho4(echo4mw.CSRFWithConfig(echo4mw.CSRFConfig{Skipper: isHook4})), path, 200, accepted},

		{"echo v5", withEcho5(), path, 200, accepted},
		{"echo v5, below groups", func(t *testing.T, hook http.Handler) http.Handler {
			e := echo5.New()
			e.Group("/api").Group("/:version").POST("/hook", echo5.WrapHandler(hook))
			return e
		}, "/api/v1/hook", 200, accepted},
		{"echo v5, inside compressor and prompt", withEcho5(echo5mw.Gzip(), echo5Auth, echo5Ask), path, 200, accepted},
		{"echo v5, a trailing slash", withEcho5(), path + "/", 404, unseen},
		{"echo v5, a body dump", withEcho5(echo5mw.BodyDump(func(*echo5.Context, []byte, []byte, error) {})), path, 200, accepted},
		{"echo v5, a bound body", withEcho5(func(next echo5.HandlerFunc) echo5.HandlerFunc {
			return func(c *echo5.Context) error { var v map[string]any; _ = c.Bind(&v); return next(c) }
		}), path, 401, eaten},
		{"echo v5, CSRF", withEcho5(echo5mw.CSRF()), path, 400, unseen},
		{"echo v5, CSRF with a Skipper", withEcho5(echo5mw.CSRFWithConfig(echo5mw.CSRFConfig{Skipper: isHook5})), path, 200, accepted},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hook := newReceiver(t)
			s := httptest.NewServer(c.app(t, hook))
			defer s.Close()
			require.Equal(t, c.status, deliver(t, s.URL+c.path))
			hook.mu.Lock()
			defer hook.mu.Unlock()
			require.Equal(t, c.reason, hook.reason)
			if c.reason == eaten {
				require.Contains(t, hook.log.String(), "mount the webhook outside middleware")
			}
		})
	}
}
