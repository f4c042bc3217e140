package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/askonce/askonce/internal/guard"
)

// CacheOptions configure [NewCached]. A zero field means its default.
type CacheOptions struct {
	// Completed is how long the cache remembers that a user has completed a study. For
	// that time, a completion may still count after a Reset on another replica or, in a
	// store without [Interactions], after its Until. Negative means that it is not
	// remembered. Defaults to 1 hour.
	Completed time.Duration

	// Open is how long everything else is remembered: that a user has not completed a
	// study, and what the user has seen and answered. Changes by another replica are
	// visible after at most this time. Negative means that it is not remembered.
	// Defaults to 10 s.
	Open time.Duration

	// Size is the greatest number of users in the cache. Defaults to 100,000, which
	// take about 30 MB.
	Size int

	// Timeout bounds each look-up in the store, whatever the contexts of its callers
	// allow. Defaults to 2 s.
	Timeout time.Duration
}

// A Peeker is a store that answers from memory, without waiting or allocating. The result
// known is false if only a look-up can tell. [*Cache] implements it.
type Peeker interface {
	Peek(k Key) (completed, known bool)
	PeekPerson(userID string) (p *Person, known bool) // the Person must not be changed
}

// A Cache remembers, in this process, what a [Store] knows about users. Writes through
// the cache are visible through it at once. It is safe for concurrent use, starts no
// goroutine that outlives a look-up, and does not close the store.
//
// [As] finds every capability of the store inside. A caller that must not act on a cached
// answer, such as one that confirms a click, uses the store that Unwrap returns.
type Cache struct {
	inner   Store
	persons Interactions // nil if inner does not have them

	users                 *users
	completedFor, openFor time.Duration
	timeout               time.Duration
	lookups               singleflight.Group
}

// NewCached returns a cache in front of s. A nil s panics. Nil opts mean the
// defaults.
func NewCached(s Store, opts *CacheOptions) *Cache {
	if s == nil {
		panic("store: NewCached: s is nil")
	}
	var o CacheOptions
	if opts != nil {
		o = *opts
	}
	c := &Cache{
		inner:        s,
		users:        newUsers(cmp.Or(max(o.Size, 0), 100_000)),
		completedFor: cmp.Or(o.Completed, time.Hour),
		openFor:      cmp.Or(o.Open, 10*time.Second),
		timeout:      cmp.Or(max(o.Timeout, 0), 2*time.Second),
	}
	c.persons, _ = As[Interactions](s)
	return c
}

// Unwrap returns the store inside, for [As].
func (c *Cache) Unwrap() Store { return c.inner }

// Peek implements [Peeker].
func (c *Cache) Peek(k Key) (completed, known bool) {
	r := c.users.get(k.UserID)
	if r == nil {
		return false, false
	}
	for i := range r.studies {
		s := &r.studies[i]
		switch {
		case s.id != k.StudyID:
		case s.completed && !s.ends.IsZero() && !time.Now().Before(s.ends):
			return false, false
		case s.completed:
			return true, time.Since(s.asked) < c.completedFor
		default:
			return false, time.Since(s.asked) < c.openFor
		}
	}
	return false, r.person != nil && time.Since(r.asked) < c.openFor
}

// PeekPerson implements [Peeker].
func (c *Cache) PeekPerson(userID string) (p *Person, known bool) {
	r := c.users.get(userID)
	if r == nil || r.person == nil || time.Since(r.asked) >= c.openFor {
		return nil, false
	}
	return r.person, true
}

// Completed implements [Store]. Concurrent calls for the same user share one look-up. The
// end of one caller's ctx does not cancel it.
func (c *Cache) Completed(ctx context.Context, k Key) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if done, known := c.Peek(k); known {
		return done, nil
	}
	if err := CheckKey(k); err != nil {
		return false, err
	}
	if c.persons != nil {
		p, err := c.lookUpPerson(ctx, k.UserID)
		return err == nil && p.Study(k.StudyID).Completed, err
	}
	return shared(ctx, c, "c\x00"+k.StudyID, k.UserID, func(ctx context.Context, asked time.Time) (bool, *remembered, error) {
		done, err := c.inner.Completed(ctx, k)
		return done, c.users.get(k.UserID).with(study{id: k.StudyID, completed: done, asked: asked}), err
	})
}

// Person implements [Interactions] if the store inside does. Calls are shared as
// in Completed.
func (c *Cache) Person(ctx context.Context, userID string) (Person, error) {
	if err := ctx.Err(); err != nil {
		return Person{}, err
	}
	if p, known := c.PeekPerson(userID); known {
		return p.clone(), nil
	}
	if c.persons == nil {
		return Person{}, errors.ErrUnsupported
	}
	if err := CheckID(userID); err != nil {
		return Person{}, err
	}
	p, err := c.lookUpPerson(ctx, userID)
	if err != nil {
		return Person{}, err
	}
	return p.clone(), nil
}

func (c *Cache) lookUpPerson(ctx context.Context, userID string) (*Person, error) {
	return shared(ctx, c, "p", userID, func(ctx context.Context, asked time.Time) (*Person, *remembered, error) {
		p, err := c.persons.Person(ctx, userID)
		r := &remembered{asked: asked, person: &p}
		for _, s := range p.Studies {
			r.studies = append(r.studies, study{s.StudyID, s.Completed, s.CompletedUntil, asked})
		}
		return &p, r, err
	})
}

// shared makes one look-up for all concurrent callers. It caches the result unless
// something was written about the user in the meantime.
func shared[T any](ctx context.Context, c *Cache, what, userID string, ask func(ctx context.Context, asked time.Time) (T, *remembered, error)) (T, error) {
	epoch := c.users.epoch(userID)
	// Because of the epoch, a caller that comes after a write does not join a look-up
	// that began before it. Ids contain no NUL.
	name := what + "\x00" + strconv.FormatUint(epoch, 36) + "\x00" + userID
	detached := context.WithoutCancel(ctx)
	lookup := c.lookups.DoChan(name, func() (any, error) {
		return guard.Get(func() (any, error) { // no caller could recover a panic on this goroutine
			ctx, cancel := context.WithTimeout(detached, c.timeout)
			defer cancel()
			t, r, err := ask(ctx, time.Now())
			if err == nil {
				c.users.put(userID, r, epoch)
			}
			return t, err
		})
	})
	select {
	case r := <-lookup:
		if r.Err != nil {
			return *new(T), r.Err
		}
		return r.Val.(T), nil
	case <-ctx.Done():
		return *new(T), ctx.Err()
	}
}

// Record implements [Store].
func (c *Cache) Record(ctx context.Context, done Completion) (first bool, err error) {
	defer c.users.forget(done.UserID) // after an error too: the write may have succeeded
	first, err = c.inner.Record(ctx, done)
	if !first && done.Quality != "" {
		c.forgetOwner(ctx, done)
	}
	return first, err
}

// forgetOwner forgets the user whose interview a repeated Record may have revised. The
// call that adds the score need not name the user.
func (c *Cache) forgetOwner(ctx context.Context, done Completion) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
	defer cancel()
	lister, known := As[Lister](c.inner)
	if known {
		for owner, err := range guard.Seq(lister.Completions(ctx, Filter{InterviewID: done.InterviewID})) {
			known = known && err == nil
			if owner.UserID != done.UserID {
				c.users.forget(owner.UserID)
			}
		}
	}
	if !known {
		c.users.forgetAll()
	}
}

// Note implements [Interactions] if the store inside does.
func (c *Cache) Note(ctx context.Context, i Interaction) error {
	if c.persons == nil {
		return errors.ErrUnsupported
	}
	defer c.users.forget(i.UserID)
	return c.persons.Note(ctx, i)
}

// Funnel implements [Interactions] if the store inside does.
func (c *Cache) Funnel(ctx context.Context, studyID string, from, to time.Time) ([]FunnelDay, error) {
	if c.persons == nil {
		return nil, errors.ErrUnsupported
	}
	return c.persons.Funnel(ctx, studyID, from, to)
}

// Reset implements [Resetter] if the store inside does.
func (c *Cache) Reset(ctx context.Context, k Key) error {
	inner, ok := As[Resetter](c.inner)
	if !ok {
		return errors.ErrUnsupported
	}
	defer c.users.forget(k.UserID)
	return inner.Reset(ctx, k)
}

// Erase implements [Eraser] if the store inside does. It removes the user's id from the
// cache too.
func (c *Cache) Erase(ctx context.Context, userID string) error {
	inner, ok := As[Eraser](c.inner)
	if !ok {
		return errors.ErrUnsupported
	}
	defer c.users.forget(userID)
	return inner.Erase(ctx, userID)
}

// clone returns a deep copy of p.
func (p *Person) clone() Person {
	q := *p
	q.Studies = slices.Clone(p.Studies)
	for i := range q.Studies {
		q.Studies[i].Showings = slices.Clone(q.Studies[i].Showings)
	}
	return q
}
