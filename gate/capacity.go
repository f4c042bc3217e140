package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/internal/loopback"
	"github.com/askonce/askonce/userjourneys"
)

const (
	fetchTimeout = 10 * time.Second // of one request to the provider
	confirmAge   = 10 * time.Second // how old an answer may be at a click
	earlyPause   = 10 * time.Second // between two requests caused by completions
	retryPause   = time.Minute      // between two requests while the provider fails; see failed
	maxRetryWait = 15 * time.Minute // the longest Retry-After that is respected
)

// capacity caches the provider's answer about one study. An answer older than freshFor is
// still used, until staleAfter, while a newer one is fetched. At most one request is in
// flight, with its own context, and readers take no lock.
//
// The cache is one snapshot behind an atomic pointer. It is not in go-cache, because two
// processors that contend for go-cache's lock need longer than all checks together.
type capacity struct {
	finder     StudyFinder
	name       string
	freshFor   time.Duration
	staleAfter time.Duration
	hosts      []string
	log        *slog.Logger
	flight     singleflight.Group
	refreshing atomic.Bool // a refresh in the background is in flight
	mu         sync.Mutex  // held to replace the snapshot
	snapshot   atomic.Pointer[snapshot]
}

// A snapshot is all that is known about a study at one moment. It is immutable.
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
	c.snapshot.Store(&snapshot{})
	return c
}

// update replaces the snapshot with a changed copy and returns the previous one.
func (c *capacity) update(change func(s *snapshot)) (before *snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before = c.snapshot.Load()
	after := *before
	change(&after)
	c.snapshot.Store(&after)
	return before
}

// answer returns the cached answer if it is no older than maxAge, otherwise nil.
func (s *snapshot) answer(now time.Time, maxAge time.Duration) *study {
	if s.study != nil && s.study.age(now) <= maxAge {
		return s.study
	}
	return nil
}

// isDue reports whether a newer answer should be fetched. A completion that was reported
// since makes that earlier, but a stream of completions must not become a stream of
// requests.
func (s *snapshot) isDue(now time.Time) bool {
	return s.study.age(now) >= s.study.fresh ||
		!s.completedAt.Before(s.study.askedAt) && now.Sub(s.earlyAt) >= earlyPause
}

// mustWait returns the last failure while it is too early to try again.
func (s *snapshot) mustWait(now time.Time) error {
	if now.Before(s.retryAt) {
		return s.failure
	}
	return nil
}

// refresh fetches in the background, unless a refresh is in flight or it is too early
// after a failure.
func (c *capacity) refresh(now time.Time) {
	if c.snapshot.Load().mustWait(now) != nil || !c.refreshing.CompareAndSwap(false, true) {
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
		if s := c.snapshot.Load().answer(time.Now(), maxAge); s != nil {
			return s, nil
		}
		select {
		case r := <-c.flight.DoChan(c.name, func() (any, error) {
			return c.fetchUnless(func(s *snapshot, now time.Time) bool { return s.answer(now, maxAge) != nil })
		}):
			if r.Err != nil {
				return nil, r.Err
			}
			// The flight may have begun before this call, so its answer may be too old
			// by now. No answer is newer than one that was requested since.
			if s := r.Val.(*study); !s.askedAt.Before(began) {
				return s, nil
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("gate: the provider has not answered yet: %w", ctx.Err())
		}
	}
}

// down returns the last failure if the provider has not answered since, and starts a
// refresh once it is time to try again. It never waits.
func (c *capacity) down(now time.Time) error {
	err := c.snapshot.Load().failure
	if err != nil {
		c.refresh(now)
	}
	return err
}

// fetchUnless is one flight. It first checks whether the fetch is still needed,
// because another flight may have landed since the caller looked.
func (c *capacity) fetchUnless(enough func(s *snapshot, now time.Time) bool) (*study, error) {
	now, s := time.Now(), c.snapshot.Load()
	if s.study != nil && enough(s, now) {
		return s.study, nil
	}
	if err := s.mustWait(now); err != nil {
		return nil, err
	}
	if s.study != nil && !s.completedAt.Before(s.study.askedAt) {
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

// fetch calls the provider with its own context, because one caller that gives up
// must not fail the others.
func (c *capacity) fetch(s *snapshot, at time.Time) (*study, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	lookup := c.name // of a missing study, because another one may have taken its name
	if s.study != nil && s.study.exists {
		lookup = s.study.ID // one request instead of a list
	}
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
		c.log.Warn("askonce: no active study with this id or name; no prompts for this study", "study", c.name)
	case answer.exists && had != nil && !had.exists:
		c.log.Info("askonce: the study is active again", "study", c.name)
	}
	if answer.linkErr != nil && (before.study == nil || before.study.linkErr == nil) {
		c.log.Error("askonce: interview link refused; no prompts for this study", "study", c.name, "err", answer.linkErr)
	}
}

// failed keeps the failure and logs it once until the provider answers again.
//
// The pause counts from the beginning of the attempt, so a failing provider gets at most
// one attempt a minute for each study. There is no exponential backoff here, because
// [userjourneys.Client] already makes several requests with one in each attempt.
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

// study is one answer of the provider. It is immutable.
type study struct {
	userjourneys.Study
	exists  bool          // false: the provider has no such active study
	askedAt time.Time     // when it was requested: it may be as old as the request
	fresh   time.Duration // how long it is used without asking again

	// places is how many more responses the study takes now: 0 for none,
	// negative for no known limit.
	places int
	// since is when the period of the limit with the fewest places left began, and
	// used how many responses it has had.
	since time.Time
	used  int
	// linkErr says why the interview link must not be followed, or is nil.
	linkErr error
}

func newStudy(s userjourneys.Study, exists bool, at time.Time, fresh time.Duration, hosts []string) *study {
	s.ID = userjourneys.CanonicalID(s.ID) // as the webhook keys completions
	n := &study{Study: s, exists: exists, askedAt: at, fresh: fresh, places: -1}
	if exists {
		n.linkErr = checkLink(s.InterviewLink, hosts)
	}
	if !s.AcceptingResponses {
		n.places = 0
		return n
	}
	day := at.UTC().Truncate(24 * time.Hour)
	for _, l := range []struct {
		limit *userjourneys.Limit
		since time.Time
	}{
		{s.Limits.Monthly, day.AddDate(0, 0, 1-day.Day())},              // the provider does not say when monthly limits reset
		{s.Limits.Weekly, day.AddDate(0, 0, -(int(day.Weekday())+6)%7)}, // Monday
	} {
		if l.limit == nil {
			continue
		}
		if left := max(0, l.limit.Limit-l.limit.Used); n.places < 0 || left < n.places {
			n.places, n.since, n.used = left, l.since, l.limit.Used
		}
	}
	return n
}

// age returns the greater of the ages by the monotonic clock and by the wall clock:
// neither a clock that was set back nor a suspended machine makes an old answer look new.
func (s *study) age(now time.Time) time.Duration {
	return max(now.Sub(s.askedAt), time.Duration(now.UnixNano()-s.askedAt.UnixNano()))
}

// suitable returns the first of the wanted languages that a study supports, in the
// study's spelling, or "". Tags match by their primary subtag (RFC 5646, section
// 2.2.1); an exact match wins. The provider's "no" serves nb and nn too, and
// English is always supported.
//
// golang.org/x/text/language would parse the visitor's tags for every page. This
// allocates nothing.
func suitable(supported, wanted []string) string {
	for _, want := range wanted {
		for _, have := range supported {
			if strings.EqualFold(have, want) {
				return have
			}
		}
		for _, have := range supported {
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

// providerHost is the provider's domain. Interview links lead to it or to a subdomain.
const providerHost = "userjourneys.ai"

// checkLink returns an error unless link is safe to follow with a reference in it: it
// must be https and lead to the provider or to one of hosts. A fake provider on a
// loopback address may use http.
func checkLink(link string, hosts []string) error {
	u, err := checkScheme(link)
	if err != nil {
		return err
	}
	host := strings.ToLower(u.Hostname())
	if host == providerHost || strings.HasSuffix(host, "."+providerHost) || slices.Contains(hosts, host) || loopback.URL(u) {
		return nil
	}
	return fmt.Errorf("gate: the interview link leads to the host %q: add it to Options.LinkHosts if that is right", host)
}

func checkScheme(link string) (*url.URL, error) {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || !loopback.Secure(u) {
		return nil, errors.New("gate: the interview link is not an https URL")
	}
	return u, nil
}
