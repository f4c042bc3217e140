package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/askonce/askonce/internal/backoff"
	"github.com/askonce/askonce/internal/loopback"
	"github.com/askonce/askonce/userjourneys"
)

// ErrNotRotated means that the secret is unchanged: somebody else created a webhook
// after [Rotate] had deleted the old one, so the provider updated that webhook
// instead of creating one.
var ErrNotRotated = errors.New("webhook: the secret was not rotated")

const (
	deleteAttempts = 4
	rotateAttempts = 3
)

var rotateRetries = backoff.Backoff{First: time.Second, Max: 45 * time.Second}

// Rotate gives the project's webhook a new signing secret. It is for a command
// that one operator runs: two at once may save each other's secrets. The
// provider cannot change a secret, so Rotate deletes the webhook and creates it
// again at hookURL. Completions in between may never be delivered.
//
// Rotate passes the new secret to save before it returns, and to nobody else. If
// save fails, the secret is lost and Rotate must be called again. Once the
// webhook is deleted, Rotate tries to create it until it succeeds or ctx ends.
// Every error says what exists now and what to do.
//
// Keep accepting the old secret for a day ([Options.PreviousSecrets]), because
// deliveries signed with it may be in flight. Reconciliation finds completions that
// were not delivered: it runs when the app starts with the new secret.
func Rotate(ctx context.Context, client *userjourneys.Client, hookURL string, save func(ctx context.Context, secret string) error) error {
	switch {
	case client == nil:
		panic("webhook: Rotate: client is nil")
	case save == nil:
		panic("webhook: Rotate: save is nil")
	}
	// The provider would refuse the URL only after the old webhook is gone.
	if u, err := url.Parse(hookURL); err != nil || u.Host == "" || !loopback.Secure(u) {
		return errors.New("webhook: rotate: nothing was changed: the URL must be an absolute https URL")
	}
	hook, err := recreate(ctx, client, hookURL)
	switch {
	case err != nil:
		return err
	case hook.SigningSecret.Reveal() == "":
		return fmt.Errorf("%w: the webhook exists, its creator has the secret", ErrNotRotated)
	}
	if err := save(ctx, hook.SigningSecret.Reveal()); err != nil {
		return fmt.Errorf("webhook: rotate: the new secret was not saved and is lost, rotate again: %w", err)
	}
	return nil
}

// recreate deletes the webhook and creates it again. If the response to a creation
// is lost, the new secret may be lost with it. The next attempt is then an update,
// which returns no secret, and recreate starts over.
func recreate(ctx context.Context, client *userjourneys.Client, hookURL string) (hook userjourneys.Webhook, err error) {
	for range rotateAttempts {
		_, err := definite(ctx, deleteAttempts, func(error) {}, func() error { return client.DeleteWebhook(ctx) })
		switch {
		case err == nil, errors.Is(err, userjourneys.ErrNotFound):
		case isDefinite(err):
			return hook, fmt.Errorf("webhook: rotate: nothing was changed: %w", err)
		default:
			return hook, fmt.Errorf("webhook: rotate: the webhook may be deleted or not, rotate again: %w", err)
		}
		lost, err := definite(ctx, 0, func(err error) {
			slog.ErrorContext(ctx, "askonce: webhook deleted and not created yet, trying again", "err", err)
		}, func() (err error) {
			hook, err = client.PutWebhook(ctx, userjourneys.Webhook{URL: hookURL})
			return err
		})
		switch {
		case err != nil && lost:
			return hook, fmt.Errorf("webhook: rotate: a webhook may exist now, with a secret that nobody knows, rotate again: %w", err)
		case err != nil:
			return hook, fmt.Errorf("webhook: rotate: no webhook exists now and nothing is delivered, rotate again: %w", err)
		case hook.SigningSecret.Reveal() != "" || !lost:
			return hook, nil
		}
	}
	return hook, nil
}

// definite calls do until the provider has definitely carried out or refused the
// request, at most attempts times or, with 0, until ctx ends. It reports whether a
// response was lost on the way, and calls failed for the first failure.
func definite(ctx context.Context, attempts int, failed func(error), do func() error) (lost bool, err error) {
	for n := 1; ; n++ {
		if err = do(); isDefinite(err) {
			return lost, err
		}
		lost = lost || !errors.Is(err, userjourneys.ErrRateLimited) // a rate-limited request is not carried out
		if n == attempts {
			return lost, err
		}
		if n == 1 {
			failed(err)
		}
		if ended := backoff.Sleep(ctx, max(rotateRetries.Wait(n-1), retryAfterOf(err))); ended != nil {
			return lost, fmt.Errorf("%w (after %w)", ended, err)
		}
	}
}

// isDefinite reports whether the provider has certainly carried out or refused the
// request.
func isDefinite(err error) bool {
	var answer *userjourneys.Error
	return err == nil || errors.As(err, &answer) && answer.StatusCode < 500 && answer.StatusCode != http.StatusTooManyRequests
}
