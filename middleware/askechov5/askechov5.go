package askechov5

import (
	"net/http"

	"github.com/askonce/askonce/middleware"
	"github.com/labstack/echo/v5"
)

// New returns an Echo middleware that puts the prompt into the pages of users who are
// asked, and serves the endpoints below [middleware.Options].Path. The func user
// returns the app's id of the user who sent the request, or "" for an anonymous visitor.
// It is called at most once for a request, and only if it is needed. If it is nil, the func
// that m was created with is called. New panics if m is nil. The middleware is safe for concurrent use.
func New(m *middleware.Middleware, user func(*echo.Context) string) echo.MiddlewareFunc {
	if m == nil {
		panic("askechov5: New: m is nil")
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			if r, err := echo.UnwrapResponse(c.Response()); err == nil && r.Committed {
				return next(c)
			}
			var id func() string
			if user != nil {
				id = func() string { return user(c) }
			}
			// This may be the writer of a gzip middleware around the Response. The bytes that
			// reach the Response are compressed.
			outer := c.Response()
			return m.Serve(outer, c.Request(), id, func(w http.ResponseWriter, r *http.Request) error {
				if w == outer {
					return next(c)
				}
				c.SetResponse(w)
				c.SetRequest(r)
				defer func() {
					// The HTTPErrorHandler runs later and must write to the outer response. The request
					// stays, because handlers may have added to its context.
					if c.Response() == w {
						c.SetResponse(outer)
					}
				}()
				return next(c)
			})
		}
	}
}

// PromptFrom returns the prompt of the request for an app that renders it in its own
// template. See [middleware.PromptFrom].
func PromptFrom(c *echo.Context) (middleware.Content, bool) {
	return middleware.PromptFrom(c.Request().Context())
}
