// Package askgin puts askonce's prompt into the pages of a Gin application.
//
// Mount it once for the engine, before the routes, because Gin does not apply
// a middleware to existing routes:
//
//	e.Use(gin.Logger(), gin.Recovery())   // see everything
//	e.Use(gzip.Gzip(gzip.BestSpeed))      // compresses the page with the prompt
//	e.Use(sessions, auth)                 // know who the user is
//	e.Use(ask)                            // askgin.New
//	e.Use(csrf)                           // would reject the prompt's forms
//	e.Use(timeout, pageCache)             // must not see the prompt
//	e.GET("/", home)                      // then the routes
//
// These come before it:
//
//   - loggers, which count the prompt's bytes, and what recovers from panics;
//   - compressors, because the middleware removes Accept-Encoding from the request of a
//     page with the prompt, unless a compressor before it has set Content-Encoding;
//   - what finds out who the user is, because the func given to [New] reads it from the
//     *gin.Context.
//
// These come after it:
//
//   - gin-contrib/timeout, which copies the context while its handler still runs;
//   - caches of pages, because the prompt is for one user;
//   - a check of CSRF tokens, because the prompt's forms have none. The endpoints
//     themselves reject requests from other sites.
//
// The engine's middlewares also run for requests without a route, so the
// endpoints below [middleware.Options].Path need none. Those of a group do not. If the
// middleware is on a group only, give the endpoints a route:
//
//	e.Any("/askonce/*any", sessions, auth, ask)
//
// Without it, the prompt's links and script answer 404, and the prompt stays hidden.
//
// A middleware with its own func for the user does not call askonce.Config.User; let that
// func return "". The console's check does not get the *gin.Context either. Let a group check
// instead:
//
//	admin := e.Group("/admin", requireAdmin)
//	admin.Any("/askonce/*page", gin.WrapH(kit.Console(func(*http.Request) bool { return true })))
//
// The middleware may be mounted twice; the prompt appears once.
//
// [PromptFrom] is for a template that renders the prompt itself. Wrapping the
// whole engine with [middleware.Middleware.Handler] works too, but there
// the user must be known from the *http.Request.
//
// The provider's webhook needs no adapter:
//
//	e.POST("/webhooks/userjourneys", gin.WrapH(hook))
//
// Mount it on an engine or a group whose middlewares neither read the body, which
// ShouldBindBodyWith does, nor check CSRF tokens. The signature covers the body. The
// request path must be exactly the registered one: Gin redirects a trailing slash, and the
// sender does not follow redirects.
//
// The package works with Gin v1.9.1 and later.
package askgin
