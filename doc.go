// Package askonce invites an app's signed-in users to a short voice interview,
// and stops asking once they have done it. The interviews are run by
// userjourneys.ai.
//
// [New] connects the parts: who is asked, the prompt in the pages, the webhook
// that reports a finished interview, and the background work.
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
// [Kit.Handler] belongs inside the session middleware, because it calls
// Config.User; inside compression, because a compressed page gets no prompt;
// and outside any cache of pages, because a prompt is meant for one user.
// Checks for CSRF tokens belong inside it or must leave "/askonce/" alone: the
// prompt's forms carry no token, and the endpoints check the origin themselves.
// [Kit.Webhook] must see the request's body unread.
//
// # The parts
//
// Each part is a package of its own and works without this one. Wire them by
// hand when the studies need different options, when several middlewares share
// one gate, or when pages and webhook are served by different processes:
// [gate] decides who is asked, [middleware] puts the prompt into pages,
// [webhook] receives and reconciles completions, [store] keeps them, and
// [userjourneys] is the provider's API.
package askonce
