package webhook_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

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
