package webhook

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// Registrar registers webhooks; *userjourneys.Client does.
type Registrar interface {
	PutWebhook(ctx context.Context, w userjourneys.Webhook) (userjourneys.Webhook, error)
	DeleteWebhook(ctx context.Context) error
}

// Errors of a rotation.
var (
	// ErrNotRotated means that the provider updated a webhook instead of
	// creating one, so that the secret stayed as it was: somebody else has
	// created one in between.
	ErrNotRotated = errors.New("webhook: the secret was not rotated")

	// ErrRotating means that another process that shares the store is at it.
	ErrRotating = errors.New("webhook: another rotation is under way")
)

const (
	rotateLease    = 10 * time.Minute
	deleteAttempts = 4
)

// Rotate gives the project's webhook a new signing secret, for a command that
// an operator runs: the provider has no call for that, so the webhook is deleted
// and created anew at url. Completions in between may never be delivered. So
// keep the old secret accepted for a while (Options.PreviousSecrets, or
// Options.Secrets), and let Handler.Reconcile run once the new one is in use: it
// finds what was missed, and what came before this process knew the new secret.
// Handler.Rotate does all that by itself.
//
// The new secret is handed to save before Rotate returns, and nowhere else. Once
// the webhook is deleted, its creation is tried until it succeeds or ctx ends;
// the error then says that no webhook exists. When save fails the new secret is
// lost, and Rotate is to be called again. Two operators must not rotate at once:
// the second may get ErrNotRotated, or the two save their secrets in the wrong
// order. Handler.Rotate is guarded against that.
func Rotate(ctx context.Context, r Registrar, url string, save func(ctx context.Context, secret string) error) error {
	return (&rotation{registrar: r, url: url, log: slog.Default()}).run(ctx, save)
}

// Rotate is the function Rotate under a lease in the store, so that of two at
// once one gets ErrRotating. This process accepts the new secret from its
// creation on, and the old ones for Options.Grace; with Options.Secrets, what is
// accepted stays the business of that source. Run then reconciles, from before
// the gap. Other processes learn of the new secret through Options.Secrets, or
// when they are started with it. The lease lasts as long as the rotation tries;
// one that could not extend it, and has been overtaken, ends with ErrRotating.
// When the process dies, the lease runs on: 10 minutes, and for as long as the
// provider asked to be left alone. The function Rotate does not wait for it.
func (h *Handler) Rotate(ctx context.Context, r Registrar, url string, save func(ctx context.Context, secret string) error) error {
	const name = "rotate"
	holder := rand.Text()
	_, held, err := h.checkpoints.Acquire(ctx, name, holder, time.Now(), rotateLease)
	switch {
	case err != nil:
		return fmt.Errorf("webhook: rotate: nothing was changed: %w", err)
	case held:
		return ErrRotating
	}
	defer func() {
		ctx, cancel := h.detached(ctx)
		defer cancel()
		if err := h.checkpoints.Save(ctx, name, holder, "", time.Now()); err != nil {
			h.log.DebugContext(ctx, "askonce: a lease runs on", "err", err)
		}
	}()
	defer h.alarm()
	extend := func(wait time.Duration) error {
		ctx, cancel := h.detached(ctx)
		defer cancel()
		err := h.checkpoints.Save(ctx, name, holder, "", time.Now().Add(wait+rotateLease))
		if errors.Is(err, store.ErrLeaseLost) {
			return ErrRotating
		}
		if err != nil {
			h.log.DebugContext(ctx, "askonce: a lease is not extended", "err", err)
		}
		return nil // it may be extended the next time; without a webhook nothing is delivered
	}
	return (&rotation{registrar: r, url: url, log: h.log, extend: extend}).run(ctx, func(ctx context.Context, secret string) error {
		if h.keys.source == nil && checkSecret(secret) == nil {
			h.keys.adopt(secret, time.Now().Add(h.opts.Grace))
		}
		return save(ctx, secret)
	})
}

// rotation is a rotation under way.
type rotation struct {
	registrar Registrar
	url       string
	log       *slog.Logger
	extend    func(wait time.Duration) error // keeps others out while it waits; nil: nobody is
}

func (r *rotation) run(ctx context.Context, save func(ctx context.Context, secret string) error) error {
	if err := checkTarget(r.url); err != nil {
		return fmt.Errorf("webhook: rotate: nothing was changed: %w", err)
	}
	hook, err := r.recreate(ctx)
	switch {
	case err != nil:
		return err
	case hook.SigningSecret == "":
		return fmt.Errorf("%w: the webhook exists, keep the secret that its creator has", ErrNotRotated)
	}
	if err := save(ctx, hook.SigningSecret); err != nil {
		return fmt.Errorf("webhook: rotate: the new secret was not saved and is lost, rotate again: %w", err)
	}
	return nil
}

// checkTarget refuses what the provider's client would refuse only when the old
// webhook is gone.
func checkTarget(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return errors.New("the URL is not an absolute URL")
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && loopback) {
		return errors.New("the URL must be https")
	}
	return nil
}

// recreate deletes the webhook and creates it anew. A creation whose answer was
// lost may have made a secret that nobody knows: the next attempt is then an
// update, and everything begins again.
func (r *rotation) recreate(ctx context.Context) (hook userjourneys.Webhook, err error) {
	for range 3 {
		_, err = r.definite(ctx, deleteAttempts, nil, func() error { return r.registrar.DeleteWebhook(ctx) })
		switch {
		case err == nil, errors.Is(err, userjourneys.ErrNotFound):
		case errors.Is(err, ErrRotating):
			return hook, err
		case isDefinite(err):
			return hook, fmt.Errorf("webhook: rotate: nothing was changed: %w", err)
		default:
			return hook, fmt.Errorf("webhook: rotate: the webhook may be deleted or not, rotate again: %w", err)
		}
		lost, err := r.definite(ctx, 0, func(err error) {
			r.log.ErrorContext(ctx, "askonce: no webhook exists, nothing is delivered until it can be created", "err", err)
		}, func() (err error) {
			hook, err = r.registrar.PutWebhook(ctx, userjourneys.Webhook{URL: r.url})
			return err
		})
		switch {
		case errors.Is(err, ErrRotating):
			return hook, err
		case err != nil:
			return hook, fmt.Errorf("webhook: rotate: no webhook exists now, nothing is delivered: %w", err)
		}
		if hook.SigningSecret != "" || !lost {
			return hook, nil
		}
	}
	return hook, nil
}

// definite calls do until it has a definite answer, attempts times or, with 0,
// until ctx ends or somebody else is at it. It reports whether an answer was
// lost on the way, and tells of the first failure.
func (r *rotation) definite(ctx context.Context, attempts int, failed func(error), do func() error) (lost bool, err error) {
	wait := 500 * time.Millisecond
	for n := 1; ; n++ {
		if err = do(); isDefinite(err) {
			return lost, err
		}
		lost = lost || !errors.Is(err, userjourneys.ErrRateLimited) // that one was not carried out
		if n == attempts {
			return lost, err
		}
		if n == 1 && failed != nil {
			failed(err)
		}
		next := max(wait/2+mathrand.N(wait), retryAfterOf(err))
		if r.extend != nil {
			if overtaken := r.extend(next); overtaken != nil {
				return lost, fmt.Errorf("%w (after %w)", overtaken, err)
			}
		}
		if !pause(ctx, next) {
			return lost, fmt.Errorf("%w (after %w)", context.Cause(ctx), err)
		}
		wait = min(2*wait, 30*time.Second)
	}
}

// isDefinite reports whether the provider has done, or refused, what it was
// asked.
func isDefinite(err error) bool {
	var answer *userjourneys.Error
	return err == nil || errors.As(err, &answer) && answer.StatusCode < 500 && answer.StatusCode != http.StatusTooManyRequests
}
