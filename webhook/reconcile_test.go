package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

// interviews returns n interviews, newest first, a minute apart.
func interviews(n int) (list []userjourneys.Interview) {
	now := time.Now().UTC()
	for i := range n {
		iv := completed(fmt.Sprintf("int-%05d", n-i), fmt.Sprintf("user_%d", n-i))
		iv.CreatedAt = now.Add(-time.Duration(i) * time.Minute)
		list = append(list, iv)
	}
	return list
}

func (b *bubble) recorded() (n int) {
	for _, err := range b.store.Completions(b.t.Context(), store.Filter{}) {
		require.NoError(b.t, err)
		n++
	}
	return n
}

func TestReconcileRecordsWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"newest first", "oldest first", "no order"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			inBubble(t, webhook.Options{}, func(b *bubble) {
				list := interviews(250)
				list[7].Status = userjourneys.StatusStarted // in spite of the filter
				switch order {
				case "oldest first":
					slices.Reverse(list)
				case "no order":
					slices.SortFunc(list, func(a, b userjourneys.Interview) int {
						return strings.Compare(a.ID[len(a.ID)-1:]+a.ID, b.ID[len(b.ID)-1:]+b.ID)
					})
				}
				b.source.add(list...)
				require.NoError(t, b.Reconcile(b.t.Context()))
				require.Equal(t, 249, b.recorded())
			})
		})
	}
}

func TestReconcileRunsAtStartAndEveryTenMinutes(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		b.source.add(completed("int-1", "ada"))
		b.run()
		require.Equal(t, 1, b.recorded())
		b.source.add(completed("int-2", "bob"))
		b.wait(10*time.Minute - time.Second)
		require.Equal(t, 1, b.recorded())
		b.wait(2 * time.Second)
		require.Equal(t, 2, b.recorded())
	})
}

func TestReconcileStopsBelowTheLookBackWhenNewestFirst(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		list := interviews(10 * 24) // made an hour apart below: ten days
		for i := range list {
			list[i].CreatedAt = time.Now().Add(-time.Duration(i) * time.Hour)
		}
		b.source.add(list...)
		require.NoError(t, b.Reconcile(b.t.Context()))
		require.Equal(t, len(list), b.source.items, "the first walk sees everything")
		b.source.items = 0
		require.NoError(t, b.Reconcile(b.t.Context()))
		require.InDelta(t, 73, b.source.items, 2, "then 72 hours are enough")

		// An interview that was created long ago and finished just now.
		b.source.mu.Lock()
		late := completed("late", "zoe")
		late.CreatedAt = list[70].CreatedAt.Add(-time.Minute)
		b.source.list = slices.Insert(b.source.list, 71, late)
		b.source.mu.Unlock()
		before := b.recorded()
		require.NoError(t, b.Reconcile(b.t.Context()))
		require.Equal(t, before+1, b.recorded())
	})
}

func TestReconcileTakesTheServersClock(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		list := interviews(300)
		for i := range list { // the provider's clock is 100 hours behind ours
			list[i].CreatedAt = time.Now().Add(-100*time.Hour - time.Duration(i)*time.Hour)
		}
		b.source.add(list...)
		require.NoError(t, b.Reconcile(b.t.Context()))
		b.source.items = 0
		require.NoError(t, b.Reconcile(b.t.Context()))
		require.InDelta(t, 73, b.source.items, 2)
	})
}

// listing is a provider that also lists its active studies.
type listing struct {
	*fakeInterviews
	active []string
}

func (l *listing) Studies(context.Context) iter.Seq2[userjourneys.Study, error] {
	return func(yield func(userjourneys.Study, error) bool) {
		l.mu.Lock()
		active, broken := slices.Clone(l.active), l.broken
		l.mu.Unlock()
		for _, id := range active {
			if !yield(userjourneys.Study{ID: id}, nil) {
				return
			}
		}
		if broken != nil {
			yield(userjourneys.Study{}, broken)
		}
	}
}

// TestReconcileRemembersAPausedStudy checks that interviews that were under way when
// their study was paused are found.
func TestReconcileRemembersAPausedStudy(t *testing.T) {
	t.Parallel()
	l := &listing{fakeInterviews: &fakeInterviews{}, active: []string{studyID}}
	inBubble(t, webhook.Options{Client: l, Studies: []string{}}, func(b *bubble) {
		b.run()
		l.mu.Lock()
		l.active = nil
		l.mu.Unlock()
		l.add(completed("int-1", "ada"))
		b.wait(time.Hour)
		require.Equal(t, 1, b.recorded())
		l.add(completed("int-2", "bob"))
		b.wait(74 * time.Hour)
		require.Equal(t, 2, b.recorded())
		l.add(completed("int-3", "eve"))
		b.wait(24 * time.Hour)
		require.Equal(t, 2, b.recorded(), "it is not requested forever")
	})
}

// TestReconcileForgetsADeletedStudy checks that the missing list of a deleted study
// is not a failure.
func TestReconcileForgetsADeletedStudy(t *testing.T) {
	t.Parallel()
	l := &listing{fakeInterviews: &fakeInterviews{}, active: []string{studyID}}
	inBubble(t, webhook.Options{Client: l, Studies: []string{}}, func(b *bubble) {
		b.run()
		l.mu.Lock()
		l.active = nil
		l.pages = append(l.pages, func() error { return status(404, 0) })
		l.mu.Unlock()
		b.wait(time.Hour)
		_, walks := l.counts()
		require.Equal(t, 2, walks, "once while it was there, once to find it gone")
		require.NotContains(t, b.log.String(), "WARN")
	})
}

// TestReconcileDoesNotBelieveTheFuture checks that an item created in the year 9999
// does not make all later items look old.
func TestReconcileDoesNotBelieveTheFuture(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		list := interviews(3)
		list[0].CreatedAt = time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -12*60*60))
		b.source.add(list...)
		require.NoError(t, b.Reconcile(b.t.Context()))
		b.source.add(completed("behind", "zoe"))
		require.NoError(t, b.Reconcile(b.t.Context()))
		require.Equal(t, 4, b.recorded())
	})
}

func TestReconcileFailures(t *testing.T) {
	t.Parallel()
	ok := func() error { return nil }
	t.Run("a broken page fails the run, and the next one goes on there", func(t *testing.T) {
		t.Parallel()
		inBubble(t, webhook.Options{}, func(b *bubble) {
			b.source.add(interviews(250)...)
			b.source.pages = append(b.source.pages, ok, func() error { return userjourneys.ErrUnexpectedResponse })
			require.ErrorIs(t, b.Reconcile(b.t.Context()), userjourneys.ErrUnexpectedResponse)
			require.Equal(t, 100, b.recorded())
			require.NoError(t, b.Reconcile(b.t.Context()))
			require.Equal(t, 250, b.recorded())
			require.Equal(t, []string{"", "int-00151"}, b.source.after)
		})
	})
	t.Run("429 on page 2 waits and goes on behind the same item", func(t *testing.T) {
		t.Parallel()
		inBubble(t, webhook.Options{}, func(b *bubble) {
			list := interviews(250)
			b.source.add(list...)
			b.source.pages = append(b.source.pages, ok, func() error { return status(429, 20*time.Second) })
			begun := time.Now()
			require.NoError(t, b.Reconcile(b.t.Context()))
			require.Equal(t, 20*time.Second, time.Since(begun))
			require.Equal(t, 250, b.recorded())
			require.Equal(t, []string{"", list[99].ID}, b.source.after)
		})
	})
	t.Run("a store that is down fails the run", func(t *testing.T) {
		t.Parallel()
		inBubble(t, webhook.Options{}, func(b *bubble) {
			b.source.add(interviews(3)...)
			require.NoError(t, b.store.Close())
			require.Error(t, b.Reconcile(b.t.Context()))
		})
	})
	t.Run("trouble brings the next run forward", func(t *testing.T) {
		t.Parallel()
		inBubble(t, webhook.Options{}, func(b *bubble) {
			b.source.add(interviews(3)...)
			b.source.pages = append(b.source.pages, func() error { return errors.New("test") })
			b.run()
			require.Zero(t, b.recorded())
			b.wait(61 * time.Second)
			require.Equal(t, 3, b.recorded())
		})
	})
}

func TestReconcileNoticesALoop(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		page := interviews(60)
		for range 10 {
			b.source.add(page...)
		}
		require.ErrorContains(t, b.Reconcile(b.t.Context()), "repeats itself")
		require.Less(t, b.source.items, 200)
		require.Equal(t, 60, b.recorded())
	})
}

// TestReconcileIsNotStoppedByOneItem checks that an item that cannot be recorded
// does not hide the items after it.
func TestReconcileIsNotStoppedByOneItem(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		list := interviews(6)
		list[0].QualityScore, list[0].Language = "a\x00b", strings.Repeat("x", 1000)
		list[1].ReferenceID = "a\x00b"
		list[2].ID = "../" + list[2].ID
		list[3].StudyID = "" // it is in the list of one study
		list[4].CompletedAt = time.Time{}
		list[5].StudyID = strings.ToUpper(studyID)
		b.source.add(list...)
		require.NoError(t, b.Reconcile(b.t.Context()))
		require.Equal(t, 5, b.recorded())
		require.Equal(t, studyID, b.completion(list[3].ID).StudyID)
		require.Equal(t, studyID, b.completion(list[5].ID).StudyID)
		require.WithinDuration(t, time.Now(), b.completion(list[4].ID).CompletedAt, time.Second)
	})
}

// TestReconcileSeesThroughAnOrderThatOnlyLooksLikeOne has a list that begins newest
// first and continues in another order.
func TestReconcileSeesThroughAnOrderThatOnlyLooksLikeOne(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		list := interviews(300)
		for i := range list {
			list[i].CreatedAt = time.Now().Add(-time.Duration(i) * time.Hour)
		}
		b.source.add(list...)
		b.run()
		b.wait(time.Minute)
		require.Equal(t, 300, b.recorded())
		hidden := completed("hidden", "zoe")
		b.source.add(hidden) // new, at the very end
		b.wait(time.Hour)
		require.Equal(t, 300, b.recorded())
		b.wait(24 * time.Hour)
		require.Equal(t, 301, b.recorded(), "once a day it is read to the end")
	})
}

func TestReconcileReportsAChangeOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		b.source.broken = errors.New("test: network")
		b.run()
		b.wait(3 * time.Hour)
		require.Equal(t, 1, strings.Count(b.log.String(), "\n"), b.log.String())
		b.source.mu.Lock()
		b.source.broken = nil
		b.source.mu.Unlock()
		b.source.add(interviews(3)...)
		b.wait(3 * time.Hour)
		require.Equal(t, 1, strings.Count(b.log.String(), "works again"))
		require.Equal(t, 1, strings.Count(b.log.String(), "completions=3"), "found ones are summed up")
	})
}

func TestReconcileLeavesTheProviderAlone(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		b.source.add(interviews(3)...)
		b.source.pages = append(b.source.pages, func() error { return status(429, 30*time.Minute) })
		b.run()
		b.wait(30*time.Minute - time.Second)
		_, walks := b.source.counts()
		require.Equal(t, 1, walks)
		b.wait(2 * time.Second)
		require.Equal(t, 3, b.recorded())
	})
}

func TestReconcileGoesOnSoonWhenThereIsMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, s := &fakeInterviews{}, queueless{memstore.New()}
		source.add(interviews(12_000)...)
		h, err := webhook.New(secret, s, &webhook.Options{Client: source, Studies: []string{studyID}, Logger: discard})
		require.NoError(t, err)
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute+time.Second)
		defer stop()
		require.NoError(t, h.Run(ctx))
		require.Equal(t, []string{"", "int-07001", "int-02001"}, source.after)
		done, err := s.Completed(t.Context(), store.Key{StudyID: studyID, UserID: "user_1"})
		require.NoError(t, err)
		require.True(t, done)
	})
}

// queueless is a store that keeps no transcripts and no checkpoints.
type queueless struct{ s store.Store }

func (q queueless) Completed(ctx context.Context, k store.Key) (bool, error) {
	return q.s.Completed(ctx, k)
}

func (q queueless) Record(ctx context.Context, c store.Completion) (bool, error) {
	return q.s.Record(ctx, c)
}

func TestReconcileWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		b.source.add(interviews(3)...)
		_, acquired, err := b.store.Acquire(b.t.Context(), "reconcile/"+studyID, "another", time.Minute)
		require.NoError(t, err)
		require.True(t, acquired)
		begun := time.Now()
		require.NoError(t, b.Reconcile(b.t.Context()))
		require.InDelta(t, 60, time.Since(begun).Seconds(), 3)
		require.Equal(t, 3, b.recorded())
	})
}

func TestReconcileIsBoundedAndResumes(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		const n = 12000
		list := interviews(n)
		b.source.add(list...)
		require.NoError(t, b.Reconcile(b.t.Context()))
		require.Equal(t, 5000, b.recorded())
		require.NoError(t, b.Reconcile(b.t.Context()))
		require.NoError(t, b.Reconcile(b.t.Context()))
		require.Equal(t, n, b.recorded())
		require.Equal(t, []string{"", list[4999].ID, list[9999].ID}, b.source.after)
	})
	t.Run("from the top when the place is gone", func(t *testing.T) {
		t.Parallel()
		inBubble(t, webhook.Options{}, func(b *bubble) {
			list := interviews(6000)
			b.source.add(list...)
			require.NoError(t, b.Reconcile(b.t.Context()))
			b.source.mu.Lock()
			b.source.list = slices.Delete(b.source.list, 4999, 5000)
			b.source.mu.Unlock()
			require.NoError(t, b.Reconcile(b.t.Context()))
			require.Equal(t, []string{"", list[4999].ID, ""}, b.source.after)
		})
	})
}

func TestReconcileIsSharedByReplicas(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		b.source.add(interviews(3)...)
		b.run()
		_, first := b.source.counts()
		require.Equal(t, 1, first)
		other, err := webhook.New(secret, b.store, &webhook.Options{Client: b.source, Studies: []string{studyID}, Logger: discard})
		require.NoError(t, err)
		go func() { _ = other.Run(b.t.Context()) }()
		b.wait(time.Hour + time.Minute)
		_, walks := b.source.counts()
		require.InDelta(t, 8, walks, 2, "six walks in an hour and one at each start, not twelve")
	})
}

func TestReconcileWarnsOnceOfAnotherURL(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{URL: "https://app.example/hook"}, func(b *bubble) {
		b.source.webhook.URL = "https://laptop.example/hook"
		b.run()
		b.wait(time.Hour)
		require.Equal(t, 1, strings.Count(b.log.String(), "delivers to another URL"))
		b.source.mu.Lock()
		b.source.webhook.URL = "https://app.example/hook"
		b.source.mu.Unlock()
		b.wait(time.Hour)
		require.Equal(t, 1, strings.Count(b.log.String(), "delivers here again"))
		synctest.Wait()
	})
}

func TestAURLNeedsAClientThatReadsTheWebhook(t *testing.T) {
	t.Parallel()
	opts := &webhook.Options{Client: struct{ webhook.Client }{&fakeInterviews{}}, Studies: []string{studyID}, URL: "https://app.example/hook"}
	_, err := webhook.New(secret, memstore.New(), opts)
	require.ErrorContains(t, err, "URL does nothing")
	opts.Client = &fakeInterviews{}
	_, err = webhook.New(secret, memstore.New(), opts)
	require.NoError(t, err)
}

func TestReconcileNeedsStudies(t *testing.T) {
	t.Parallel()
	_, err := webhook.New(secret, memstore.New(), &webhook.Options{Client: &fakeInterviews{}})
	require.ErrorContains(t, err, "Studies")
	_, err = webhook.New(secret, memstore.New(), &webhook.Options{Client: &fakeInterviews{}, ReconcileEvery: -1})
	require.NoError(t, err)
}
