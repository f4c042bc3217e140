// Package others shows how askonce is mounted where no adapter is needed, or
// none is possible: huma, go-zero, connect and Fiber. It is a module of its own
// and unpublished; the tests are all there is.
//
// # huma
//
// huma serves through a router, and the router is what the middleware wraps:
//
//	mux := http.NewServeMux()
//	api := humago.New(mux, config)
//	mux.Handle("POST /webhooks/userjourneys", hook)
//	http.ListenAndServe(":8080", prompt.Handler(mux))
//
// The webhook goes on the router and not into an operation, which would read
// the body. Operations answer JSON and stay as they are. huma's own page of
// documentation is a page like any other: keep it to people who are not asked,
// or wrap only the routes that should have the prompt and mount Endpoints.
//
// # go-zero
//
// The server's routes take the middleware by rest.ToMiddleware, and the webhook
// is a route:
//
//	server.Use(rest.ToMiddleware(prompt.Handler))
//	server.AddRoute(rest.Route{Method: "POST", Path: "/webhooks/userjourneys", Handler: hook.ServeHTTP})
//	server.AddRoute(rest.Route{Method: "GET", Path: "/askonce/:endpoint", Handler: prompt.Endpoints().ServeHTTP})
//
// Middlewares of Use run for routes only, so the endpoints need one each for
// GET and POST. The path of a route is one segment per parameter.
//
// # connect
//
// An RPC is no page and passes as it is, streams too. Service handlers, pages
// and webhook share a mux, and the middleware stands around it:
//
//	mux.Handle(greetv1connect.NewGreetServiceHandler(greeter))
//	mux.Handle("POST /webhooks/userjourneys", hook)
//	http.ListenAndServe(":8080", prompt.Handler(mux))
//
// # Fiber
//
// Fiber does not serve through net/http. Handlers mount by its adaptor, so the
// webhook works, and so do the prompt's endpoints:
//
//	app.Post("/webhooks/userjourneys", adaptor.HTTPHandler(hook))
//	app.All("/askonce/*", adaptor.HTTPHandler(prompt.Endpoints()))
//
// The middleware does not: adaptor.HTTPMiddleware throws the writer away that a
// middleware hands on, so pages stay as they are, without a prompt. An app on
// Fiber decides itself, and renders the prompt in its templates, with a link to
// the start endpoint:
//
//	d := gate.Decide(c.Context(), gate.Visitor{UserID: user})
//	if d.Ask() {
//		link = "/askonce/start?study=" + url.QueryEscape(d.Prompt.StudyID)
//	}
//
// or has its pages go through a net/http reverse proxy with the middleware
// around it.
package others
