// Package askgin puts askonce's prompt into the pages of a Gin application.
//
// Mount it once for the engine, before the routes, because Gin does not apply
// a middleware to routes that exist already:
//
//	e.Use(gin.Logger(), gin.Recovery())   // they see everything
//	e.Use(gzip.Gzip(gzip.BestSpeed))      // compresses what the prompt is in
//	e.Use(sessions, auth)                 // know who the user is
//	e.Use(ask)                            // askgin.New
//	e.Use(csrf)                           // would ask the prompt's forms for a token
//	e.Use(timeout, pageCache)             // must not see the prompt
//	e.GET("/", home)                      // then the routes
//
// What must see the finished response comes before it (loggers count the
// prompt's bytes), and so do what recovers from panics, a compressor (the
// middleware hides from the handlers that the browser accepts compressed
// pages, unless one before it has set Content-Encoding) and whatever finds out who
// the user is: the func given to [New] reads it from the *gin.Context.
// gin-contrib/timeout comes after it, because it copies the context while its
// handler still runs, and so does whatever caches pages within the app,
// because the prompt is one user's. A check for tokens against forged
// requests comes after it too: the prompt's forms carry none, and the
// endpoints check for themselves that no other site posts to them.
//
// The engine's middlewares also run for requests without a route, so the
// endpoints below [middleware.Options].Path need none. A group's do not: with
// the middleware on a group only, give the endpoints a route:
//
//	e.Any("/askonce/*any", sessions, auth, ask)
//
// Without it, their links and the prompt's script answer 404, and the prompt stays hidden.
//
// askonce.Config.User is not called by a middleware that has a func of its own; let
// it return "". The console's check cannot see the *gin.Context either: let a group
// check, and accept what has passed,
//
//	admin := e.Group("/admin", requireAdmin)
//	admin.Any("/askonce/*page", gin.WrapH(kit.Console(func(*http.Request) bool { return true })))
//
// The middleware may be mounted twice; the prompt appears once.
//
// [PromptFrom] is for a template that places the prompt itself. Wrapping the
// whole engine with [middleware.Middleware.Handler] works as well, but there
// the user must be known from the *http.Request.
//
// The provider's webhook needs no adapter. Mount it outside of everything
// that reads bodies or checks for forged requests:
//
//	e.POST("/webhooks/userjourneys", gin.WrapH(hook))
//
// on an engine or a group whose middlewares neither bind the body
// (ShouldBindBodyWith and the like leave nothing for the signature to be
// checked against) nor ask for a token. The path must be exactly the
// registered one: Gin redirects a trailing slash, and a sender does not
// follow.
//
// It works with Gin from v1.9.1 on.
package askgin
