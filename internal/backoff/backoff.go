// Package backoff computes how long to wait before another attempt, and waits.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// A Backoff is an exponential backoff with full jitter, so that clients that failed
// together do not retry together. Both fields must be positive.
type Backoff struct {
	First time.Duration // ceiling of the first wait; it doubles with each failure
	Max   time.Duration // ceiling of every wait
}

// Wait returns a random duration from 0 up to the ceiling for the given number of
// earlier failures: Wait(0) is the wait before the first retry. Callers that need a
// minimum, such as a Retry-After, add it.
func (b Backoff) Wait(failures int) time.Duration {
	ceiling := b.First
	for range failures {
		if ceiling > b.Max/2 {
			ceiling = b.Max
			break
		}
		ceiling *= 2
	}
	return rand.N(min(ceiling, b.Max))
}

// Sleep waits for d, or until ctx ends. It returns nil after the full wait, and at
// once if d is zero or less. If ctx ends first, it returns [context.Cause] of ctx.
func Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
