package recipes

import (
	"context"
	"errors"
	"net/http"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

// Parts wires by hand what askonce.New wires, for several middlewares that share the
// gates, or for a webhook in a separate process. Such a webhook needs no OnRecorded,
// because the gates find completions in the store. Set CookieKeys in opts. Call
// [gate.Group.Warm] and [webhook.Handler.Run], as Kit.Run does.
func Parts(client *userjourneys.Client, secret string, s store.Store, user func(*http.Request) string, opts middleware.Options) (*gate.Group, *middleware.Middleware, *webhook.Handler, error) {
	checkout, err := gate.New(client, "Checkout", s, nil)
	onboarding, err2 := gate.New(client, "Onboarding", s, nil)
	if err := errors.Join(err, err2); err != nil {
		return nil, nil, nil, err
	}
	studies := gate.First(checkout, onboarding)            // by priority, one prompt at a time
	opts.Interactions, _ = store.As[store.Interactions](s) // without it, only the browser's cookie remembers answers
	prompt, err := middleware.New(studies, user, &opts)
	if err != nil {
		return nil, nil, nil, err
	}
	hook, err := webhook.New(secret, s, &webhook.Options{
		Client:  client,
		Studies: []string{"Checkout", "Onboarding"}, // the same as the gates'
		OnRecorded: func(ctx context.Context, c store.Completion) {
			studies.Recorded(ctx, c) // one place fewer is left
			prompt.Recorded(ctx, c)  // for OnInteraction
		},
	})
	return studies, prompt, hook, err
}
