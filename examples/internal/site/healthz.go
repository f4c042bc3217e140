package site

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/askonce/askonce/webhook"
)

// Healthz answers 200 until the app is stopped, with how things stand in the
// body. Neither the provider nor the store is needed to serve pages, so their
// trouble is for alarms, see Metrics, and no reason to take the app away from
// its users.
func Healthz(hook *webhook.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
		defer cancel()
		health, err := hook.Health(ctx)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if health.Closed {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(struct { // an error: the client is gone
			Store bool `json:"store"` // whether it answers
			webhook.Health
		}{err == nil, health})
	})
}
