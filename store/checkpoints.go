package store

import (
	"context"
	"time"
)

// Checkpoints keeps small named pieces of progress, each under a lease, so that
// replicas share one piece of work instead of each doing it. Names and holders
// are ids; a state is valid UTF-8 of up to 4 KB. Leases are measured by the
// store's own clock, as in [Transcripts].
type Checkpoints interface {
	// Acquire takes the named checkpoint for the length of lease and returns the
	// state that was saved last, "" if none was. While another holder's lease runs
	// it takes nothing, and acquired is false. A holder may acquire its own again.
	Acquire(ctx context.Context, name, holder string, lease time.Duration) (state string, acquired bool, err error)

	// Save keeps state and extends the lease. It returns [ErrLeaseLost] if holder
	// is not the one that acquired the checkpoint last.
	Save(ctx context.Context, name, holder, state string, lease time.Duration) error

	// Release keeps state and ends the lease at once, or returns [ErrLeaseLost] as
	// Save does.
	Release(ctx context.Context, name, holder, state string) error
}
