package gate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	gocache "github.com/patrickmn/go-cache"
	"golang.org/x/sync/singleflight"

	"github.com/askonce/askonce/userjourneys"
)

const (
	fetchTimeout = 10 * time.Second // of one look at the provider
	confirmAge   = 10 * time.Second // how old an answer may be at a click
	earlyPause   = 10 * time.Second // between two looks that completions caused
	retryPause   = time.Minute      // between two looks while the provider fails, and up to a quarter more: see failed
	maxRetryWait = 15 * time.Minute // how long a Retry-After is heeded
)

// entry is one answer of the provider. It never changes.
type entry struct {
	study    userjourneys.Study
	exists   bool // false: the provider knows no such active study
	key      studyKey
	at       time.Time     // when it was asked for: it may be as old as the question
	freshFor time.Duration // from then on

	// places is how many more responses the study takes now: 0 for none,
	// negative for no known limit.
	places int
	// period is that of the limit with the fewest places left, in words that
	// sort by time and that no sample is drawn by.
	period string
}

func newEntry(s userjourneys.Study, exists bool, at time.Time, freshFor time.Duration) *entry {
	s.ID = userjourneys.CanonicalID(s.ID) // as the webhook keys completions
	e := &entry{study: s, exists: exists, key: keyOf(s.ID), at: at, freshFor: freshFor, places: -1}
	if !s.AcceptingResponses {
		e.places = 0
		return e
	}
	day := at.UTC().Truncate(24 * time.Hour)
	monday := day.AddDate(0, 0, -(int(day.Weekday())+6)%7) // "Weekly limits reset on Monday 00:00 UTC", says the provider
	first := day.AddDate(0, 0, 1-day.Day())                // and does not say when monthly ones do
	for _, l := range []struct {
		limit *userjourneys.Limit
		began time.Time
	}{{s.Limits.Monthly, first}, {s.Limits.Weekly, monday}} {
		if l.limit == nil {
			continue
		}
		if left := max(0, l.limit.Limit-l.limit.Used); e.places < 0 || left < e.places {
			e.places, e.period = left, "pace "+l.began.Format(time.DateOnly)+"\x00"
		}
	}
	return e
}

// age goes by whichever clock has run further, the monotonic or the wall clock:
// neither a clock that was set back nor a machine that slept makes an old
// answer pass for a new one.
func (e *entry) age(now time.Time) time.Duration {
	return max(now.Sub(e.at), time.Duration(now.UnixNano()-e.at.UnixNano()))
}

// language is the first of the wanted languages that the study has, in the
// study's spelling. Tags match by their primary subtag (RFC 5646, section
// 2.2.1); among several the same tag wins. The provider's "no" serves nb and nn
// as well, and English is always there.
func (e *entry) language(wanted []string) string {
	for _, want := range wanted {
		for _, have := range e.study.SupportedLanguages {
			if strings.EqualFold(have, want) {
				return have
			}
		}
		for _, have := range e.study.SupportedLanguages {
			if strings.EqualFold(primary(have), primary(want)) {
				return have
			}
		}
		if strings.EqualFold(primary(want), "en") {
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
// is too old. One fetch runs at a time, on nobody's request context, and
// nothing is locked meanwhile. Every use says how old an answer may be, so
// go-cache keeps it without an expiry of its own, which saves reading the clock.
type capacity struct {
	studies      StudyFinder
	name         string
	fresh, stale time.Duration
	log          *slog.Logger
	cache        *gocache.Cache
	answered     atomic.Bool // false: there is nothing in cache yet
	flight       singleflight.Group
	refreshing   atomic.Bool // a refresh in the background is under way

	// known is the last answer that says which study it is, even if that is
	// missing by now. What a study is called does not age as its capacity does.
	known    atomic.Pointer[entry]
	trouble  atomic.Pointer[trouble]   // nil while the provider answers
	recorded atomic.Pointer[time.Time] // when a completion was last reported
	early    atomic.Pointer[time.Time] // when a completion last caused a fetch

	byName bool // look the study up by its name; only fetch uses it
}

// trouble is why there is no newer answer, and when to try again.
type trouble struct {
	err     error
	retryAt time.Time
	alarmed bool // the operator has been told at level Error
}

func newCapacity(s StudyFinder, name string, fresh, stale time.Duration, log *slog.Logger) *capacity {
	return &capacity{
		studies: s, name: name, fresh: fresh, stale: stale, log: log, byName: true,
		// No janitor: it cannot be stopped, and there is one key.
		cache: gocache.New(gocache.NoExpiration, 0),
	}
}

func (c *capacity) cached() *entry {
	if !c.answered.Load() {
		return nil
	}
	if v, ok := c.cache.Get(c.name); ok {
		return v.(*entry)
	}
	return nil
}

// usable returns the cached answer if it is no older than maxAge, and sees to
// it that a newer one is fetched once it is no longer fresh. It never waits.
//
// What is known is what is cached, and while it is fresh it is read from there:
// go-cache's lock, passed between two processors, takes longer than all checks.
func (c *capacity) usable(now time.Time, maxAge time.Duration) *entry {
	if e := c.known.Load(); e != nil && !c.due(e, now) && e.age(now) <= maxAge {
		return e
	}
	e := c.peek(now, maxAge)
	if e != nil && c.due(e, now) {
		c.refresh(now)
	}
	return e
}

// peek is usable without the fetch.
func (c *capacity) peek(now time.Time, maxAge time.Duration) *entry {
	if e := c.cached(); e != nil && e.age(now) <= maxAge {
		return e
	}
	return nil
}

// due reports whether a newer answer than e should be fetched.
func (c *capacity) due(e *entry, now time.Time) bool {
	return e.age(now) >= e.freshFor || c.outdated(e, now)
}

// outdated reports whether a completion was reported after e was asked for. A
// stream of them must not become a stream of requests.
func (c *capacity) outdated(e *entry, now time.Time) bool {
	r := c.recorded.Load()
	if r == nil || r.Before(e.at) {
		return false
	}
	last := c.early.Load()
	return last == nil || now.Sub(*last) >= earlyPause
}

// refresh fetches in the background, unless that is under way or too early.
func (c *capacity) refresh(now time.Time) {
	if c.failing(now) != nil || !c.refreshing.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer c.refreshing.Store(false)
		_, _, _ = c.flight.Do(c.name, func() (any, error) { // a failure is noted where it happens
			return c.fetchUnless(func(e *entry, now time.Time) bool { return !c.due(e, now) })
		})
	}()
}

// get is usable, or waits for an answer as long as ctx allows.
func (c *capacity) get(ctx context.Context, maxAge time.Duration) (*entry, error) {
	began := time.Now()
	for {
		if e := c.usable(time.Now(), maxAge); e != nil {
			return e, nil
		}
		select {
		case r := <-c.flight.DoChan(c.name, func() (any, error) {
			return c.fetchUnless(func(e *entry, now time.Time) bool { return e.age(now) <= maxAge })
		}):
			if r.Err != nil {
				return nil, r.Err
			}
			// Whoever shared a flight that somebody less demanding had begun
			// may have to ask again; what was asked since is as new as it gets.
			if e := r.Val.(*entry); !e.at.Before(began) {
				return e, nil
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("gate: the provider has not answered yet: %w", ctx.Err())
		}
	}
}

// down returns the last failure while the provider fails, and sees to it that
// it is asked again in time. It never waits.
func (c *capacity) down(now time.Time) error {
	t := c.trouble.Load()
	if t == nil {
		return nil
	}
	c.refresh(now)
	return t.err
}

// outdate makes every answer stale that was asked for before now.
func (c *capacity) outdate() {
	now := time.Now()
	c.recorded.Store(&now)
}

// failing returns the last failure while it is too early to try again.
func (c *capacity) failing(now time.Time) error {
	if t := c.trouble.Load(); t != nil && now.Before(t.retryAt) {
		return t.err
	}
	return nil
}

// fetchUnless is what a flight does. It looks again whether it is still needed:
// since its caller looked, another flight may have come and gone.
func (c *capacity) fetchUnless(enough func(e *entry, now time.Time) bool) (*entry, error) {
	now := time.Now()
	e := c.cached()
	if e != nil && enough(e, now) {
		return e, nil
	}
	if err := c.failing(now); err != nil {
		return nil, err
	}
	if e != nil && c.outdated(e, now) {
		c.early.Store(&now)
	}
	e, err := c.fetch(now)
	if err != nil {
		err = fmt.Errorf("gate: provider: %w", err)
		c.failed(err, now)
		return nil, err
	}
	c.succeeded(e)
	return e, nil
}

// fetch asks the provider on a context of its own: one caller who leaves must
// not take the answer away from the others.
func (c *capacity) fetch(at time.Time) (_ *entry, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()

	known := c.known.Load()
	lookup := c.name
	if !c.byName {
		lookup = known.study.ID // one request instead of a list
	}
	freshFor := c.fresh - rand.N(c.fresh/10+1)
	study, err := c.studies.FindStudy(ctx, lookup)
	switch {
	case errors.Is(err, userjourneys.ErrNotFound):
		study = userjourneys.Study{}
		if known != nil {
			study = known.study
		}
		study.AcceptingResponses = false
		return newEntry(study, false, at, freshFor), nil
	case err != nil:
		return nil, err
	case study.ID == "":
		return nil, errors.New("a study without an id")
	}
	return newEntry(study, true, at, freshFor), nil
}

func (c *capacity) succeeded(e *entry) {
	c.byName = !e.exists // another study may bear the name by now
	before := c.cached()
	if e.study.ID != "" {
		c.known.Store(e)
	}
	if !e.exists && (before == nil || before.exists) {
		c.log.Warn("askonce: no active study has this id or name: nobody is asked while that is so", "study", c.name)
	}
	c.cache.SetDefault(c.name, e)
	c.answered.Store(true)
	if c.trouble.Swap(nil) != nil {
		c.log.Info("askonce: the provider answers again", "study", c.name)
	}
}

// failed notes the failure, and is loud once until the provider answers again.
//
// The pause is counted from the beginning of the attempt, so that a study costs
// a provider in trouble one attempt a minute at most. It does not begin short
// and double: an attempt of userjourneys.Client is already several requests
// with a doubling, jittered back-off between them (its MaxRetries), so that a
// hiccup is over before it counts as a failure here. Meanwhile the last answer
// serves on; only a process that starts into a failure asks nobody for a minute.
func (c *capacity) failed(err error, began time.Time) {
	pause := retryPause
	var answer *userjourneys.Error
	if errors.As(err, &answer) {
		pause = max(pause, min(answer.RetryAfter, maxRetryWait))
	}
	was := c.trouble.Load()
	t := &trouble{err: err, retryAt: began.Add(pause + rand.N(pause/4)), alarmed: was != nil && was.alarmed}
	alarm := ""
	switch {
	case errors.Is(err, userjourneys.ErrUnauthorized):
		alarm = "askonce: the provider refuses the API key: nobody is asked"
	case errors.Is(err, userjourneys.ErrAmbiguous):
		alarm = "askonce: several studies have this name: configure the id"
	}
	switch {
	case alarm != "" && !t.alarmed:
		t.alarmed = true
		c.log.Error(alarm, "study", c.name)
	case alarm == "" && was == nil:
		c.log.Warn("askonce: the provider does not answer", "study", c.name, "err", err)
	}
	c.trouble.Store(t)
}

// studyKey is what a History knows a study by.
type studyKey [8]byte

func keyOf(studyID string) studyKey {
	sum := sha256.Sum256([]byte(studyID))
	return studyKey(sum[:8])
}
