package site

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/askonce/askonce/webhook"
)

// Healthz answers 200 until the app is stopped, with the webhook's health in the
// body. Pages need neither the provider nor the store. When those are down, an
// alarm should fire, see [Metrics], but traffic should not go elsewhere.
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
		_ = json.NewEncoder(w).Encode(struct { // it fails only if the client is gone
			Store bool `json:"store"` // whether it answered
			webhook.Health
		}{err == nil, health})
	})
}
