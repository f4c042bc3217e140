package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Health is how the webhook's work stands, for a readiness check or a metric.
type Health struct {
	// Pending is the number of transcripts that are still to be fetched, Dead
	// of those that were given up. Neither is counted beyond 1000.
	Pending int `json:"pending"`
	Dead    int `json:"dead"`

	// OldestPending is since when the oldest of those that are pending waits;
	// the zero time when none does.
	OldestPending time.Time `json:"oldest_pending,omitzero"`

	// LastReconcile is when the provider's list was last walked without an
	// error, by this process or by another that shares the store; the zero time
	// when this process knows of none.
	LastReconcile time.Time `json:"last_reconcile,omitzero"`

	// KeyRefused is true while the provider does not accept the API key: then
	// no transcript is fetched and nothing is reconciled.
	KeyRefused bool `json:"key_refused"`

	// Closed is true after Close.
	Closed bool `json:"closed"`
}

const healthCounts = 1000

// Health reads how the work stands. It fails when the store does, or when ctx
// ends first; what needs no store is filled in even then. A store that keeps no
// transcripts has none pending.
func (h *Handler) Health(ctx context.Context) (Health, error) {
	out := Health{KeyRefused: h.key.isRefused(), Closed: h.closed.Load()}
	if at := h.reconciled.Load(); at != 0 {
		out.LastReconcile = time.Unix(0, at).UTC()
	}
	jobs, ok := h.store.transcripts()
	if !ok {
		return out, nil
	}
	for j, err := range jobs.PendingJobs(ctx) {
		if err != nil {
			return out, healthError(err)
		}
		if out.Pending++; out.OldestPending.IsZero() || j.QueuedAt.Before(out.OldestPending) {
			out.OldestPending = j.QueuedAt
		}
		if out.Pending == healthCounts {
			break
		}
	}
	for _, err := range jobs.DeadJobs(ctx) {
		if err != nil {
			return out, healthError(err)
		}
		if out.Dead++; out.Dead == healthCounts {
			break
		}
	}
	return out, nil
}

func healthError(err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return fmt.Errorf("webhook: health: %w", err)
}
