package askechov4

import (
	"net/http"

	"github.com/askonce/askonce/middleware"
	"github.com/labstack/echo/v4"
)

// New returns an Echo middleware that puts the prompt into the pages of users who are
// asked, and serves the endpoints below [middleware.Options].Path. The func user
// returns the app's id of whoever sent the request, or "" for an anonymous visitor; it
// is called at most once for a request, and only if it is needed. A nil user means the
// func that m was made with. A nil m panics. The middleware is safe for concurrent use.
func New(m *middleware.Middleware, user func(echo.Context) string) echo.MiddlewareFunc {
	if m == nil {
		panic("askechov4: New: m is nil")
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			res := c.Response()
			if res.Committed {
				return next(c)
			}
			var id func() string
			if user != nil {
				id = func() string { return user(c) }
			}
			// The prompt is placed below the Response, where v4's gzip middleware is too.
			outer, inner := res.Writer, res.Writer
			defer func() {
				// The HTTPErrorHandler comes later and has a response of its own to write. The
				// timeout middleware leaves a writer that keeps a late handler from the connection:
				// that one stays. So does the request, with what the handlers have put into its
				// context.
				if inner != outer && res.Writer == inner {
					res.Writer = outer
				}
			}()
			w := outer
			if m.Owns(c.Request()) {
				w = res // an endpoint's answer is counted as any other's
			}
			return m.Serve(w, c.Request(), id, func(w http.ResponseWriter, r *http.Request) error {
				if w != outer {
					inner = w
					res.Writer = w
					c.SetRequest(r)
				}
				return next(c)
			})
		}
	}
}

// PromptFrom returns the prompt of the request for a template that renders it itself;
// see [middleware.PromptFrom].
func PromptFrom(c echo.Context) (middleware.Content, bool) {
	return middleware.PromptFrom(c.Request().Context())
}
