package askechov5_test

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/askonce/askonce/middleware/askechov5"
	"github.com/askonce/askonce/middleware/internal/adaptertest"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
	"github.com/stretchr/testify/require"
)

var adapter = adaptertest.Echo[*echo.Context, echo.HandlerFunc, echo.MiddlewareFunc]{
	Adapter:    "askechov5",
	New:        askechov5.New,
	PromptFrom: askechov5.PromptFrom,
	App:        newApp,
	Writer:     (*echo.Context).Response,
	SetWriter:  (*echo.Context).SetResponse,
	Response:   func(t *testing.T, c *echo.Context) adaptertest.EchoResponse { return response(t, c) },
	CSRF:       func() echo.MiddlewareFunc { return middleware.CSRF() },
	BodyDump: func(dump func(string)) echo.MiddlewareFunc {
		return middleware.BodyDump(func(_ *echo.Context, _, out []byte, _ error) { dump(string(out)) })
	},
}

func newApp(a adaptertest.EchoApp[*echo.Context, echo.HandlerFunc, echo.MiddlewareFunc]) http.Handler {
	e := echo.New()
	e.Logger = slog.New(slog.DiscardHandler)
	e.Use(a.Use...)
	if a.Page != nil {
		e.GET("/", a.Page)
	}
	if a.NotFound != nil {
		e.RouteNotFound("/*", a.NotFound)
	}
	if a.OnError != nil {
		e.HTTPErrorHandler = func(c *echo.Context, _ error) { a.OnError(c) }
	}
	if a.Group != nil {
		e.Group("/pages", a.Group...).GET("/", a.Page)
		e.Any("/askonce/*", func(*echo.Context) error { return echo.ErrNotFound }, a.Group...)
	}
	return e
}

func TestAdapter(t *testing.T) {
	t.Parallel()
	adapter.Test(t)
}

// response returns the Response below whatever stands in its place.
func response(t *testing.T, c *echo.Context) *echo.Response {
	res, err := echo.UnwrapResponse(c.Response())
	require.NoError(t, err)
	return res
}

func TestTheResponseIsFoundBelow(t *testing.T) {
	t.Parallel()
	h := adapter.Serve(func(c *echo.Context) error {
		require.Equal(t, http.StatusOK, response(t, c).Status)
		return c.NoContent(http.StatusCreated)
	}, adapter.Login, adapter.Ask(t))
	require.Equal(t, http.StatusCreated, adaptertest.Get(h, "/").Code)
}
