package webhook

import (
	"context"
	"iter"

	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// The types below guard every call of the app's store and of its Client: a panic
// there comes back as a *guard.PanicError, and costs only the item it was about.

type guardedStore struct{ store.Store }

func (g guardedStore) Record(ctx context.Context, c store.Completion) (bool, error) {
	return guard.Get(func() (bool, error) { return g.Store.Record(ctx, c) })
}

type guardedLister struct{ store.Lister }

func (g guardedLister) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	return guard.Seq(func(yield func(store.Completion, error) bool) { g.Lister.Completions(ctx, f)(yield) })
}

type guardedLetters struct{ store.DeadLetters }

func (g guardedLetters) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	return guard.Do(func() error { return g.DeadLetters.AddDeadLetter(ctx, d) })
}

type guardedClient struct{ Client }

func (g guardedClient) Interview(ctx context.Context, id string) (userjourneys.Interview, error) {
	return guard.Get(func() (userjourneys.Interview, error) { return g.Client.Interview(ctx, id) })
}

func (g guardedClient) Interviews(ctx context.Context, f userjourneys.InterviewFilter) iter.Seq2[userjourneys.Interview, error] {
	return guard.Seq(func(yield func(userjourneys.Interview, error) bool) { g.Client.Interviews(ctx, f)(yield) })
}

// callback calls one of the app's callbacks that return nothing. A panic is
// logged.
func (h *Handler) callback(ctx context.Context, name string, call func()) {
	if err := guard.Call(call); err != nil {
		h.log.ErrorContext(ctx, "askonce: callback panicked", "callback", name, "err", err, guard.Stack(err))
	}
}
