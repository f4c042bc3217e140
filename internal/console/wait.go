package console

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/store"
)

const (
	patience = 800 * time.Millisecond // of a page with the store and the provider
	actTime  = 30 * time.Second       // of an action with the store
	maxCalls = 64                     // in flight at once, those that were given up included
)

var (
	errLacks = errors.New("the store cannot do that")
	errBusy  = errors.New("too many calls have not returned")
)

// wait calls f, the app's store or the provider, and gives up on it after
// [patience], also if f ignores its context.
func wait[T any](ctx context.Context, c *console, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel() // not when f returns: its answer would race with the end of ctx
	return call(ctx, c, func() (T, error) { return f(ctx) })
}

// act calls f, which changes something. A page waits for it as long as for anything
// else, and then f goes on: neither a long change nor a browser that leaves makes it
// half done.
func act(ctx context.Context, c *console, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := call(ctx, c, func() (struct{}, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), actTime)
		defer cancel()
		return struct{}{}, f(ctx)
	})
	return err
}

// call calls f and stops waiting for it when ctx ends.
func call[T any](ctx context.Context, c *console, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	select {
	case c.calls <- struct{}{}:
	default:
		return *new(T), errBusy
	}
	got := make(chan result, 1)
	go func() {
		defer func() { <-c.calls }()
		v, err := guard.Get(f)
		got <- result{v, err}
	}()
	select {
	case r := <-got:
		return r.v, r.err
	case <-ctx.Done():
		return *new(T), fmt.Errorf("no answer: %w", ctx.Err())
	}
}

// take returns items of a sequence, at most limit behind the skipped ones, and
// whether there are more.
func take[T any](ctx context.Context, c *console, skip, limit int, seq func(context.Context) iter.Seq2[T, error]) (items []T, more bool, err error) {
	items, err = wait(ctx, c, func(ctx context.Context) (items []T, err error) {
		for item, err := range seq(ctx) {
			if err != nil {
				return nil, err
			}
			if skip > 0 {
				skip--
				continue
			}
			if items = append(items, item); len(items) > limit {
				break
			}
		}
		return items, nil
	})
	if more = len(items) > limit; more {
		items = items[:limit]
	}
	return items, more, err
}

// isLate reports whether what was called has not answered in time.
func isLate(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errBusy)
}

// has returns a capability of the store, or errLacks.
func has[C any](c *console) (C, error) {
	s, ok := store.As[C](c.Store)
	if !ok {
		return s, errLacks
	}
	return s, nil
}

// trouble says in a page why a part of it is missing, or "". The error itself is
// for the log alone.
func (c *console) trouble(ctx context.Context, what string, err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errLacks), errors.Is(err, errors.ErrUnsupported):
		return what + ": this store does not keep it."
	}
	c.Logger.WarnContext(ctx, "askonce: a part of the console is missing", "part", what, "err", err, guard.Stack(err))
	if isLate(err) {
		return what + ": no answer in time."
	}
	return what + ": not available. The log says why."
}
