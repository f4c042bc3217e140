package webhook

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/askonce/askonce/store"
)

// Health is the state of the webhook's work, for a readiness check or a metric.
type Health struct {
	// Pending counts the transcripts that were not fetched yet, or not passed to
	// OnCompleted. Dead counts those that were given up. Both stop at 1000.
	Pending int `json:"pending"`
	Dead    int `json:"dead"`

	// OldestPending is when the oldest pending job was queued, or the zero time.
	OldestPending time.Time `json:"oldest_pending,omitzero"`

	// LastReconcile is when every study's list had last been walked without an
	// error, by this process or by one that shares its store. It is the zero time if
	// this process does not know.
	LastReconcile time.Time `json:"last_reconcile,omitzero"`

	// KeyRefused is true while the provider refuses the API key. Then no
	// transcript is fetched and nothing is reconciled.
	KeyRefused bool `json:"key_refused"`

	// WrongSecret is true if this process has received deliveries and none of them
	// had a valid signature.
	WrongSecret bool `json:"wrong_secret,omitempty"`

	// UnreadableReferences is true while more than about a quarter of the new
	// completions have a reference that [Options.References] does not accept. They are
	// recorded without a user.
	UnreadableReferences bool `json:"unreadable_references,omitempty"`

	// NoWebhook is true if no webhook is registered with the provider, and
	// OtherWebhook if one is, but not at [Options.URL]. [Handler.Run] checks both
	// after every successful walk of the provider's list.
	NoWebhook    bool `json:"no_webhook,omitempty"`
	OtherWebhook bool `json:"other_webhook,omitempty"`

	// Closed is true after [Handler.Close].
	Closed bool `json:"closed"`
}

const healthCounts = 1000

// Health returns the state of the webhook's work. It fails if the store does, or
// if ctx ends first; the fields that need no store are set even then. Pending and
// Dead are 0 if the store keeps no transcripts.
func (h *Handler) Health(ctx context.Context) (Health, error) {
	out := Health{
		KeyRefused: h.keyRefused.Load(), WrongSecret: h.mismatched.Load() && !h.verified.Load(), Closed: h.closed.Load(),
		UnreadableReferences: h.legible.doubt.Load(), NoWebhook: h.hookMissing.Load(), OtherWebhook: h.hookElsewhere.Load(),
	}
	if at := h.reconciled.Load(); at != 0 {
		out.LastReconcile = time.Unix(0, at).UTC()
	}
	jobs, ok := store.As[store.Transcripts](h.store)
	if !ok {
		return out, nil
	}
	err := h.call("Store.PendingJobs", "", func() (err error) {
		if out.Pending, out.OldestPending, err = countJobs(jobs.PendingJobs(ctx)); err == nil {
			out.Dead, _, err = countJobs(jobs.DeadJobs(ctx))
		}
		return err
	})
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return out, fmt.Errorf("webhook: health: %w", err)
	}
	return out, nil
}

func countJobs(jobs iter.Seq2[store.Job, error]) (n int, oldest time.Time, err error) {
	for j, err := range jobs {
		if err != nil {
			return n, oldest, err
		}
		if n++; n == 1 || j.QueuedAt.Before(oldest) {
			oldest = j.QueuedAt
		}
		if n == healthCounts {
			break
		}
	}
	return n, oldest, nil
}
