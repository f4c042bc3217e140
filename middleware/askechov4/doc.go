// Package askechov4 puts askonce's prompt into the pages of an Echo v4 application. For
// Echo v5, the current version, use askechov5.
//
//	e.Use(middleware.Timeout())                             // if at all, first of all
//	e.Use(middleware.RequestLogger(), middleware.Recover()) // see everything
//	e.Use(middleware.Gzip())                                // compresses the page with the prompt
//	e.Use(sessions, auth)                                   // know who the user is
//	e.Use(ask)                                              // askechov4.New
//	e.Use(middleware.CSRF())                                // would reject the prompt's forms
//	e.Use(pageCache)                                        // must not see the prompt
//
// These come before it:
//
//   - loggers, which count the prompt's bytes, and what recovers from panics;
//   - compressors, because the middleware removes Accept-Encoding from the request of a
//     page with the prompt;
//   - what finds out who the user is, because the func given to [New] reads it from the
//     echo.Context.
//
// These come after it:
//
//   - caches of pages, because the prompt is for one user;
//   - CSRF, because the prompt's forms have no token. The endpoints themselves reject
//     requests from other sites.
//
// Timeout is deprecated. It races with every middleware before it that reads the Response.
//
// Mount it with Use, because with Pre it would run before the user is known.
// Middlewares of Use also run for requests without a route, so the endpoints
// below [middleware.Options].Path need none. Those of a group or a route do
// not. If the middleware is only there, give the endpoints a route:
//
//	e.Any("/askonce/*", echo.NotFoundHandler, sessions, auth, ask)
//
// Its own handler, echo.NotFoundHandler, is never called. Without the route,
// the links and the prompt's script answer 404, and the prompt stays hidden.
// The middleware may be mounted twice; the prompt appears once.
//
// A middleware with its own func for the user does not call askonce.Config.User; let that
// func return "". The console's check does not get the echo.Context either. Let a group
// check instead:
//
//	admin := e.Group("/admin", requireAdmin)
//	admin.Any("/askonce/*", echo.WrapHandler(kit.Console(func(*http.Request) bool { return true })))
//
// [PromptFrom] is for a template that renders the prompt itself. The error pages of the
// HTTPErrorHandler are written after the middleware has returned, and get no prompt. Do not
// use echo.WrapMiddleware instead: it leaves its writer in the context, so the error page
// would be written to it. Wrapping the whole application with a [middleware.Middleware], as
// in http.Server{Handler: prompt.Handler(e)}, works too, but there the user must be known
// from the *http.Request.
//
// The provider's webhook needs no adapter:
//
//	e.POST("/webhooks/userjourneys", echo.WrapHandler(hook))
//
// Mount it outside of middlewares that read bodies, and give CSRF a Skipper for its path:
// the sender has no token and would get a 400. The request path must be exactly the
// registered one, because Echo answers 404 with a trailing slash.
//
// The package works with Echo v4.11.4 and later.
package askechov4
