// Package askechov5 puts askonce's prompt into the pages of an Echo
// application, of Echo's current line, v5. For v4 there is askechov4.
//
//	e.Use(middleware.RequestLogger(), middleware.Recover()) // they see everything
//	e.Use(middleware.Gzip())                                // compresses what the prompt is in
//	e.Use(sessions, auth)                                   // know who the user is
//	e.Use(ask)                                              // askechov5.New
//	e.Use(middleware.CSRF())                                // would ask the prompt's forms for a token
//	e.Use(pageCache)                                        // must not see the prompt
//
// What must see the finished response comes before it (loggers count the
// prompt's bytes), and so do what recovers from panics, a compressor (the
// middleware hides from the handlers that the browser accepts compressed
// pages) and whatever finds out who the user is: the func given to [New]
// reads it from the *echo.Context. A logger that calls the error handler
// itself (HandleError) comes before it too: after it, the Response does not
// yet count bytes that are held back. Whatever caches pages within the app
// comes after it, because the prompt is one user's. So does CSRF, which
// requires a token from browsers without Sec-Fetch-Site: the prompt's forms
// carry none, and the endpoints check for themselves that no other site posts
// to them.
//
// Mount it with Use, because with Pre it would run before the user is known.
// Middlewares of Use also run for requests without a route, so the endpoints
// below [middleware.Options].Path need none. Those of a group or a route do
// not: with the middleware only there, give the endpoints a route:
//
//	e.Any("/askonce/*", notFound, sessions, auth, ask)
//
// Its own handler, notFound, is never called. Without the route, the links and
// the prompt's script answer 404, and the prompt stays hidden. The middleware
// may be mounted twice; the prompt appears once.
//
// askonce.Config.User is not called by a middleware that has a func of its own;
// let it return "". The console's check cannot see the *echo.Context either: let
// a group check, and accept what has passed,
//
//	admin := e.Group("/admin", requireAdmin)
//	admin.Any("/askonce/*", echo.WrapHandler(kit.Console(func(*http.Request) bool { return true })))
//
// [PromptFrom] is for a template that places the prompt itself. The error
// pages of the HTTPErrorHandler are written after the middleware is done, and
// get no prompt. echo.WrapMiddleware is no substitute: it leaves its writer
// behind, and the error page goes into it. Wrapping the whole application, as
// in StartConfig.Start(ctx, prompt.Handler(e)) with a
// [middleware.Middleware], works, but there the user must be known from the
// *http.Request.
//
// The provider's webhook needs no adapter. Mount it outside of everything
// that reads bodies or checks for forged requests:
//
//	e.POST("/webhooks/userjourneys", echo.WrapHandler(hook))
//
// with a Skipper for that path in CSRF, which would answer 400 to a sender
// without a token. The path must be exactly the registered one: Echo answers
// 404 with a trailing slash.
//
// It works with Echo from v5.3.1 on.
package askechov5
