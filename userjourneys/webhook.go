package userjourneys

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/askonce/askonce/internal/loopback"
)

// EventInterviewCompleted is the only event that the provider documents.
const EventInterviewCompleted = "interview.completed"

// Webhook is the project's one webhook.
type Webhook struct {
	URL    string
	Events []string // defaults to EventInterviewCompleted in PutWebhook

	// SigningSecret is set only in the result of the [Client.PutWebhook] that
	// created the webhook. The provider never shows it again.
	SigningSecret Secret
}

// UnmarshalJSON decodes the provider's webhook object. It tolerates every field, because
// the provider never shows the secret again.
func (w *Webhook) UnmarshalJSON(b []byte) error {
	o, err := decodeObject(b, "url", "webhook")
	*w = Webhook{
		URL:           o.str("url"),
		Events:        field[[]string](o, "events"),
		SigningSecret: newSecret(o.str("signing_secret", "secret")),
	}
	return err
}

// Webhook returns the project's webhook, without its secret. The error matches
// [ErrNotFound] if none is configured.
func (c *Client) Webhook(ctx context.Context) (Webhook, error) {
	var w Webhook
	err := c.get(ctx, "/webhooks", nil, &w)
	if err == nil && w.URL == "" {
		err = fmt.Errorf("%w: GET /webhooks: a webhook without a url", ErrUnexpectedResponse)
	}
	return w, err
}

// PutWebhook creates the project's one webhook, or updates it and so takes it
// away from its previous URL. w.SigningSecret is ignored. The result has a
// SigningSecret only if the webhook was created.
//
// The request is sent once. Unless the error is an [*Error] with a 4xx status, the
// provider may have carried it out nevertheless: call [Client.Webhook] to find out.
func (c *Client) PutWebhook(ctx context.Context, w Webhook) (Webhook, error) {
	u, err := url.Parse(w.URL)
	if err != nil || u.Host == "" || !loopback.Secure(u) {
		return Webhook{}, errors.New("userjourneys: the webhook's URL must be an absolute https URL")
	}
	events := w.Events
	if len(events) == 0 {
		events = []string{EventInterviewCompleted}
	}
	var out Webhook
	err = c.do(ctx, http.MethodPut, "/webhooks", nil, map[string]any{"url": w.URL, "events": events}, &out)
	return out, err
}

// DeleteWebhook removes the project's webhook. The error matches [ErrNotFound]
// if there is none. Completions between this call and the next [Client.PutWebhook] may
// never be delivered. The request is sent once.
func (c *Client) DeleteWebhook(ctx context.Context) error {
	return c.do(ctx, http.MethodDelete, "/webhooks", nil, nil, nil)
}
