package askechov4_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/askonce/askonce/gate"
	askonce "github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/askechov4"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/stretchr/testify/require"
)

// asksAda asks Ada, and nobody else.
type asksAda struct{}

func (asksAda) Decide(_ context.Context, v gate.Visitor) gate.Decision {
	if v.UserID != "ada" {
		return gate.Decision{Reason: gate.ReasonHeldOut}
	}
	return gate.Decision{Reason: gate.ReasonEligible, Prompt: gate.Prompt{
		StudyID: "s1", InterviewLink: "https://interviews.example/i/a", UserID: v.UserID,
	}}
}

func (a asksAda) Confirm(ctx context.Context, v gate.Visitor) gate.Decision { return a.Decide(ctx, v) }

const page = "<!doctype html><html><body><p>Hello</p></body></html>"

func servePage(c echo.Context) error { return c.HTML(http.StatusOK, page) }

func login(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set("user", c.Request().Header.Get("X-User"))
		return next(c)
	}
}

func currentUser(c echo.Context) string { user, _ := c.Get("user").(string); return user }

func newMiddleware(t *testing.T) *askonce.Middleware {
	m, err := askonce.New(asksAda{}, func(*http.Request) string { return "" }, nil)
	require.NoError(t, err)
	return m
}

func newAsk(t *testing.T) echo.MiddlewareFunc {
	return askechov4.New(newMiddleware(t), currentUser)
}

func newEcho(m ...echo.MiddlewareFunc) *echo.Echo {
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.Use(m...)
	return e
}

// before makes a middleware that runs f first, and after, if there is one, when
// the rest of the chain is done.
func around(before, after func(c echo.Context)) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			before(c)
			err := next(c)
			after(c)
			return err
		}
	}
}

// get requests a page as a browser does when its user, Ada, opens it.
func get(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	return send(h, http.MethodGet, path, header...)
}

func send(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	r.Header.Set("X-User", "ada")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPrompt(t *testing.T) {
	t.Parallel()
	e := newEcho(login, newAsk(t))
	e.GET("/", servePage)
	w := get(e, "/")
	require.Regexp(t, `^<!doctype html><html><body><p>Hello</p><aside[\s\S]*</body></html>$`, w.Body.String())
	require.Equal(t, "private", w.Header().Get("Cache-Control"))
	require.Equal(t, page, get(e, "/", "X-User", "bob").Body.String(), "Bob is not asked")
	require.Equal(t, page, get(e, "/", "X-User", "").Body.String(), "nobody is not asked")
	require.Equal(t, page, get(e, "/", "Accept", "*/*").Body.String(), "a tool is not asked")
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	everywhere := newEcho(login, newAsk(t))
	everywhere.RouteNotFound("/*", func(c echo.Context) error { return c.String(http.StatusOK, "the app's") })
	ofGroup := newEcho()
	ask := newAsk(t)
	ofGroup.Group("/pages", login, ask).GET("/", servePage)
	ofGroup.Any("/askonce/*", func(echo.Context) error { return echo.ErrNotFound }, login, ask)
	for name, e := range map[string]*echo.Echo{"for all": everywhere, "for a group": ofGroup} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := get(e, "/askonce/start?study=s1")
			require.Equal(t, http.StatusSeeOther, w.Code)
			require.Equal(t, "https://interviews.example/i/a?reference_id=ada", w.Header().Get("Location"))
			w = get(e, "/askonce/start?study=s1", "X-User", "")
			require.Empty(t, w.Header().Get("Location"), "nobody is sent on")
			w = get(e, "/askonce/decision", "Accept", "application/json")
			require.Equal(t, http.StatusOK, w.Code)
			require.Contains(t, w.Body.String(), "/askonce/start?study=s1")
			w = get(e, "/askonce/none")
			require.Equal(t, http.StatusNotFound, w.Code)
			require.NotContains(t, w.Body.String(), "the app's")

			w = send(e, http.MethodHead, "/askonce/start?study=s1")
			require.Equal(t, http.StatusOK, w.Code)
			require.Empty(t, w.Header().Get("Location"), "only a click is confirmed")
			for path, form := range map[string]int{"/askonce/later?study=s1": http.StatusSeeOther, "/askonce/decline?study=s1": http.StatusOK} {
				w = send(e, http.MethodPost, path, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors")
				require.Equal(t, http.StatusNoContent, w.Code)
				require.Empty(t, w.Body.String())
				require.Contains(t, w.Header().Get("Set-Cookie"), "askonce=")
				w = send(e, http.MethodPost, path, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
				require.Equal(t, form, w.Code, "without JavaScript")
				w = send(e, http.MethodPost, path, "Sec-Fetch-Site", "cross-site")
				require.Equal(t, http.StatusForbidden, w.Code)
				require.Empty(t, w.Header().Get("Set-Cookie"))
				w = get(e, path)
				require.Equal(t, http.StatusMethodNotAllowed, w.Code)
				require.Equal(t, http.MethodPost, w.Header().Get("Allow"))
				require.Empty(t, w.Header().Get("Set-Cookie"))
			}
		})
	}
}

// A check for tokens that stands before the middleware lets nobody decline.
func TestTokensAreAskedForBehind(t *testing.T) {
	t.Parallel()
	post := func(order ...echo.MiddlewareFunc) int {
		return send(newEcho(order...), http.MethodPost, "/askonce/decline?study=s1", "Accept", "*/*", "Origin", "http://example.com").Code
	}
	require.Equal(t, http.StatusNoContent, post(login, newAsk(t), middleware.CSRF()))
	require.Equal(t, http.StatusBadRequest, post(login, middleware.CSRF(), newAsk(t)))
}

func TestPromptFrom(t *testing.T) {
	t.Parallel()
	e := newEcho(login, newAsk(t))
	e.GET("/", func(c echo.Context) error {
		p, ok := askechov4.PromptFrom(c)
		require.Equal(t, currentUser(c) == "ada", ok)
		require.Equal(t, ok, p.StartURL != "")
		return servePage(c)
	})
	require.Equal(t, page, get(e, "/").Body.String(), "who takes the prompt renders it")
	require.Equal(t, page, get(e, "/", "X-User", "bob").Body.String())
}

func TestUserIsAskedForOnlyWhenNeeded(t *testing.T) {
	t.Parallel()
	calls := 0
	ask := askechov4.New(newMiddleware(t), func(echo.Context) string { calls++; return "" })
	e := newEcho(ask)
	e.GET("/", servePage)
	get(e, "/", "Accept", "*/*")
	get(e, "/", "Sec-Fetch-Dest", "image")
	require.Zero(t, calls)
	get(e, "/")
	require.Equal(t, 1, calls)
	get(e, "/askonce/start")
	require.Equal(t, 2, calls)
}

func TestWriterAndRequest(t *testing.T) {
	t.Parallel()
	var before, within, after http.ResponseWriter
	var r, inner *http.Request
	e := newEcho(login, around(
		func(c echo.Context) { before, r = c.Response().Writer, c.Request() },
		func(c echo.Context) { after = c.Response().Writer },
	), newAsk(t))
	e.GET("/", func(c echo.Context) error { within, inner = c.Response().Writer, c.Request(); return servePage(c) })
	get(e, "/", "X-User", "bob")
	require.Same(t, before, within, "nothing is wrapped for who is not asked")
	require.Same(t, r, inner)
	get(e, "/")
	require.NotSame(t, before, within)
	require.Same(t, before, after)
}

// Some middlewares leave a writer of their own behind, for a reason.
type leftBehind struct{ http.ResponseWriter }

func (w leftBehind) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestForeignWriterStays(t *testing.T) {
	t.Parallel()
	var after http.ResponseWriter
	e := newEcho(login, around(func(echo.Context) {}, func(c echo.Context) { after = c.Response().Writer }), newAsk(t))
	e.GET("/", func(c echo.Context) error { c.Response().Writer = leftBehind{c.Response().Writer}; return servePage(c) })
	require.Contains(t, get(e, "/").Body.String(), "<aside")
	require.IsType(t, leftBehind{}, after)
}

type contextKey struct{}

func TestErrorPage(t *testing.T) {
	t.Parallel()
	e := newEcho(login, newAsk(t))
	e.HTTPErrorHandler = func(_ error, c echo.Context) {
		require.Equal(t, "ada", c.Request().Context().Value(contextKey{}), "the handler's request is still there")
		_ = c.HTML(http.StatusTeapot, page)
	}
	e.GET("/", func(c echo.Context) error {
		c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), contextKey{}, "ada")))
		return errors.New("boiling")
	})
	w := get(e, "/")
	require.Equal(t, http.StatusTeapot, w.Code)
	require.Equal(t, page, w.Body.String())
}

func TestErrorAfterThePage(t *testing.T) {
	t.Parallel()
	e := newEcho(login, newAsk(t))
	e.GET("/", func(c echo.Context) error { _ = servePage(c); return errors.New("late") })
	w := get(e, "/")
	require.Equal(t, http.StatusOK, w.Code)
	require.Regexp(t, `<aside[\s\S]*</body></html>$`, w.Body.String())
}

func TestHooksSeeTheFinalHeader(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"outside", "inside"} {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			calls := 0
			hook := around(func(c echo.Context) {
				res := c.Response()
				res.Before(func() { calls++; res.Header().Set("X-Hook", "1") })
			}, func(echo.Context) {})
			e := newEcho(login)
			if side == "outside" {
				e.Use(hook)
			}
			e.Use(newAsk(t))
			if side == "inside" {
				e.Use(hook)
			}
			e.GET("/", servePage)
			w := get(e, "/")
			require.Equal(t, 1, calls)
			require.Equal(t, "1", w.Header().Get("X-Hook"))
			require.Contains(t, w.Body.String(), "<aside")
		})
	}
}

func TestCommittedBefore(t *testing.T) {
	t.Parallel()
	e := newEcho(login, around(func(c echo.Context) {
		c.Response().Header().Set("Content-Type", "text/html")
		c.Response().WriteHeader(http.StatusOK)
	}, func(echo.Context) {}), newAsk(t))
	e.GET("/", func(c echo.Context) error { _, err := io.WriteString(c.Response(), page); return err })
	require.Equal(t, page, get(e, "/").Body.String())
}

// A body dump leaves its writer in place, in v4 for good.
func TestBodyDump(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"outside", "inside"} {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			var dumped string
			dump := middleware.BodyDump(func(_ echo.Context, _, out []byte) { dumped = string(out) })
			e := newEcho(login)
			if side == "outside" {
				e.Use(dump)
			}
			e.Use(newAsk(t))
			if side == "inside" {
				e.Use(dump)
			}
			e.GET("/", servePage)
			require.Contains(t, get(e, "/").Body.String(), "<aside")
			if side == "inside" {
				require.Equal(t, page, dumped)
			} else {
				require.Contains(t, dumped, "<aside")
			}
		})
	}
}

func TestNewPanicsWithoutAMiddleware(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, "askechov4: New: m is nil", func() { askechov4.New(nil, currentUser) })
}

// Without a func of the framework the middleware's own finds out who the user is.
func TestUserOfTheMiddleware(t *testing.T) {
	t.Parallel()
	m, err := askonce.New(asksAda{}, func(r *http.Request) string { return r.Header.Get("X-User") }, nil)
	require.NoError(t, err)
	e := newEcho(askechov4.New(m, nil))
	e.GET("/", servePage)
	require.Contains(t, get(e, "/").Body.String(), "<aside")
	require.Equal(t, page, get(e, "/", "X-User", "bob").Body.String())
}

// After its answer the timeout middleware leaves a writer in place that keeps
// the late handler from the connection.
func TestTimeoutStandsFirst(t *testing.T) {
	t.Parallel()
	//lint:ignore SA1019 it is deprecated, and still what many apps have
	e := newEcho(middleware.TimeoutWithConfig(middleware.TimeoutConfig{Timeout: time.Millisecond, ErrorMessage: "too slow"}), login, newAsk(t))
	done := make(chan error, 1)
	e.GET("/slow", func(c echo.Context) error {
		<-c.Request().Context().Done()
		err := servePage(c)
		done <- err
		return err
	})
	s := httptest.NewServer(e)
	defer s.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/slow", nil)
	require.NoError(t, err)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("X-User", "ada")
	resp, err := s.Client().Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	<-done
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "too slow", string(body))
}
