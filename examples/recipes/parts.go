package recipes

import (
	"errors"
	"net/http"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

// Parts wires by hand what askonce.New wires. Do that when the studies need
// options of their own, as here, when several middlewares share the gates, or
// when another process serves the webhook.
func Parts(client *userjourneys.Client, secret string, s store.Store, user func(*http.Request) string) (*middleware.Middleware, *webhook.Handler, error) {
	checkout, err := gate.New(client, "Checkout", s, nil)
	onboarding, err2 := gate.New(client, "Onboarding", s, &gate.Options{Holdout: 0.9})
	if err := errors.Join(err, err2); err != nil {
		return nil, nil, err
	}
	studies := gate.First(checkout, onboarding) // by priority, one prompt at a time
	prompt, err := middleware.New(studies, user, nil)
	hook, err2 := webhook.New(secret, s, &webhook.Options{
		Client:     client,
		Studies:    []string{"Checkout", "Onboarding"}, // the same as the gates'
		OnRecorded: studies.Recorded,
	})
	return prompt, hook, errors.Join(err, err2)
}
