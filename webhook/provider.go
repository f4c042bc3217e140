package webhook

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/askonce/askonce/internal/backoff"
	"github.com/askonce/askonce/userjourneys"
)

const (
	maxRetry     = time.Hour
	pauseFor     = 5 * time.Minute // after the provider has refused the API key
	confirmedFor = time.Hour       // a refused key needs no other confirmation
)

var retries = backoff.Backoff{First: 5 * time.Second, Max: maxRetry}

// refuses reports whether the provider has refused access.
func refuses(err error) bool {
	var answer *userjourneys.Error
	return errors.Is(err, userjourneys.ErrUnauthorized) || errors.As(err, &answer) && answer.StatusCode == http.StatusForbidden
}

// confirmRefusal reports whether the provider refuses the API key, and not just
// one interview or study. It makes another request to find out, unless a refused
// key was confirmed lately.
func (h *Handler) confirmRefusal(ctx context.Context, studyID string) bool {
	h.confirming.Lock()
	defer h.confirming.Unlock()
	if h.keyRefused.Load() && time.Since(h.confirmed) < confirmedFor {
		return true
	}
	err := h.call("Client.Studies", "", func() error { return h.requestOther(ctx, studyID) })
	var answer *userjourneys.Error
	if err == nil || errors.As(err, &answer) {
		h.noteKey(ctx, refuses(err))
		h.confirmed = time.Now()
	}
	return refuses(err)
}

// requestOther requests the first page of a list.
func (h *Handler) requestOther(ctx context.Context, studyID string) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	if lister, ok := h.opts.Client.(StudyLister); ok {
		for _, err := range lister.Studies(ctx) {
			return err
		}
		return nil
	}
	for _, err := range h.opts.Client.Interviews(ctx, userjourneys.InterviewFilter{StudyID: studyID, PageSize: 1}) {
		return err
	}
	return nil
}

// noteKey notes whether the provider accepts the API key, and logs a change.
func (h *Handler) noteKey(ctx context.Context, refused bool) {
	switch {
	case !h.keyRefused.changed(refused):
	case refused:
		h.log.ErrorContext(ctx, "askonce: the provider refuses the API key, no transcripts and no reconciliation until it accepts it")
	default:
		h.log.InfoContext(ctx, "askonce: the provider accepts the API key again")
	}
}

// retryAfterOf returns the provider's Retry-After, at most maxRetry.
func retryAfterOf(err error) time.Duration {
	var answer *userjourneys.Error
	if !errors.As(err, &answer) {
		return 0
	}
	return min(answer.RetryAfter, maxRetry)
}

// checkHook warns, once for each change, if the provider has no webhook or
// delivers to another URL. It never writes: a project has one webhook, and
// another deployment may own it.
func (h *Handler) checkHook(ctx context.Context) {
	reader, ok := h.opts.Client.(WebhookReader)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	var hook userjourneys.Webhook
	err := h.call("Client.Webhook", "", func() (err error) {
		hook, err = reader.Webhook(ctx)
		return err
	})
	missing := errors.Is(err, userjourneys.ErrNotFound)
	if err != nil && !missing {
		return // reconciliation fails too and says so
	}
	switch {
	case !h.hookMissing.changed(missing):
	case missing:
		h.log.WarnContext(ctx, "askonce: no webhook is registered with the provider, so nothing is delivered")
	default:
		h.log.InfoContext(ctx, "askonce: a webhook is registered again")
	}
	elsewhere := !missing && h.opts.URL != "" && hook.URL != h.opts.URL
	switch {
	case !h.hookElsewhere.changed(elsewhere):
	case elsewhere:
		h.log.WarnContext(ctx, "askonce: the provider delivers to another URL, completions come late", "registered", withoutQuery(hook.URL), "ours", withoutQuery(h.opts.URL))
	case !missing:
		h.log.InfoContext(ctx, "askonce: the provider delivers here again")
	}
}

// withoutQuery returns the URL without the parts that may hold a token.
func withoutQuery(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "not a URL"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return cmp.Or(u.String(), "none")
}
