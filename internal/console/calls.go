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
	patience = 800 * time.Millisecond // how long a page waits for the store and the provider
	actTime  = 30 * time.Second       // how long an action may take
	maxCalls = 64                     // in flight at once, abandoned ones included
)

var (
	errLacks = errors.New("the store lacks this capability")
	errBusy  = errors.New("too many calls have not returned")
)

// read calls f with the store's capability C. It returns [errLacks] if the store has
// no such capability, and stops waiting after [patience].
func read[C, T any](ctx context.Context, c *console, f func(context.Context, C) (T, error)) (T, error) {
	s, ok := store.As[C](c.Store)
	if !ok {
		return *new(T), errLacks
	}
	return wait(ctx, c, func(ctx context.Context) (T, error) { return f(ctx, s) })
}

// take reads the items of a sequence after the first skip ones, at most limit of
// them. It also reports whether there are more.
func take[C, T any](ctx context.Context, c *console, skip, limit int, seq func(context.Context, C) iter.Seq2[T, error]) (items []T, more bool, err error) {
	items, err = read(ctx, c, func(ctx context.Context, s C) (items []T, err error) {
		for item, err := range seq(ctx, s) {
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

// act calls f, which changes something, with the store's capability C. The page
// stops waiting after [patience], and f goes on: neither a slow store nor a browser
// that leaves interrupts a change halfway.
func act[C any](ctx context.Context, c *console, f func(context.Context, C) error) error {
	outlives := context.WithoutCancel(ctx)
	_, err := read(ctx, c, func(_ context.Context, s C) (struct{}, error) {
		ctx, cancel := context.WithTimeout(outlives, actTime)
		defer cancel()
		return struct{}{}, f(ctx, s)
	})
	return err
}

// wait calls f, which calls the store or the provider. It stops waiting after
// [patience], even if f ignores its context.
func wait[T any](ctx context.Context, c *console, f func(context.Context) (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	select {
	case c.calls <- struct{}{}:
	default:
		return *new(T), errBusy
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel() // not when f returns: its answer would race with the end of ctx
	got := make(chan result, 1)
	go func() {
		defer func() { <-c.calls }()
		v, err := guard.Get(func() (T, error) { return f(ctx) })
		got <- result{v, err}
	}()
	select {
	case r := <-got:
		return r.v, r.err
	case <-ctx.Done():
		return *new(T), fmt.Errorf("no answer: %w", ctx.Err())
	}
}

// lacks reports whether the store cannot do what was asked of it.
func lacks(err error) bool {
	return errors.Is(err, errLacks) || errors.Is(err, errors.ErrUnsupported)
}

// trouble says in a page why a part of it is missing, or returns "". The error itself
// is for the log alone.
func (c *console) trouble(ctx context.Context, what string, err error) string {
	switch {
	case err == nil:
		return ""
	case lacks(err):
		return what + ": not kept by this store."
	}
	c.Logger.WarnContext(ctx, "askonce: a part of the console is missing", "part", what, "err", err, guard.Stack(err))
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errBusy) {
		return what + ": no answer in time."
	}
	return what + ": not available. The log says why."
}
