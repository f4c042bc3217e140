package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

// quota allows n pages in each window, and fails further ones with 429.
func quota(n int, window time.Duration, retryAfter bool) func() error {
	var began time.Time
	left := 0
	return func() error {
		if now := time.Now(); now.Sub(began) >= window {
			began, left = now, n
		}
		if left == 0 {
			if retryAfter {
				return status(429, time.Until(began.Add(window)))
			}
			return status(429, 0)
		}
		left--
		return nil
	}
}

// days returns n days, or one day if the tests are to be short.
func days(n int) time.Duration {
	if testing.Short() || raceDetector {
		n = 1
	}
	return time.Duration(n) * 24 * time.Hour
}

func TestAWeekWithAQuotaOfTenPagesInFifteenMinutesFindsEverything(t *testing.T) {
	t.Parallel()
	for name, retryAfter := range map[string]bool{"with Retry-After": true, "without Retry-After": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, webhook.Options{}, func(b *bubble) {
				list := interviews(5000)
				for i := range list { // so that three days are one page
					list[i].CreatedAt = time.Now().Add(-time.Duration(i) * time.Hour)
				}
				b.source.add(list...)
				b.source.everyPage = quota(10, 15*time.Minute, retryAfter)
				b.run()
				b.wait(3 * time.Hour)
				require.Equal(t, 5000, b.recorded(), "within hours")
				lost := completed("lost", "zoe")
				b.source.mu.Lock()
				b.source.list = slices.Insert(b.source.list, 0, lost)
				b.source.mu.Unlock()
				b.wait(days(7))
				require.Equal(t, 5001, b.recorded())
			})
		})
	}
}

// pickyStore always refuses some interviews.
type pickyStore struct {
	*memstore.Store
	refuses  map[string]error
	noted    *[]string // by AddDeadLetter
	refusals *int
}

func (s pickyStore) Record(ctx context.Context, c store.Completion) (bool, error) {
	if err := s.refuses[c.InterviewID]; err != nil {
		*s.refusals++
		return false, err
	}
	return s.Store.Record(ctx, c)
}

func (s pickyStore) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	*s.noted = append(*s.noted, d.Reason)
	return s.Store.AddDeadLetter(ctx, d)
}

func TestAnItemThatTheStoreRefusesHidesNoOtherAndIsNotedOnce(t *testing.T) {
	t.Parallel()
	span := days(3)
	if testing.Short() || raceDetector {
		span = days(1)
	}
	for _, c := range []struct {
		name  string
		items []int // refused, by their place in the list
		err   error
		bare  bool // the store keeps no dead letters
	}{
		{"for good", []int{9}, fmt.Errorf("test: %w", store.ErrPermanent), false},
		{"with another error", []int{9}, errors.New("test: value too long"), false},
		{"the first", []int{0}, errors.New("test"), false},
		{"the last", []int{299}, errors.New("test"), false},
		{"twenty in a row", []int{10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29}, errors.New("test"), false},
		{"around the end of a page", []int{98, 99, 100, 101}, errors.New("test"), false},
		{"no dead letters, for good", []int{9}, fmt.Errorf("test: %w", store.ErrPermanent), true},
		{"no dead letters, with another error", []int{9}, errors.New("test: value too long"), true},
		{"no dead letters, the first", []int{0}, errors.New("test"), true},
		{"no dead letters, the last", []int{299}, errors.New("test"), true},
		{"no dead letters, five at the top", []int{0, 1, 2, 3, 4}, errors.New("test"), true},
		{"no dead letters, twenty in a row", []int{10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29}, errors.New("test"), true},
		{"no dead letters, around the end of a page", []int{98, 99, 100, 101}, errors.New("test"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list := interviewsOf(300)
			s := pickyStore{memstore.New(), map[string]error{}, new([]string), new(int)}
			for _, n := range c.items {
				s.refuses[list[n]] = c.err
			}
			var around store.Store = s
			wantLetters := len(c.items)
			if c.bare {
				around, wantLetters = struct{ store.Store }{s}, 0
			}
			synctestHandler(t, around, webhook.Options{}, func(b *bubble) {
				b.store = s.Store
				b.source.add(interviews(300)...)
				b.run()
				b.wait(span)
				require.Equal(t, 300-len(c.items), b.recorded())
				require.Equal(t, len(c.items), strings.Count(b.log.String(), "interview cannot be recorded"), "each is said once")
				letters := 0
				for _, err := range s.DeadLetters(b.t.Context()) {
					require.NoError(t, err)
					letters++
				}
				require.Equal(t, wantLetters, letters)
				require.Less(t, len(*s.noted), 20*len(c.items), "and tried again less and less often")
				require.Less(t, *s.refusals, 40*len(c.items), "twice at each")
				health := b.health()
				require.WithinDuration(t, time.Now(), health.LastReconcile, 11*time.Minute, "the walk is whole")
			})
		})
	}
}

// fickleStore refuses one interview for another reason the second time.
type fickleStore struct {
	*memstore.Store
	tries *int
}

func (s fickleStore) Record(ctx context.Context, c store.Completion) (bool, error) {
	if c.InterviewID != "int-00002" {
		return s.Store.Record(ctx, c)
	}
	if *s.tries++; *s.tries == 1 {
		return false, errors.New("test: the connection was lost")
	}
	return false, fmt.Errorf("test: %w", store.ErrPermanent)
}

func TestAnItemThatTheStoreRefusesForGoodAtTheSecondTryIsNoted(t *testing.T) {
	t.Parallel()
	s := fickleStore{memstore.New(), new(int)}
	synctestHandler(t, s, webhook.Options{}, func(b *bubble) {
		b.store = s.Store
		b.source.add(interviews(3)...)
		require.NoError(t, b.Reconcile(t.Context()))
		require.Equal(t, 2, b.recorded())
		require.Equal(t, 1, strings.Count(b.log.String(), "interview cannot be recorded"))
		letters := 0
		for _, err := range s.DeadLetters(t.Context()) {
			require.NoError(t, err)
			letters++
		}
		require.Equal(t, 1, letters)
	})
}

// interviewsOf returns the ids of interviews(n).
func interviewsOf(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("int-%05d", n-i))
	}
	return ids
}

func TestAStoreThatIsDownIsNoFaultOfAnyItem(t *testing.T) {
	t.Parallel()
	s := &flakyStore{Store: memstore.New()}
	s.down.Store(true)
	synctestHandler(t, s, webhook.Options{}, func(b *bubble) {
		b.store = s.Store
		b.source.add(interviews(3)...)
		b.source.add(interviews(300)...)
		b.run()
		b.wait(time.Hour)
		require.NotContains(t, b.log.String(), "cannot be recorded")
		s.down.Store(false)
		b.wait(2 * time.Minute)
		require.Equal(t, 300, b.recorded())
	})
}

func TestAnEmptyPageEndsAWalkAsWhole(t *testing.T) {
	t.Parallel()
	withClient(webhook.Options{}, func(b *clientBubble) {
		list := interviewList(200, time.Minute)
		b.wire.add(list...)
		b.wire.claimsMore = true
		b.run()
		b.wait(6*time.Hour - time.Minute)
		require.Equal(t, 200, b.recorded())
		require.WithinDuration(t, time.Now(), b.health().LastReconcile, 11*time.Minute)
		walks := 0
		for _, r := range b.wire.asked() {
			if r.URL.Path == "/api/v1/interviews" {
				walks++
			}
		}
		require.LessOrEqual(t, walks, 108, "three pages every ten minutes at most")
	})(t)
}

func TestARowThatIsDeletedBetweenTwoPagesHidesNothingForLong(t *testing.T) {
	t.Parallel()
	withClient(webhook.Options{}, func(b *clientBubble) {
		list := interviewList(300, 10*time.Hour)
		b.wire.add(list...)
		b.wire.next(b.wire.serve, listAnswer(false)) // nothing follows a row that is gone
		b.reconcile()
		require.Equal(t, 100, b.recorded())
		b.reconcile()
		require.Equal(t, 300, b.recorded(), "the next walk finds the rest, new or old")
		b.wire.asked()
		b.reconcile()
		require.LessOrEqual(t, len(b.cursors()), 3)
	})(t)
}

func TestAnItemFromTheFutureHidesNothing(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{time.Hour, 71 * time.Hour, 72 * time.Hour, 1000 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, webhook.Options{}, func(b *bubble) {
				list := interviews(50)
				list[0].CreatedAt = time.Now().Add(ahead)
				b.source.add(list...)
				b.run()
				lost := completed("lost", "zoe")
				lost.CreatedAt = time.Now().Add(-60 * time.Hour) // created long ago, finished now
				b.source.add(lost)
				b.wait(10*time.Minute + time.Second)
				require.Equal(t, 51, b.recorded(), "found within one interval")
			})
		})
	}
}

func TestAPausedStudyIsStillWalkedAfterARestart(t *testing.T) {
	t.Parallel()
	for name, studies := range map[string][]string{"all": {}, "by name": {"Onboarding"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, s := newProject(), memstore.New()
				run := func(d time.Duration) {
					h, err := webhook.New(secret, s, &webhook.Options{Client: p, Studies: studies, Logger: discard})
					require.NoError(t, err)
					ctx, stop := context.WithTimeout(t.Context(), d)
					defer stop()
					require.NoError(t, h.Run(ctx))
				}
				run(time.Minute)
				p.mu.Lock()
				before := p.walked[onboarding]
				p.studies = nil
				p.mu.Unlock()
				run(time.Hour)
				p.mu.Lock()
				defer p.mu.Unlock()
				require.Greater(t, p.walked[onboarding], before)
			})
		})
	}
}

func TestANameThatNoStudyHasIsAnErrorThatSaysSo(t *testing.T) {
	t.Parallel()
	p := newProject()
	inBubble(t, webhook.Options{Client: p, Studies: []string{"Onboarding", "Onbording"}}, func(b *bubble) {
		err := b.Reconcile(b.t.Context())
		require.ErrorContains(t, err, `"Onbording"`)
		require.NotContains(t, err.Error(), `"Onboarding"`)
		require.Equal(t, onboarding, b.completion("of-"+onboarding).StudyID, "the others are walked")
		b.run()
		b.wait(5 * time.Hour)
		require.Equal(t, 1, strings.Count(b.log.String(), "no active study has this id or name"))
		require.WithinDuration(t, time.Now(), b.health().LastReconcile, 11*time.Minute)
	})
}

func TestFoundCompletionsAreReportedOnlyIfTheirDeliveriesAreLate(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var found []string
	opts := webhook.Options{OnProgress: func(_ context.Context, p webhook.Progress) {
		mu.Lock()
		defer mu.Unlock()
		if p.Step == webhook.StepFound {
			found = append(found, p.InterviewID)
		}
	}}
	inBubble(t, opts, func(b *bubble) {
		b.run()
		b.wait(10*time.Minute - time.Second)
		b.source.add(completed("just-now", "ada"))
		b.wait(2 * time.Second)
		b.receive("just-now", "ada")
		require.Equal(t, 1, b.recorded())
		require.NotContains(t, b.log.String(), "deliveries had not come", "it comes in a moment")
		b.source.add(completed("lost", "bob"))
		b.wait(10 * time.Minute)
		require.Equal(t, 1, strings.Count(b.log.String(), "deliveries had not come"))
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, []string{"lost"}, found)
	})
}

// hookless is a project without a webhook, until it has one.
type hookless struct {
	*fakeInterviews
	mu   sync.Mutex
	hook string
}

func (h *hookless) Webhook(context.Context) (userjourneys.Webhook, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hook == "" {
		return userjourneys.Webhook{}, &userjourneys.Error{StatusCode: http.StatusNotFound}
	}
	return userjourneys.Webhook{URL: h.hook}, nil
}

func TestAProjectWithoutAWebhookIsNamedOnce(t *testing.T) {
	t.Parallel()
	h := &hookless{fakeInterviews: &fakeInterviews{}}
	inBubble(t, webhook.Options{Client: h, URL: "https://app.example/hook"}, func(b *bubble) {
		register := func(url string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.hook = url
		}
		b.run()
		b.wait(time.Hour)
		require.Equal(t, 1, strings.Count(b.log.String(), "no webhook is registered"))
		require.True(t, b.health().NoWebhook)
		require.False(t, b.health().OtherWebhook)
		register("https://other.example/hook")
		b.wait(time.Hour)
		require.Equal(t, 1, strings.Count(b.log.String(), "a webhook is registered again"))
		require.False(t, b.health().NoWebhook)
		require.True(t, b.health().OtherWebhook)
		register("https://app.example/hook")
		b.wait(time.Hour)
		require.False(t, b.health().OtherWebhook)
	})
}

func TestAWrongBaseURLIsNoMissingWebhook(t *testing.T) {
	t.Parallel()
	for name, studies := range map[string][]string{"one by id": {"e5f6a7b8-1234-56cd-ef78-222222222222"}, "by name": {"Onboarding Feedback"}} {
		t.Run(name, withClient(webhook.Options{Studies: studies}, func(b *clientBubble) {
			for range 1000 {
				b.wire.next(textAnswer(http.StatusNotFound, "text/html", "<h1>Not found</h1>"))
			}
			b.run()
			b.wait(time.Hour)
			require.Contains(b.t, b.log.String(), "reconciliation fails")
			require.NotContains(b.t, b.log.String(), "no webhook is registered")
			require.False(b.t, b.health().NoWebhook)
		}))
	}
}

// clumsyClient panics when the loop over its interviews ends early.
type clumsyClient struct{ *fakeInterviews }

func (c clumsyClient) Interviews(ctx context.Context, f userjourneys.InterviewFilter) iter.Seq2[userjourneys.Interview, error] {
	return func(yield func(userjourneys.Interview, error) bool) {
		for i, err := range c.fakeInterviews.Interviews(ctx, f) {
			if !yield(i, err) {
				panic("test: yield returned false")
			}
		}
	}
}

func TestAWalkThatStopsEarlySurvivesAPanicOfTheIterator(t *testing.T) {
	t.Parallel()
	source := &fakeInterviews{}
	inBubble(t, webhook.Options{Client: clumsyClient{source}}, func(b *bubble) {
		list := interviews(50)
		for i := range list {
			list[i].CreatedAt = time.Now().Add(-time.Duration(i) * 12 * time.Hour)
		}
		source.add(list...)
		require.NoError(t, b.Reconcile(t.Context()), "the first walk sees everything")
		source.items = 0
		require.NoError(t, b.Reconcile(t.Context()))
		require.Less(t, source.items, 50, "the second stops early")
		require.Equal(t, 1, strings.Count(b.log.String(), "the app's code panicked"))
	})
}

func TestAFinishedWalkIsReportedOnceItsLeaseIsReleased(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	free := 0
	opts := webhook.Options{OnProgress: func(ctx context.Context, p webhook.Progress) {
		if p.Step == webhook.StepReconciled {
			_, acquired, err := s.Acquire(ctx, "reconcile/"+studyID, "another replica", time.Second)
			require.NoError(t, err)
			require.True(t, acquired)
			free++
		}
	}}
	synctestHandler(t, s, opts, func(b *bubble) {
		require.NoError(t, b.Reconcile(t.Context()))
		require.Equal(t, 1, free)
	})
}

// hangingStore takes 5 s for every record and then fails, but for the interview "good".
// It notes when a lease is extended.
type hangingStore struct {
	*memstore.Store
	saved atomic.Int64
}

func (s *hangingStore) Record(ctx context.Context, c store.Completion) (bool, error) {
	if c.InterviewID == "good" {
		return s.Store.Record(ctx, c)
	}
	<-ctx.Done()
	return false, ctx.Err()
}

func (s *hangingStore) Save(ctx context.Context, name, holder, state string, lease time.Duration) error {
	s.saved.Add(1)
	return s.Store.Save(ctx, name, holder, state, lease)
}

func TestRunEndsSoonWhileTheStoreHangs(t *testing.T) {
	t.Parallel()
	s := &hangingStore{Store: memstore.New()}
	synctestHandler(t, s, webhook.Options{}, func(b *bubble) {
		b.source.add(interviews(100)...)
		b.run()
		b.wait(time.Second)
		cancelled := time.Now()
		b.stop()
		<-b.ended
		require.LessOrEqual(t, time.Since(cancelled), 10*time.Second)
	})
}

func TestAWalkKeepsItsLeaseWhileTheStoreRefusesItems(t *testing.T) {
	t.Parallel()
	s := &hangingStore{Store: memstore.New()}
	synctestHandler(t, s, webhook.Options{}, func(b *bubble) {
		list := interviews(49)
		b.source.add(append([]userjourneys.Interview{completed("good", "ada")}, list...)...)
		b.run()
		b.wait(6 * time.Minute) // longer than the lease
		require.Positive(t, s.saved.Load())
		_, acquired, err := s.Acquire(t.Context(), "reconcile/"+studyID, "another replica", time.Minute)
		require.NoError(t, err)
		require.False(t, acquired)
	})
}

func TestManyInterviewsThatCannotBeRecordedAreLoggedOnceEach(t *testing.T) {
	t.Parallel()
	const n = 6000
	inBubble(t, webhook.Options{Policy: func(store.Completion) webhook.Verdict { panic("lost") }}, func(b *bubble) {
		b.source.add(interviews(n)...)
		b.run()
		b.wait(3 * time.Hour)
		require.Equal(t, n, strings.Count(b.log.String(), "interview cannot be recorded"))
		require.Equal(t, n, strings.Count(b.log.String(), "the app's code panicked"))
	})
}
