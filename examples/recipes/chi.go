package recipes

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/webhook"
)

// Chi mounts askonce in a chi router, as in any router that takes
// func(http.Handler) http.Handler: behind the session, and only around pages.
// The webhook stands outside of all that reads bodies or asks for tokens.
func Chi(ask *gate.Gate, user func(*http.Request) string, hook *webhook.Handler, session func(http.Handler) http.Handler, home http.HandlerFunc) (http.Handler, error) {
	prompt, err := middleware.New(ask, user, nil)
	if err != nil {
		return nil, err
	}
	r := chi.NewRouter()
	r.Handle("/webhooks/userjourneys", hook)
	r.Group(func(r chi.Router) {
		r.Use(session, prompt.Handler)
		r.Get("/", home)
		// The middleware of a group does not see what has no route in it.
		r.Handle("/askonce/*", http.NotFoundHandler())
	})
	return r, nil
}
