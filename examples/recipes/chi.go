package recipes

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/askonce/askonce"
)

// Chi mounts askonce in a chi router. Any router whose middleware is a
// func(http.Handler) http.Handler works the same way. The kit's middleware runs inside
// the session and only around pages. The webhook is outside anything that reads bodies or
// checks CSRF tokens.
func Chi(kit *askonce.Kit, session func(http.Handler) http.Handler, home http.HandlerFunc) http.Handler {
	r := chi.NewRouter()
	r.Handle("/webhooks/userjourneys", kit.Webhook())
	r.Group(func(r chi.Router) {
		r.Use(session, kit.Handler)
		r.Get("/", home)
		// A group's middleware runs only where the group has a route.
		r.Handle("/askonce/*", http.NotFoundHandler())
	})
	return r
}
