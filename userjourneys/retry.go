package userjourneys

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	firstBackoff  = 200 * time.Millisecond
	maxBackoff    = 5 * time.Second
	maxRetryAfter = 30 * time.Second // a longer Retry-After is clamped to this
)

// retryable reports whether the same GET may succeed a little later.
func retryable(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		switch e.StatusCode {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	var te *transportError
	return errors.As(err, &te) && !errors.Is(err, errRedirect)
}

// backoff is exponential with full jitter, and never sooner than the
// provider's Retry-After, clamped to maxRetryAfter.
func backoff(attempt int, err error) time.Duration {
	ceiling := min(maxBackoff, firstBackoff<<min(attempt, 10))
	wait := rand.N(ceiling)
	var e *Error
	if errors.As(err, &e) {
		wait += min(e.RetryAfter, maxRetryAfter)
	}
	return wait
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
