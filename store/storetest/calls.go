package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/askonce/askonce/store"
)

// call is one call of a store's method.
type call struct {
	name string

	// make calls the store and returns what came back, or an error that no store
	// may return.
	make func(ctx context.Context, s *subject) (got any, err error)

	// follow makes the call in the model. It returns what the contract wants. Where
	// the contract leaves a choice, it makes the one that the store made in got.
	follow func(m *model, got any) (want any)
}

// result is what a method returned: a value, and one of the errors of package store.
type result struct {
	value any
	err   error
}

func (r result) String() string {
	if r.err != nil {
		return r.err.Error()
	}
	return fmt.Sprintf("%+v", r.value)
}

func newCall[T any](name string, do func(ctx context.Context, s *subject) (T, error), follow func(m *model, got T) (T, error)) call {
	return call{name, func(ctx context.Context, s *subject) (any, error) {
		value, err := do(ctx, s)
		for _, known := range []error{store.ErrLeaseLost, store.ErrNotFound} {
			if errors.Is(err, known) {
				return result{*new(T), known}, nil
			}
		}
		return result{value, nil}, err
	}, func(m *model, got any) any {
		value, err := follow(m, got.(result).value.(T))
		if err != nil {
			return result{*new(T), err}
		}
		return result{value, nil}
	}}
}

// same reports whether the store returned what the contract wants. A list without
// elements may be nil or not.
func same(want, got any) bool {
	w, g := want.(result), got.(result)
	if w.err != nil || g.err != nil {
		return w.err == g.err
	}
	if v := reflect.ValueOf(w.value); v.Kind() == reflect.Slice && v.Len() == 0 {
		return reflect.ValueOf(g.value).Len() == 0
	}
	return reflect.DeepEqual(w.value, g.value)
}

// none is the value of a method that returns an error alone.
type none struct{}

func effect(name string, do func(ctx context.Context, s *subject) error, follow func(m *model) error) call {
	return newCall(name, func(ctx context.Context, s *subject) (none, error) { return none{}, do(ctx, s) },
		func(m *model, _ none) (none, error) { return none{}, follow(m) })
}

// caller makes random calls about a few users, studies and interviews.
type caller struct {
	*rand.Rand
	users, studies, interviews []string
	has                        capability
	alone                      bool // nobody else calls the store meanwhile
	jobs                       *claims
}

func oneOf[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// next returns a random call of a method that the store has.
func (c *caller) next() call {
	for {
		kind := calls[c.IntN(len(calls))]
		if kind.needs&^c.has == 0 && (c.alone || !kind.alone) {
			return kind.new(c)
		}
	}
}

// calls are the kinds of calls; those that are made more often come twice.
var calls = []struct {
	needs capability
	alone bool // its result depends on what other callers do with other ids
	new   func(c *caller) call
}{
	{0, false, (*caller).record}, {0, false, (*caller).record}, {0, false, (*caller).record}, {0, false, (*caller).record},
	{0, false, (*caller).completed}, {0, false, (*caller).completed},
	{resetter, false, (*caller).reset},
	{eraser, false, (*caller).erase},
	{lister, false, (*caller).list},
	{interactions, false, (*caller).note}, {interactions, false, (*caller).note}, {interactions, false, (*caller).note},
	{interactions, false, (*caller).person}, {interactions, false, (*caller).person},
	{interactions, false, (*caller).funnel},
	{transcripts, false, (*caller).claim}, {transcripts, false, (*caller).claim}, {transcripts, false, (*caller).claim},
	{transcripts, false, (*caller).handle}, {transcripts, false, (*caller).handle}, {transcripts, false, (*caller).handle},
	{transcripts, false, (*caller).requeue},
	{transcripts, false, (*caller).queue},
	{transcripts, false, (*caller).transcript},
	{retention, false, (*caller).deleteTranscript},
	{retention | transcripts, true, (*caller).deleteExpired},
	{deadLetters, false, (*caller).letter},
	{checkpoints, false, (*caller).checkpoint},
	{switches, true, (*caller).flip},
}

func (c *caller) key() store.Key {
	return store.Key{StudyID: oneOf(c.Rand, c.studies...), UserID: oneOf(c.Rand, c.users...)}
}

// at returns one of a few instants on one of three days.
func (c *caller) at() time.Time {
	return base.Truncate(time.Second).Add(time.Duration(c.IntN(3))*24*time.Hour + time.Duration(c.IntN(4))*time.Second)
}
