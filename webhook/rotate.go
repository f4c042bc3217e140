package webhook

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/askonce/askonce/userjourneys"
)

// Registrar registers webhooks; *userjourneys.Client does.
type Registrar interface {
	PutWebhook(ctx context.Context, w userjourneys.Webhook) (userjourneys.Webhook, error)
	DeleteWebhook(ctx context.Context) error
}

// ErrNotRotated means that the provider updated a webhook instead of creating
// one, so that the secret stayed as it was: somebody else has created one in
// between.
var ErrNotRotated = errors.New("webhook: the secret was not rotated")

// Rotate gives the project's webhook a new signing secret: the provider has no
// call for that, so the webhook is deleted and created anew at url. Completions
// in between may never be delivered. So keep the old secret accepted for a
// while (Options.PreviousSecrets, or Options.Secrets), and call
// Handler.Reconcile once the new one is in use: it finds what was missed, and
// what came before this process knew the new secret.
//
// The new secret is handed to save before Rotate returns, and nowhere else.
// Once the webhook is deleted, its creation is tried until it succeeds or ctx
// ends; the error then says that no webhook exists. When save fails the new
// secret is lost, and Rotate is to be called again. Of two operators who rotate
// at once, at least one gets ErrNotRotated or is followed by the other whole.
func Rotate(ctx context.Context, r Registrar, url string, save func(ctx context.Context, secret string) error) error {
	if err := r.DeleteWebhook(ctx); err != nil && !errors.Is(err, userjourneys.ErrNotFound) {
		return fmt.Errorf("webhook: rotate: nothing was changed: %w", err)
	}
	hook, err := create(ctx, r, url)
	switch {
	case err != nil:
		return fmt.Errorf("webhook: rotate: no webhook exists now, nothing is delivered: %w", err)
	case hook.SigningSecret == "":
		return fmt.Errorf("%w: the webhook exists, keep the secret that its creator has", ErrNotRotated)
	}
	if err := save(ctx, hook.SigningSecret); err != nil {
		return fmt.Errorf("webhook: rotate: the new secret was not saved and is lost, rotate again: %w", err)
	}
	return nil
}

// create tries again after whatever may pass. A creation whose answer was lost
// makes the next one an update, which the caller sees by the missing secret.
func create(ctx context.Context, r Registrar, url string) (userjourneys.Webhook, error) {
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 30*time.Second) {
		hook, err := r.PutWebhook(ctx, userjourneys.Webhook{URL: url})
		var answer *userjourneys.Error
		if err == nil || errors.As(err, &answer) && answer.StatusCode < 500 && answer.StatusCode != http.StatusTooManyRequests {
			return hook, err
		}
		if !pause(ctx, rand.N(wait)+wait/2) {
			return hook, fmt.Errorf("%w (after %w)", context.Cause(ctx), err)
		}
	}
}
