package site

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/askonce/askonce/webhook"
)

// Healthz answers 200 while this instance can do its work, which is to keep
// what is delivered: 503 when the store does not answer, for then webhooks are
// turned away. A provider that is down or refuses the API key is no reason to
// take pages away from users; it is in the body, and in the metrics.
func Healthz(hook *webhook.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
		defer cancel()
		health, err := hook.Health(ctx)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if err != nil || health.Closed {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(health) // the client is gone
	})
}
