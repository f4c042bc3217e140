package webhook

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/askonce/askonce/internal/backoff"
	"github.com/askonce/askonce/userjourneys"
)

const (
	maxRetry     = time.Hour
	pauseFor     = 5 * time.Minute // after the provider has refused the API key
	confirmedFor = time.Hour       // a refused key needs no other confirmation
)

var retries = backoff.Backoff{First: 5 * time.Second, Max: maxRetry}

// A keyState records whether the provider accepts the API key.
type keyState struct {
	mu      sync.Mutex
	refused bool
	checked time.Time // when that was last seen

	confirming singleflight.Group
}

func (k *keyState) isRefused() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.refused
}

// refusedKey is a refusal that another request has confirmed to concern the key,
// and not just what was asked for.
type refusedKey struct{ error }

func (r refusedKey) Unwrap() error { return r.error }

// refuses reports whether the provider has refused access.
func refuses(err error) bool {
	var answer *userjourneys.Error
	return errors.Is(err, userjourneys.ErrUnauthorized) || errors.As(err, &answer) && answer.StatusCode == http.StatusForbidden
}

// confirmRefusal reports whether the provider refuses the API key, and not just
// one interview or study. It requests something else, once for all jobs that were
// refused at the same time.
func (h *Handler) confirmRefusal(ctx context.Context, studyID string) bool {
	confirmed, _, _ := h.key.confirming.Do("", func() (any, error) { return h.refusesOther(ctx, studyID), nil })
	return confirmed.(bool)
}

func (h *Handler) refusesOther(ctx context.Context, studyID string) bool {
	h.key.mu.Lock()
	known := h.key.refused && time.Since(h.key.checked) < confirmedFor
	h.key.mu.Unlock()
	if known {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	err := error(nil)
	if studies, ok := h.client.studies(ctx); ok {
		for _, err = range studies {
			break
		}
	} else {
		for _, err = range h.client.Interviews(ctx, userjourneys.InterviewFilter{StudyID: studyID, PageSize: 1}) {
			break
		}
	}
	var answer *userjourneys.Error
	if err == nil || errors.As(err, &answer) {
		h.noteKey(ctx, refuses(err))
	}
	return refuses(err)
}

// noteKey notes whether the provider accepts the API key, and logs a change.
func (h *Handler) noteKey(ctx context.Context, refused bool) {
	h.key.mu.Lock()
	changed := h.key.refused != refused
	h.key.refused, h.key.checked = refused, time.Now()
	h.key.mu.Unlock()
	switch {
	case !changed:
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

// A hookState records whether the provider delivers to this app.
type hookState struct {
	missing edge
	drifted edge
}

// checkHook warns, once for each change, if the provider has no webhook or
// delivers to another URL. It never writes: a project has one webhook, and
// another deployment may own it.
func (r *reconciler) checkHook(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	hook, known, err := r.client.webhook(ctx)
	missing := errors.Is(err, userjourneys.ErrNotFound)
	if !known || err != nil && !missing {
		return // reconciliation fails too and says so
	}
	switch {
	case !r.hook.missing.changed(missing):
	case missing:
		r.log.WarnContext(ctx, "askonce: no webhook is registered with the provider, so nothing is delivered")
	default:
		r.log.InfoContext(ctx, "askonce: a webhook is registered again")
	}
	drifted := !missing && r.opts.URL != "" && hook.URL != r.opts.URL
	switch {
	case !r.hook.drifted.changed(drifted):
	case drifted:
		r.log.WarnContext(ctx, "askonce: the provider delivers to another URL, completions come late", "registered", withoutQuery(hook.URL), "ours", withoutQuery(r.opts.URL))
	case !missing:
		r.log.InfoContext(ctx, "askonce: the provider delivers here again")
	}
}

// withoutQuery returns the URL without what may hide a token.
func withoutQuery(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "not a URL"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return cmp.Or(u.String(), "none")
}
