package gate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gocache "github.com/patrickmn/go-cache"
	"golang.org/x/sync/singleflight"

	"github.com/askonce/askonce/userjourneys"
)

const (
	fetchTimeout = 10 * time.Second // of one look at the provider
	confirmAge   = 10 * time.Second // how old an answer may be at a click
	firstBackoff = 15 * time.Second // after a failure; doubles
	maxBackoff   = time.Minute
)

// entry is one answer of the provider. All but expired never changes.
type entry struct {
	study      userjourneys.Study
	exists     bool // false: the provider knows no such active study
	key        studyKey
	at         time.Time
	freshUntil time.Time
	expired    atomic.Bool // fetch again although it is fresh
}

// places is how many more responses the study takes now: 0 for none, negative
// for no known limit.
func (e *entry) places() int {
	if !e.study.AcceptingResponses {
		return 0
	}
	left := -1
	for _, l := range []*userjourneys.Limit{e.study.Limits.Weekly, e.study.Limits.Monthly} {
		if l != nil && (left < 0 || l.Limit-l.Used < left) {
			left = max(0, l.Limit-l.Used)
		}
	}
	return left
}

// language is the first of the wanted languages that the study has, by its
// primary subtag (RFC 5646, section 2.2.1), in the study's spelling. The
// provider's "no" serves nb and nn as well. English is always there.
func (e *entry) language(wanted []string) string {
	for _, want := range wanted {
		base := primary(want)
		for _, have := range e.study.SupportedLanguages {
			if strings.EqualFold(primary(have), base) {
				return have
			}
		}
		if strings.EqualFold(base, "en") {
			return "en"
		}
	}
	return ""
}

func primary(tag string) string {
	for i := range len(tag) {
		if tag[i] == '-' || tag[i] == '_' {
			tag = tag[:i]
			break
		}
	}
	if strings.EqualFold(tag, "nb") || strings.EqualFold(tag, "nn") {
		return "no"
	}
	return tag
}

// capacity caches what the provider says of one study. An answer is used while
// it is fresh; after that it is used on while a newer one is fetched, until it
// is too old. One fetch runs at a time, on nobody's request context. go-cache
// drops what is too old; freshness is in the entry, measured on the monotonic
// clock.
type capacity struct {
	studies      Studies
	name         string
	fresh, stale time.Duration
	log          *slog.Logger
	cache        *gocache.Cache
	flight       singleflight.Group
	fetching     atomic.Bool // a background fetch is under way

	mu       sync.Mutex
	lookup   string // the study's id once it is known: one request instead of a list
	id       string // the id it was last seen under, "" before
	err      error  // why the last fetch failed, nil after a good one
	failures int
	retryAt  time.Time
}

func newCapacity(s Studies, name string, fresh, stale time.Duration, log *slog.Logger) *capacity {
	return &capacity{
		studies: s, name: name, lookup: name, fresh: fresh, stale: stale, log: log,
		// No janitor: it cannot be stopped, and there is one key.
		cache: gocache.New(stale, 0),
	}
}

func (c *capacity) cached() *entry {
	if v, ok := c.cache.Get(c.name); ok {
		return v.(*entry)
	}
	return nil
}

// usable returns the cached answer if it is no older than maxAge, and sees to
// it that a newer one is fetched once it is no longer fresh. It never waits.
func (c *capacity) usable(now time.Time, maxAge time.Duration) *entry {
	e := c.cached()
	if e == nil || now.Sub(e.at) > maxAge {
		return nil
	}
	if (!now.Before(e.freshUntil) || e.expired.Load()) && !c.backingOff(now) && c.fetching.CompareAndSwap(false, true) {
		go func() {
			defer c.fetching.Store(false)
			c.flight.Do(c.name, c.fetch)
		}()
	}
	return e
}

// get is usable, or waits for an answer as long as ctx allows.
func (c *capacity) get(ctx context.Context, now time.Time, maxAge time.Duration) (*entry, error) {
	if e := c.usable(now, maxAge); e != nil {
		return e, nil
	}
	if err := c.failing(now); err != nil {
		return nil, err
	}
	select {
	case r := <-c.flight.DoChan(c.name, c.fetch):
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*entry), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("gate: the provider has not answered yet: %w", ctx.Err())
	}
}

// expire makes the next decision fetch anew.
func (c *capacity) expire() {
	if e := c.cached(); e != nil {
		e.expired.Store(true)
	}
}

func (c *capacity) backingOff(now time.Time) bool { return c.failing(now) != nil }

// failing returns the last failure while it is too early to try again.
func (c *capacity) failing(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil && now.Before(c.retryAt) {
		return c.err
	}
	return nil
}

// fetch asks the provider on a context of its own: one caller who leaves must
// not take the answer away from the others.
func (c *capacity) fetch() (_ any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("gate: panic while asking the provider: %v", p)
			c.failed(err)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	c.mu.Lock()
	lookup, id := c.lookup, c.id
	c.mu.Unlock()

	at := time.Now() // the answer may be as old as the question
	study, err := c.studies.FindStudy(ctx, lookup)
	e := &entry{study: study, exists: true, at: at}
	if errors.Is(err, userjourneys.ErrNotFound) {
		e, err = &entry{study: userjourneys.Study{ID: id}, at: at}, nil
		lookup = c.name // another study may bear the name by now
	}
	if err != nil {
		err = fmt.Errorf("gate: provider: %w", err)
		c.failed(err)
		return nil, err
	}
	if e.exists {
		lookup = study.ID
	}
	e.key = keyOf(e.study.ID)
	e.freshUntil = at.Add(c.fresh - rand.N(c.fresh/10+1))
	c.succeeded(lookup, e.study.ID)
	c.cache.Set(c.name, e, gocache.DefaultExpiration)
	return e, nil
}

func (c *capacity) succeeded(lookup, id string) {
	c.mu.Lock()
	was := c.err
	c.lookup, c.id, c.err, c.failures = lookup, id, nil, 0
	c.mu.Unlock()
	if was != nil {
		c.log.Info("askonce: the provider answers again", "study", c.name)
	}
}

// failed notes the failure and is loud only about a new kind of it.
func (c *capacity) failed(err error) {
	c.mu.Lock()
	was := c.err
	c.err = err
	wait := min(maxBackoff, firstBackoff<<min(c.failures, 8))
	c.failures++
	c.retryAt = time.Now().Add(wait - rand.N(wait/4+1))
	c.mu.Unlock()
	switch {
	case errors.Is(err, userjourneys.ErrUnauthorized) && !errors.Is(was, userjourneys.ErrUnauthorized):
		c.log.Error("askonce: the provider refuses the API key: no prompt is shown", "study", c.name)
	case errors.Is(err, userjourneys.ErrAmbiguous) && !errors.Is(was, userjourneys.ErrAmbiguous):
		c.log.Error("askonce: several studies have this name: configure the id", "study", c.name)
	case was == nil:
		c.log.Warn("askonce: the provider does not answer", "study", c.name, "err", err)
	}
}

// studyKey is what a History knows a study by.
type studyKey [8]byte

func keyOf(studyID string) studyKey {
	sum := sha256.Sum256([]byte(studyID))
	return studyKey(sum[:8])
}
