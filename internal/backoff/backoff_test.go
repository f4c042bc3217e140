package backoff_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/internal/backoff"
)

func TestCeilingDoublesUpToTheMaximum(t *testing.T) {
	t.Parallel()
	b := backoff.Backoff{First: 200 * time.Millisecond, Max: 5 * time.Second}
	for failures, ceiling := range map[int]time.Duration{
		-1: 200 * time.Millisecond, 0: 200 * time.Millisecond, 1: 400 * time.Millisecond, 4: 3200 * time.Millisecond,
		5: 5 * time.Second, 6: 5 * time.Second, 64: 5 * time.Second, math.MaxInt: 5 * time.Second,
	} {
		t.Run(fmt.Sprint(failures, " failures"), func(t *testing.T) {
			t.Parallel()
			var longest time.Duration
			for range 500 {
				wait := b.Wait(failures)
				require.GreaterOrEqual(t, wait, time.Duration(0))
				require.Less(t, wait, ceiling)
				longest = max(longest, wait)
			}
			// All 500 in the lower nine tenths: once in 10^22 runs.
			require.Greater(t, longest, ceiling*9/10)
		})
	}
}

func TestFirstAboveTheMaximumIsTheMaximum(t *testing.T) {
	t.Parallel()
	require.Less(t, backoff.Backoff{First: time.Hour, Max: time.Second}.Wait(0), time.Second)
}

func TestSleep(t *testing.T) {
	t.Parallel()
	stop := errors.New("shutting down")
	for name, tt := range map[string]struct {
		d, end time.Duration // end: when the context is cancelled, if above 0
		before bool          // the context is cancelled before the call
		slept  time.Duration
		err    error
	}{
		"waits":                     {d: time.Minute, slept: time.Minute},
		"returns at once for 0":     {},
		"returns at once below 0":   {d: -1},
		"ends with the context":     {d: time.Minute, end: time.Second, slept: time.Second, err: stop},
		"reports an ended context":  {d: time.Minute, before: true, err: stop},
		"reports it for 0 likewise": {before: true, err: stop},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if tt.before {
					cancel(stop)
				}
				if tt.end > 0 {
					time.AfterFunc(tt.end, func() { cancel(stop) })
				}
				start := time.Now()
				require.Equal(t, tt.err, backoff.Sleep(ctx, tt.d))
				require.Equal(t, tt.slept, time.Since(start))
			})
		})
	}
}
