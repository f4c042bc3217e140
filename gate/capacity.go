package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/userjourneys"
)

const (
	fetchTimeout = 10 * time.Second // of one request to the provider
	confirmAge   = 10 * time.Second // how old an answer may be at a click
	earlyPause   = 10 * time.Second // between two requests caused by completions
	retryPause   = time.Minute      // between two requests while the provider fails; see failed
	maxRetryWait = 15 * time.Minute // the longest Retry-After that is honored
)

// capacity caches what the provider says about one study. An answer is used
// while it is fresh. After that it is still used while a newer one is fetched,
// until it is stale. One request is in flight at a time, on no page's context,
// and readers take no lock.
//
// Everything known is one snapshot behind an atomic pointer. It is not kept in
// go-cache, because go-cache's lock, passed between two processors, takes longer
// than all checks together.
type capacity struct {
	finder         StudyFinder
	name           string
	freshFor       time.Duration
	staleAfter     time.Duration
	hosts          []string
	log            *slog.Logger
	flight         singleflight.Group
	refreshing     atomic.Bool // a refresh in the background is in flight
	mu             sync.Mutex  // held to replace the snapshot
	latestSnapshot atomic.Pointer[snapshot]
}

// A snapshot is all that is known about a study at one moment. It never changes.
type snapshot struct {
	study *study // the last answer, nil before the first

	// known is the last answer that identified the study. It is kept after the
	// study disappears: an identity, unlike a capacity, does not go stale.
	known *study

	failure error // why there is no newer answer, nil while the provider answers
	alarmed bool  // the failure has been logged as an Error
	retryAt time.Time

	completedAt time.Time // when a completion was last reported
	earlyAt     time.Time // when a completion last caused a request
}

func newCapacity(f StudyFinder, name string, o *Options) *capacity {
	c := &capacity{finder: f, name: name, freshFor: o.Fresh, staleAfter: o.Stale, hosts: o.LinkHosts, log: o.Logger}
	c.latestSnapshot.Store(&snapshot{})
	return c
}

func (c *capacity) latest() *snapshot { return c.latestSnapshot.Load() }

// update replaces the snapshot by a changed copy and returns what was before.
func (c *capacity) update(change func(s *snapshot)) (before *snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before = c.latest()
	after := *before
	change(&after)
	c.latestSnapshot.Store(&after)
	return before
}

// answer returns the cached answer if it is no older than maxAge, otherwise nil.
func (s *snapshot) answer(now time.Time, maxAge time.Duration) *study {
	if s.study != nil && s.study.age(now) <= maxAge {
		return s.study
	}
	return nil
}

// isDue reports whether a newer answer should be fetched.
func (s *snapshot) isDue(now time.Time) bool {
	return s.study.age(now) >= s.study.fresh || s.isOutdated(now)
}

// isOutdated reports whether a completion was reported after the answer was asked
// for. A stream of completions must not become a stream of requests.
func (s *snapshot) isOutdated(now time.Time) bool {
	return !s.completedAt.IsZero() && !s.completedAt.Before(s.study.askedAt) &&
		(s.earlyAt.IsZero() || now.Sub(s.earlyAt) >= earlyPause)
}

// mustWait returns the last failure while it is too early to try again.
func (s *snapshot) mustWait(now time.Time) error {
	if now.Before(s.retryAt) {
		return s.failure
	}
	return nil
}

// usable returns the cached answer if it is no older than maxAge, and starts a
// refresh if the answer is due for one. It never waits.
func (c *capacity) usable(now time.Time, maxAge time.Duration) *study {
	s := c.latest()
	answer := s.answer(now, maxAge)
	if answer != nil && s.isDue(now) {
		c.refresh(now)
	}
	return answer
}

// refresh fetches in the background, unless a fetch is in flight or it is too
// early after a failure.
func (c *capacity) refresh(now time.Time) {
	if c.latest().mustWait(now) != nil || !c.refreshing.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer c.refreshing.Store(false)
		_, _, _ = c.flight.Do(c.name, func() (any, error) { // fetch logs a failure
			return c.fetchUnless(func(s *snapshot, now time.Time) bool { return !s.isDue(now) })
		})
	}()
}

// get returns an answer no older than maxAge. It waits for one as long as ctx
// allows.
func (c *capacity) get(ctx context.Context, maxAge time.Duration) (*study, error) {
	began := time.Now()
	for {
		if s := c.usable(time.Now(), maxAge); s != nil {
			return s, nil
		}
		select {
		case r := <-c.flight.DoChan(c.name, func() (any, error) {
			return c.fetchUnless(func(s *snapshot, now time.Time) bool { return s.answer(now, maxAge) != nil })
		}):
			if r.Err != nil {
				return nil, r.Err
			}
			// The flight may have begun before this call and its answer may be too
			// old by now. One that was asked for since is as new as it gets.
			if s := r.Val.(*study); !s.askedAt.Before(began) {
				return s, nil
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("gate: the provider has not answered yet: %w", ctx.Err())
		}
	}
}

// down returns the last failure while the provider fails, and starts a refresh
// once it is time to try again. It never waits.
func (c *capacity) down(now time.Time) error {
	err := c.latest().failure
	if err != nil {
		c.refresh(now)
	}
	return err
}

// fetchUnless is one flight. It first checks whether the fetch is still needed,
// because another flight may have landed since the caller looked.
func (c *capacity) fetchUnless(enough func(s *snapshot, now time.Time) bool) (*study, error) {
	now, s := time.Now(), c.latest()
	if s.study != nil && enough(s, now) {
		return s.study, nil
	}
	if err := s.mustWait(now); err != nil {
		return nil, err
	}
	if s.study != nil && s.isOutdated(now) {
		c.update(func(s *snapshot) { s.earlyAt = now })
	}
	answer, err := c.fetch(s, now)
	if err != nil {
		err = fmt.Errorf("gate: provider: %w", err)
		c.failed(err, now)
		return nil, err
	}
	c.succeeded(answer)
	return answer, nil
}

// fetch asks the provider on a context of its own, because a caller that leaves
// must not take the answer away from the others.
func (c *capacity) fetch(s *snapshot, at time.Time) (*study, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	lookup := c.name
	if s.study != nil && s.study.exists {
		lookup = s.study.ID // one request instead of a list
	} // otherwise another study may have taken the name
	fresh := c.freshFor - rand.N(c.freshFor/10+1)
	found, err := guard.Get(func() (userjourneys.Study, error) { return c.finder.FindStudy(ctx, lookup) })
	switch {
	case errors.Is(err, userjourneys.ErrNotFound):
		if s.known != nil {
			found = s.known.Study
		}
		found.AcceptingResponses = false
		return newStudy(found, false, at, fresh, c.hosts), nil
	case err != nil:
		return nil, err
	case found.ID == "":
		return nil, errors.New("a study without an id")
	}
	return newStudy(found, true, at, fresh, c.hosts), nil
}

func (c *capacity) succeeded(answer *study) {
	before := c.update(func(s *snapshot) {
		s.study = answer
		if answer.ID != "" {
			s.known = answer
		}
		s.failure, s.alarmed, s.retryAt = nil, false, time.Time{}
	})
	if before.failure != nil {
		c.log.Info("askonce: the provider answers again", "study", c.name)
	}
	switch had := before.study; {
	case !answer.exists && (had == nil || had.exists):
		c.log.Warn("askonce: no active study with this id or name; prompts disabled", "study", c.name)
	case answer.exists && had != nil && !had.exists:
		c.log.Info("askonce: the study is active again", "study", c.name)
	}
	if answer.linkErr != nil && (before.study == nil || before.study.linkErr == nil) {
		c.log.Error("askonce: interview link refused; prompts disabled", "study", c.name, "err", answer.linkErr)
	}
}

// failed keeps the failure and logs it once until the provider answers again.
//
// The pause is counted from the beginning of the attempt, so a provider in trouble
// gets at most one attempt a minute for each study. The pause does not begin
// short and double, because an attempt of [userjourneys.Client] already consists
// of several requests with an exponential backoff between them.
func (c *capacity) failed(err error, began time.Time) {
	pause := retryPause
	var response *userjourneys.Error
	if errors.As(err, &response) {
		pause = max(pause, min(response.RetryAfter, maxRetryWait))
	}
	alarm := ""
	switch {
	case errors.Is(err, userjourneys.ErrUnauthorized):
		alarm = "askonce: the provider refuses the API key; prompts disabled"
	case errors.Is(err, userjourneys.ErrAmbiguous):
		alarm = "askonce: several studies have this name; configure the study's id"
	}
	before := c.update(func(s *snapshot) {
		s.failure = err
		s.retryAt = began.Add(pause + rand.N(pause/4))
		s.alarmed = s.alarmed || alarm != ""
	})
	switch {
	case alarm != "" && !before.alarmed:
		c.log.Error(alarm, "study", c.name)
	case alarm == "" && before.failure == nil:
		c.log.Warn("askonce: the provider does not answer", "study", c.name, "err", err, guard.Stack(err))
	}
}
