// Package askonce invites an app's signed-in users to a short voice interview,
// and stops asking once they have done it. The interviews are run by
// userjourneys.ai.
//
// [New] connects the parts: the gates that decide who is asked, the prompt in the
// pages, the webhook that reports completed interviews, and the background work.
//
//	kit, err := askonce.New(askonce.Config{
//		APIKey:        os.Getenv("USERJOURNEYS_API_KEY"),
//		WebhookSecret: os.Getenv("USERJOURNEYS_WEBHOOK_SECRET"),
//		Studies:       []string{"Onboarding Feedback"},
//		User:          currentUser,
//		Store:         memstore.New(), // in production sqlstore or redisstore
//	})
//	…
//	go kit.Run(ctx)
//	mux.Handle("/webhooks/userjourneys", kit.Webhook())
//	http.ListenAndServe(":8080", kit.Handler(mux))
//
// # Where to mount it
//
// Put [Kit.Handler] inside the session middleware, because it calls Config.User;
// inside compression, because a compressed page gets no prompt; and outside any
// cache of pages, because a prompt is meant for one user. Checks for CSRF tokens
// belong inside it, or must exempt "/askonce/": the prompt's forms carry no
// token, and the endpoints check the origin themselves. Nothing may read the
// request's body before [Kit.Webhook].
//
// # The parts
//
// Each part is a package of its own and works without this one. Wire the parts
// by hand if several middlewares share the gates, or if different processes
// serve pages and the webhook: [gate] decides who is asked, [middleware] puts
// the prompt into pages, [webhook] receives and reconciles completions, [store]
// keeps them, and [userjourneys] is the provider's API.
package askonce
