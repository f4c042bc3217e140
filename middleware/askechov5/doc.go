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
// Before it belongs what must see the finished response (loggers count the
// prompt's bytes), what recovers from panics, a compressor (it hides from
// the handlers that the browser accepts compressed pages), and whatever
// finds out who the user is: the func that New is given reads it from the
// *echo.Context. A logger that calls the error handler itself (HandleError)
// belongs there too: within, the Response does not know yet of bytes that
// are held back. Behind it belongs whatever caches pages within the app: the
// prompt is one user's. So does CSRF, which asks browsers without
// Sec-Fetch-Site for a token: the prompt's forms carry none, and the
// endpoints see for themselves that no other site posts to them.
//
// Use, and not Pre, because in Pre nobody has looked for the user.
// Middlewares of Use run for requests without a route too, so the endpoints
// below Options.Path need none. Those of a group or a route do not: with the
// middleware there only, give the endpoints a route,
//
//	e.Any("/askonce/*", notFound, sessions, auth, ask)
//
// whose own handler is never called. The middleware may be mounted twice;
// the prompt appears once.
//
// A template that wants to place the prompt itself asks PromptFrom. The
// error pages of the HTTPErrorHandler are written when the middleware is
// done, and get no prompt. echo.WrapMiddleware is no substitute: it leaves
// its writer behind, and the error page goes into it. Wrapping the whole
// application, as in StartConfig.Start(ctx, prompt.Handler(e)) with a
// *Middleware of package middleware, works, but there the user must be known
// from the *http.Request.
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
