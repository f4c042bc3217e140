package askechov4_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/askonce/askonce/middleware/askechov4"
	"github.com/askonce/askonce/middleware/internal/adaptertest"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/stretchr/testify/require"
)

var adapter = adaptertest.Echo[echo.Context, echo.HandlerFunc, echo.MiddlewareFunc]{
	Adapter:    "askechov4",
	New:        askechov4.New,
	PromptFrom: askechov4.PromptFrom,
	App:        newApp,
	Writer:     func(c echo.Context) http.ResponseWriter { return c.Response().Writer },
	SetWriter:  func(c echo.Context, w http.ResponseWriter) { c.Response().Writer = w },
	Response:   func(_ *testing.T, c echo.Context) adaptertest.EchoResponse { return c.Response() },
	CSRF:       func() echo.MiddlewareFunc { return middleware.CSRF() },
	BodyDump: func(dump func(string)) echo.MiddlewareFunc {
		return middleware.BodyDump(func(_ echo.Context, _, out []byte) { dump(string(out)) })
	},
}

func newApp(a adaptertest.EchoApp[echo.Context, echo.HandlerFunc, echo.MiddlewareFunc]) http.Handler {
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.Use(a.Use...)
	if a.Page != nil {
		e.GET("/", a.Page)
	}
	if a.NotFound != nil {
		e.RouteNotFound("/*", a.NotFound)
	}
	if a.OnError != nil {
		e.HTTPErrorHandler = func(_ error, c echo.Context) { a.OnError(c) }
	}
	if a.Group != nil {
		e.Group("/pages", a.Group...).GET("/", a.Page)
		e.Any("/askonce/*", func(echo.Context) error { return echo.ErrNotFound }, a.Group...)
	}
	return e
}

func TestAdapter(t *testing.T) {
	t.Parallel()
	adapter.Test(t)
}

// After its response, the timeout middleware leaves a writer in place that keeps a late
// handler from the connection.
func TestTimeoutStandsFirst(t *testing.T) {
	t.Parallel()
	e := echo.New()
	//lint:ignore SA1019 it is deprecated, and still what many apps have
	e.Use(middleware.TimeoutWithConfig(middleware.TimeoutConfig{Timeout: time.Millisecond, ErrorMessage: "too slow"}), adapter.Login, adapter.Ask(t))
	done := make(chan error, 1)
	e.GET("/slow", func(c echo.Context) error {
		<-c.Request().Context().Done()
		err := adapter.ServePage(c)
		done <- err
		return err
	})
	s := httptest.NewServer(e)
	defer s.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/slow", nil)
	require.NoError(t, err)
	r.Header.Set("Accept", "text/html")
	r.Header.Set(adaptertest.UserHeader, "ada")
	resp, err := s.Client().Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	<-done
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "too slow", string(body))
}

func TestTheResponseHasTheStatusOfTheOneBelow(t *testing.T) {
	t.Parallel()
	h := adapter.Serve(func(c echo.Context) error {
		require.Equal(t, http.StatusOK, c.Response().Status)
		return c.NoContent(http.StatusCreated)
	}, adapter.Login, adapter.Ask(t))
	require.Equal(t, http.StatusCreated, adaptertest.Get(h, "/").Code)
}
