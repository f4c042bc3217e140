package console_test

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// bare is a store without any capability.
type bare struct{}

func (bare) Completed(context.Context, store.Key) (bool, error) { return false, nil }
func (bare) Record(context.Context, store.Completion) (bool, error) {
	return false, errors.New("full")
}

// unwell is a store with every capability. Each call that the console makes calls call
// instead, which fails, panics, or ignores the context and waits.
type unwell struct {
	*memstore.Store
	call func() error
}

func (s unwell) Person(context.Context, string) (store.Person, error) {
	return store.Person{}, s.call()
}
func (s unwell) Funnel(context.Context, string, time.Time, time.Time) ([]store.FunnelDay, error) {
	return nil, s.call()
}
func (s unwell) Switches(context.Context) ([]store.Switch, error)        { return nil, s.call() }
func (s unwell) SetSwitch(context.Context, store.Switch) error           { return s.call() }
func (s unwell) Erase(context.Context, string) error                     { return s.call() }
func (s unwell) Reset(context.Context, store.Key) error                  { return s.call() }
func (s unwell) RequeueJob(context.Context, string) error                { return s.call() }
func (s unwell) RequeueJobs(context.Context) (int, error)                { return 0, s.call() }
func (s unwell) DeleteTranscript(context.Context, string) error          { return s.call() }
func (s unwell) DeleteDeadLetter(context.Context, string) error          { return s.call() }
func (s unwell) PendingJobs(context.Context) iter.Seq2[store.Job, error] { return fails[store.Job](s) }
func (s unwell) DeadJobs(context.Context) iter.Seq2[store.Job, error]    { return fails[store.Job](s) }
func (s unwell) DeadLetters(context.Context) iter.Seq2[store.DeadLetter, error] {
	return fails[store.DeadLetter](s)
}
func (s unwell) Transcript(context.Context, string) (store.Transcript, error) {
	return store.Transcript{}, s.call()
}
func (s unwell) Completions(context.Context, store.Filter) iter.Seq2[store.Completion, error] {
	return fails[store.Completion](s)
}

func fails[T any](s unwell) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { yield(*new(T), s.call()) }
}
