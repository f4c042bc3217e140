package userjourneys

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// webhookOf reads an answer tolerantly: no oddity in it may cost the secret,
// which is never shown again.
func webhookOf(o object) Webhook {
	return Webhook{URL: o.str("url"), Events: field[[]string](o, "events"), SigningSecret: o.str("signing_secret")}
}

// Webhook returns the project's webhook, without its secret. It matches
// ErrNotFound when none is configured.
func (c *Client) Webhook(ctx context.Context) (Webhook, error) {
	var o object
	err := c.get(ctx, "/webhooks", nil, &o)
	if err == nil && o.str("url") == "" {
		err = fmt.Errorf("userjourneys: GET /webhooks: %w: a webhook without a url", ErrBadAnswer)
	}
	return webhookOf(o), err
}

// PutWebhook creates the project's one webhook, or updates it and so takes it
// away from whoever had it before. Only the answer to a creation carries the
// SigningSecret. It is sent once: after an error that is no *Error, the
// provider may have acted all the same, and Webhook tells.
func (c *Client) PutWebhook(ctx context.Context, w Webhook) (Webhook, error) {
	u, err := url.Parse(w.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return Webhook{}, errors.New("userjourneys: the webhook's URL must be an absolute https URL")
	}
	events := w.Events
	if len(events) == 0 {
		events = []string{EventInterviewCompleted}
	}
	in := map[string]any{"url": w.URL, "events": events}
	var out object
	err = c.do(ctx, http.MethodPut, "/webhooks", nil, in, &out)
	return webhookOf(out), err
}

// DeleteWebhook removes the project's webhook; the error matches ErrNotFound
// when there is none. Completions between this and the next PutWebhook may
// never be delivered. It is sent once: after an error that is no *Error, the
// provider may have acted all the same, and Webhook tells.
func (c *Client) DeleteWebhook(ctx context.Context) error {
	return c.do(ctx, http.MethodDelete, "/webhooks", nil, nil, nil)
}
