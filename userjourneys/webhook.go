package userjourneys

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// wireWebhook is a Webhook as it travels.
type wireWebhook struct {
	URL           string   `json:"url"`
	Events        []string `json:"events"`
	SigningSecret string   `json:"signing_secret,omitempty"`
}

// Webhook returns the project's webhook, without its secret. It matches
// ErrNotFound when none is configured.
func (c *Client) Webhook(ctx context.Context) (Webhook, error) {
	var w wireWebhook
	err := c.get(ctx, "/webhooks", nil, &w)
	return Webhook(w), err
}

// PutWebhook creates the project's one webhook, or updates it and so takes it
// away from whoever had it before. Only the answer to a creation carries the
// SigningSecret. It is never repeated by itself.
func (c *Client) PutWebhook(ctx context.Context, w Webhook) (Webhook, error) {
	u, err := url.Parse(w.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return Webhook{}, errors.New("userjourneys: the webhook's URL must be an absolute https URL")
	}
	in := wireWebhook{URL: w.URL, Events: w.Events}
	if len(in.Events) == 0 {
		in.Events = []string{EventInterviewCompleted}
	}
	var out wireWebhook
	err = c.do(ctx, http.MethodPut, "/webhooks", nil, in, &out)
	return Webhook(out), err
}

// DeleteWebhook removes the project's webhook. Completions between this and
// the next PutWebhook may never be delivered. It is never repeated by itself.
func (c *Client) DeleteWebhook(ctx context.Context) error {
	return c.do(ctx, http.MethodDelete, "/webhooks", nil, nil, nil)
}
