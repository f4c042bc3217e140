package store

import (
	"context"
	"time"
)

// Checkpoints keeps small named states, each under a lease, so that replicas divide work
// instead of all doing it. Names and holders are ids (see [CheckID]); a state is valid
// UTF-8 of up to 4 KB. The store measures leases by its own clock, as in [Transcripts].
type Checkpoints interface {
	// Acquire takes the named checkpoint for the duration of lease and returns the state
	// that was last saved, or "". It returns acquired = false while another holder's
	// lease runs. A holder may acquire its own checkpoint again.
	Acquire(ctx context.Context, name, holder string, lease time.Duration) (state string, acquired bool, err error)

	// Save keeps state and extends the lease. It returns [ErrLeaseLost] if holder is not
	// the last one that acquired the checkpoint.
	Save(ctx context.Context, name, holder, state string, lease time.Duration) error

	// Release keeps state and ends the lease at once. It returns [ErrLeaseLost] as Save
	// does.
	Release(ctx context.Context, name, holder, state string) error
}
