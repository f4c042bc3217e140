package askechov4

import (
	"context"
	"net/http"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/labstack/echo/v4"
)

type userKey struct{}

// New returns an Echo middleware that puts the prompt into the pages of users
// who are asked, and answers the endpoints below Options.Path. The func user
// returns the app's id of whoever sent the request, "" for an anonymous
// visitor; it is called only for requests that could get a prompt, and for the
// endpoints. A nil d or user panics; a nil opts means defaults; the error is
// that of middleware.New. The middleware is safe for concurrent use.
func New(d gate.Decider, user func(echo.Context) string, opts *middleware.Options) (echo.MiddlewareFunc, error) {
	if user == nil {
		panic("askechov4: New: user is nil")
	}
	m, err := middleware.New(d, func(r *http.Request) string {
		id, _ := r.Context().Value(userKey{}).(string)
		return id
	}, opts)
	if err != nil {
		return nil, err
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			switch r := c.Request(); {
			case m.Owns(r):
				ctx := context.WithValue(r.Context(), userKey{}, user(c))
				m.Endpoints().ServeHTTP(c.Response(), r.WithContext(ctx))
				return nil
			case m.Eligible(r) && !c.Response().Committed:
				if resp := m.Begin(c.Response().Writer, r, user(c)); resp != nil {
					return serve(c, next, resp)
				}
			}
			return next(c)
		}
	}, nil
}

// PromptFrom returns the prompt of the request, for a template that renders it
// itself; see middleware.PromptFrom.
func PromptFrom(c echo.Context) (gate.Prompt, bool) {
	return middleware.PromptFrom(c.Request().Context())
}

// serve runs next below the Response, where v4's gzip middleware stands too. The
// writer is put back, because the HTTPErrorHandler comes later and has a
// response of its own to write; but only if it is still there: the timeout
// middleware leaves one that keeps a late handler from the connection. The
// request stays, with what the handlers have put into its context.
func serve(c echo.Context, next echo.HandlerFunc, resp *middleware.Response) error {
	res := c.Response()
	outer, inner := res.Writer, resp.Writer()
	res.Writer = inner
	c.SetRequest(resp.Request())
	panicked := true
	defer func() {
		resp.Finish(panicked)
		if res.Writer == inner {
			res.Writer = outer
		}
	}()
	err := next(c)
	panicked = false
	return err
}
