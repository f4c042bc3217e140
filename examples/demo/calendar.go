package main

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
)

const day = 24 * time.Hour

// calendar is a store that can pretend that days have passed. The gate compares times from
// the store with the clock, so a day has passed once everything that users saw, answered
// and completed is a day older. calendar therefore adds the days passed to every time that
// it writes, and subtracts the days passed since from every time that it reads.
type calendar struct {
	*sqlstore.Store
	days atomic.Int64
}

func (c *calendar) pass(days int64) { c.days.Add(days) }

func (c *calendar) ahead() time.Duration { return time.Duration(c.days.Load()) * day }

// shift moves every instant that is not zero.
func shift(by time.Duration, instants ...*time.Time) {
	for _, t := range instants {
		if !t.IsZero() {
			*t = t.Add(by)
		}
	}
}

func (c *calendar) Note(ctx context.Context, i store.Interaction) error {
	shift(c.ahead(), &i.At, &i.Until)
	return c.Store.Note(ctx, i)
}

func (c *calendar) Person(ctx context.Context, userID string) (store.Person, error) {
	p, err := c.Store.Person(ctx, userID)
	shift(-c.ahead(), &p.OptedOutAt)
	for i := range p.Studies {
		s := &p.Studies[i]
		shift(-c.ahead(), &s.CompletedUntil, &s.OpenedAt, &s.AnsweredAt, &s.Until)
		for n := range s.Showings {
			shift(-c.ahead(), &s.Showings[n])
		}
	}
	return p, err
}

func (c *calendar) Funnel(ctx context.Context, studyID string, from, to time.Time) ([]store.FunnelDay, error) {
	shift(c.ahead(), &from, &to)
	days, err := c.Store.Funnel(ctx, studyID, from, to)
	for i := range days {
		shift(-c.ahead(), &days[i].Day)
	}
	return days, err
}

func (c *calendar) Record(ctx context.Context, done store.Completion) (first bool, err error) {
	shift(c.ahead(), &done.CompletedAt, &done.Until)
	return c.Store.Record(ctx, done)
}

func (c *calendar) Completions(ctx context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	by := c.ahead()
	shift(by, &f.Since)
	if f.After != nil {
		after := *f.After
		shift(by, &after.CompletedAt)
		f.After = &after
	}
	return func(yield func(store.Completion, error) bool) {
		for done, err := range c.Store.Completions(ctx, f) {
			shift(-by, &done.CompletedAt, &done.Until)
			if !yield(done, err) {
				return
			}
		}
	}
}
