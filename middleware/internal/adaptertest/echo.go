package adaptertest

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/askonce/askonce/middleware"
	"github.com/stretchr/testify/require"
)

// EchoContext has methods that the contexts of both versions have.
type EchoContext interface {
	Get(key string) any
	Set(key string, value any)
	Request() *http.Request
	SetRequest(r *http.Request)
	HTML(code int, html string) error
	NoContent(code int) error
	String(code int, s string) error
}

// Echo is one version of Echo with its adapter. C is the type of its contexts, H of its
// handlers and M of its middlewares.
type Echo[C EchoContext, H ~func(C) error, M ~func(H) H] struct {
	Adapter    string // the name of its package
	New        func(*middleware.Middleware, func(C) string) M
	PromptFrom func(C) (middleware.Content, bool)

	App       func(EchoApp[C, H, M]) http.Handler
	Writer    func(C) http.ResponseWriter // the writer that middlewares replace
	SetWriter func(C, http.ResponseWriter)
	Response  func(*testing.T, C) EchoResponse
	CSRF      func() M
	BodyDump  func(dump func(body string)) M
}

// EchoApp describes an application.
type EchoApp[C EchoContext, H ~func(C) error, M ~func(H) H] struct {
	Use      []M
	Page     H       // at "/"; nil for none
	NotFound H       // of every other path; nil for Echo's
	OnError  func(C) // writes the error page; nil for Echo's
	Group    []M     // of a group with the page, and of a route for the endpoints; nil for neither
}

// EchoResponse has the methods of Echo's Response that the tests call.
type EchoResponse interface {
	http.ResponseWriter
	Before(f func())
}

// Login is a middleware that finds out who the user is.
func (e Echo[C, H, M]) Login(next H) H {
	return func(c C) error {
		c.Set("user", c.Request().Header.Get(UserHeader))
		return next(c)
	}
}

// CurrentUser returns the user that [Echo.Login] found.
func (e Echo[C, H, M]) CurrentUser(c C) string { user, _ := c.Get("user").(string); return user }

// Ask returns the adapter's middleware, which invites Ada.
func (e Echo[C, H, M]) Ask(t *testing.T) M { return e.New(New(t), e.CurrentUser) }

// Serve returns an application with a page and middlewares.
func (e Echo[C, H, M]) Serve(page H, use ...M) http.Handler {
	return e.App(EchoApp[C, H, M]{Use: use, Page: page})
}

// ServePage is a handler that serves [Page].
func (e Echo[C, H, M]) ServePage(c C) error { return c.HTML(http.StatusOK, Page) }

// around returns a middleware that calls before and after the rest of the chain.
func (e Echo[C, H, M]) around(before, after func(C)) M {
	return func(next H) H {
		return func(c C) error {
			before(c)
			err := next(c)
			after(c)
			return err
		}
	}
}

// at returns the middlewares of a page with the prompt, with m on one side of the adapter's.
func (e Echo[C, H, M]) at(t *testing.T, side string, m M) []M {
	if side == "outside" {
		return []M{e.Login, m, e.Ask(t)}
	}
	return []M{e.Login, e.Ask(t), m}
}

var sides = []string{"outside", "inside"}

func nothing[C any](C) {}

// Test runs the tests for both versions.
func (e Echo[C, H, M]) Test(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"prompt":                                 e.testPrompt,
		"endpoints":                              e.testEndpoints,
		"a check for tokens comes after":         e.testTokens,
		"PromptFrom":                             e.testPromptFrom,
		"the user is looked up only if needed":   e.testUserOnlyWhenNeeded,
		"the user of the middleware":             e.testUserOfTheMiddleware,
		"New panics without a middleware":        e.testNewPanics,
		"writer and request":                     e.testWriterAndRequest,
		"a foreign writer stays":                 e.testForeignWriter,
		"error page":                             e.testErrorPage,
		"error after the page":                   e.testErrorAfterThePage,
		"hooks see the final header":             e.testHooks,
		"committed before":                       e.testCommittedBefore,
		"a body dump leaves its writer in place": e.testBodyDump,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

func (e Echo[C, H, M]) testPrompt(t *testing.T) {
	Prompt(t, e.Serve(e.ServePage, e.Login, e.Ask(t)))
}

func (e Echo[C, H, M]) testEndpoints(t *testing.T) {
	everywhere := EchoApp[C, H, M]{
		Use:      []M{e.Login, e.Ask(t)},
		NotFound: func(c C) error { return c.String(http.StatusOK, "the app's") },
	}
	ofGroup := EchoApp[C, H, M]{Page: e.ServePage, Group: []M{e.Login, e.Ask(t)}}
	for name, app := range map[string]EchoApp[C, H, M]{"for all": everywhere, "for a group": ofGroup} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			Endpoints(t, e.App(app))
		})
	}
}

// A check of CSRF tokens before the middleware rejects "No thanks".
func (e Echo[C, H, M]) testTokens(t *testing.T) {
	require.Equal(t, http.StatusNoContent, Decline(e.Serve(e.ServePage, e.Login, e.Ask(t), e.CSRF())))
	require.Equal(t, http.StatusBadRequest, Decline(e.Serve(e.ServePage, e.Login, e.CSRF(), e.Ask(t))))
}

func (e Echo[C, H, M]) testPromptFrom(t *testing.T) {
	RenderedByTheApp(t, e.Serve(func(c C) error {
		p, ok := e.PromptFrom(c)
		require.Equal(t, e.CurrentUser(c) == "ada", ok)
		require.Equal(t, ok, p.StartURL != "")
		return e.ServePage(c)
	}, e.Login, e.Ask(t)))
}

func (e Echo[C, H, M]) testUserOnlyWhenNeeded(t *testing.T) {
	calls := 0
	ask := e.New(New(t), func(C) string { calls++; return "" })
	UserOnlyWhenNeeded(t, e.Serve(e.ServePage, ask), &calls)
}

func (e Echo[C, H, M]) testUserOfTheMiddleware(t *testing.T) {
	Prompt(t, e.Serve(e.ServePage, e.New(NewWithUser(t), nil)))
}

func (e Echo[C, H, M]) testNewPanics(t *testing.T) {
	require.PanicsWithValue(t, e.Adapter+": New: m is nil", func() { e.New(nil, e.CurrentUser) })
}

func (e Echo[C, H, M]) testWriterAndRequest(t *testing.T) {
	var before, within, after http.ResponseWriter
	var r, inner *http.Request
	h := e.Serve(
		func(c C) error { within, inner = e.Writer(c), c.Request(); return e.ServePage(c) },
		e.Login, e.around(func(c C) { before, r = e.Writer(c), c.Request() }, func(c C) { after = e.Writer(c) }), e.Ask(t),
	)
	Get(h, "/", UserHeader, "bob")
	require.Same(t, before, within, "nothing is wrapped without a prompt")
	require.Same(t, r, inner)
	Get(h, "/")
	require.NotSame(t, before, within)
	require.Same(t, before, after)
}

// leftBehind is a writer that a middleware deliberately leaves in place.
type leftBehind struct{ http.ResponseWriter }

func (w leftBehind) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (e Echo[C, H, M]) testForeignWriter(t *testing.T) {
	var after http.ResponseWriter
	h := e.Serve(
		func(c C) error { e.SetWriter(c, leftBehind{e.Writer(c)}); return e.ServePage(c) },
		e.Login, e.around(nothing, func(c C) { after = e.Writer(c) }), e.Ask(t),
	)
	require.Contains(t, Get(h, "/").Body.String(), "<aside")
	require.IsType(t, leftBehind{}, after)
}

type contextKey struct{}

func (e Echo[C, H, M]) testErrorPage(t *testing.T) {
	w := Get(e.App(EchoApp[C, H, M]{
		Use: []M{e.Login, e.Ask(t)},
		Page: func(c C) error {
			c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), contextKey{}, "ada")))
			return errors.New("boiling")
		},
		OnError: func(c C) {
			require.Equal(t, "ada", c.Request().Context().Value(contextKey{}), "the handler's request is still there")
			_ = c.HTML(http.StatusTeapot, Page)
		},
	}), "/")
	require.Equal(t, http.StatusTeapot, w.Code)
	require.Equal(t, Page, w.Body.String())
}

func (e Echo[C, H, M]) testErrorAfterThePage(t *testing.T) {
	w := Get(e.Serve(func(c C) error { _ = e.ServePage(c); return errors.New("late") }, e.Login, e.Ask(t)), "/")
	require.Equal(t, http.StatusOK, w.Code)
	require.Regexp(t, `<aside[\s\S]*</body></html>$`, w.Body.String())
}

func (e Echo[C, H, M]) testHooks(t *testing.T) {
	for _, side := range sides {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			calls := 0
			hook := e.around(func(c C) {
				res := e.Response(t, c)
				res.Before(func() { calls++; res.Header().Set("X-Hook", "1") })
			}, nothing)
			w := Get(e.Serve(e.ServePage, e.at(t, side, hook)...), "/")
			require.Equal(t, 1, calls)
			require.Equal(t, "1", w.Header().Get("X-Hook"))
			require.Contains(t, w.Body.String(), "<aside")
		})
	}
}

func (e Echo[C, H, M]) testCommittedBefore(t *testing.T) {
	commit := e.around(func(c C) {
		res := e.Response(t, c)
		res.Header().Set("Content-Type", "text/html")
		res.WriteHeader(http.StatusOK)
	}, nothing)
	require.Equal(t, Page, Get(e.Serve(e.ServePage, e.Login, commit, e.Ask(t)), "/").Body.String())
}

func (e Echo[C, H, M]) testBodyDump(t *testing.T) {
	for _, side := range sides {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			var dumped string
			dump := e.BodyDump(func(body string) { dumped = body })
			require.Contains(t, Get(e.Serve(e.ServePage, e.at(t, side, dump)...), "/").Body.String(), "<aside")
			if side == "inside" {
				require.Equal(t, Page, dumped)
			} else {
				require.Contains(t, dumped, "<aside")
			}
		})
	}
}
