package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

func TestReconciliation(t *testing.T) {
	t.Parallel()
	for name, test := range reconcileCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// reconcileCases are tests, named by what they show.
var reconcileCases = map[string]func(t *testing.T){
	"items are recorded as deliveries are": withClient(webhook.Options{References: resolver{}}, func(b *clientBubble) {
		b.wire.add(interviewJSON("int-1", "user_1"), interviewJSON("int-2", "forged"), interviewJSON("int-3", "user_3"))
		b.reconcile()
		require.Equal(b.t, 3, b.recorded())
		require.Equal(b.t, "user_1", b.completion("int-1").UserID)
		require.Empty(b.t, b.completion("int-2").UserID, "the references are read as in a webhook")
		require.Len(b.t, b.jobs(false), 3)
	}),
	"pages follow each other by the last id": withClient(webhook.Options{}, func(b *clientBubble) {
		list := interviewList(250, time.Minute)
		b.wire.add(list...)
		b.reconcile()
		require.Equal(b.t, []string{"", list[99]["id"].(string), list[199]["id"].(string)}, b.cursors())
		require.Equal(b.t, 250, b.recorded())
	}),
	"a list that says more and has none ends whole": withClient(webhook.Options{}, func(b *clientBubble) {
		b.wire.next(listAnswer(true, interviewJSON("int-1", "ada")), listAnswer(true))
		b.reconcile()
		require.Len(b.t, b.wire.asked(), 2)
		require.Equal(b.t, 1, b.recorded())
	}),
	"newest first, the next walk stops after 72 hours": withClient(webhook.Options{}, func(b *clientBubble) {
		b.wire.add(interviewList(1000, time.Hour)...)
		b.reconcile()
		require.Len(b.t, b.cursors(), 10, "the first run sees everything")
		b.reconcile()
		require.Len(b.t, b.cursors(), 1, "then 72 hours are enough")
	}),
	"a cursor that is gone starts from the top": func(t *testing.T) {
		statuses := []int{400, 404}
		if testing.Short() || raceDetector {
			statuses = statuses[:1]
		}
		for _, status := range statuses {
			t.Run(strconv.Itoa(status), withClient(webhook.Options{}, func(b *clientBubble) {
				list := interviewList(5100, time.Minute)
				b.wire.add(list...)
				b.reconcile()
				b.wire.asked()
				b.wire.next(jsonAnswer(status, nil))
				b.reconcile()
				cursors := b.cursors()
				require.Equal(b.t, []string{list[4999]["id"].(string), ""}, cursors[:2])
				b.reconcile()
				require.Equal(b.t, 5100, b.recorded())
				b.wire.asked()
				b.wire.next(jsonAnswer(status, nil))
				require.Error(b.t, b.Reconcile(b.t.Context()), "from the top it is a failure")
			}))
		}
	},
	"an item that is inserted meanwhile is found": withClient(webhook.Options{}, func(b *clientBubble) {
		list := interviewList(250, time.Minute)
		b.wire.add(list...)
		b.wire.next(b.wire.serve, func(r *http.Request) (*http.Response, error) {
			b.wire.mu.Lock()
			b.wire.list = slices.Insert(b.wire.list, 0, interviewJSON("new", "zoe"))
			b.wire.mu.Unlock()
			return listAnswer(true, append(list[99:100:100], list[100:199]...)...)(r) // with pages by number, an insertion repeats an item
		})
		b.reconcile()
		require.Equal(b.t, 250, b.recorded())
		b.reconcile()
		require.Equal(b.t, 251, b.recorded(), "the next run sees what came meanwhile")
	}),
	"a rate limit on page two goes on behind the same item": withClient(webhook.Options{}, func(b *clientBubble) {
		list := interviewList(250, time.Minute)
		b.wire.add(list...)
		b.wire.next(b.wire.serve, jsonAnswer(429, nil, "Retry-After", "20"))
		begun := time.Now()
		b.reconcile()
		require.Equal(b.t, 20*time.Second, time.Since(begun))
		require.Equal(b.t, []string{"", list[99]["id"].(string), list[99]["id"].(string), list[199]["id"].(string)}, b.cursors())
		require.Equal(b.t, 250, b.recorded())
	}),
	"a crash on page two goes on from there": withClient(webhook.Options{}, func(b *clientBubble) {
		b.wire.add(interviewList(250, time.Hour)...)
		ctx, crash := context.WithCancel(b.t.Context())
		b.wire.next(b.wire.serve, func(*http.Request) (*http.Response, error) {
			crash()
			return nil, errors.New("test: the process is gone")
		})
		require.Error(b.t, b.Reconcile(ctx))
		require.Equal(b.t, 100, b.recorded())
		b.wire.asked()
		b.reconcile()
		require.Len(b.t, b.cursors(), 2, "behind the last whole page")
		require.Equal(b.t, 250, b.recorded())
	}),
	"an item that is not completed is passed": withClient(webhook.Options{}, func(b *clientBubble) {
		b.wire.add(interviewJSON("int-1", "ada", "status", "started"), interviewJSON("int-2", "bob"))
		b.reconcile()
		require.Equal(b.t, 1, b.recorded())
	}),
	"two replicas walk one list once": withClient(webhook.Options{}, func(b *clientBubble) {
		b.wire.add(interviewList(250, time.Minute)...)
		client, err := userjourneys.NewClient("uj_live_test", &userjourneys.Options{HTTPClient: &http.Client{Transport: b.wire}, Logger: discard})
		require.NoError(b.t, err)
		other, err := webhook.New(secret, b.store, &webhook.Options{Client: client, Studies: []string{studyID}, Logger: discard})
		require.NoError(b.t, err)
		ctx, stop := context.WithCancel(b.t.Context())
		defer stop()
		go func() { _ = other.Run(ctx) }()
		b.run()
		b.wait(5 * time.Minute)
		require.Equal(b.t, 250, b.recorded())
		lists := slices.DeleteFunc(b.wire.asked(), func(r *http.Request) bool { return r.URL.Path != "/api/v1/interviews" })
		require.LessOrEqual(b.t, len(lists), 6, "three pages each at most, at start")
		b.wait(time.Hour)
		lists = slices.DeleteFunc(b.wire.asked(), func(r *http.Request) bool { return r.URL.Path != "/api/v1/interviews" })
		require.InDelta(b.t, 6*3, len(lists), 6, "then one of the two")
	}),
	"the look-back is by the provider's clock": func(t *testing.T) {
		for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute, -100 * time.Hour} {
			t.Run(off.String(), withClient(webhook.Options{}, func(b *clientBubble) {
				list := interviewList(300, time.Hour)
				for _, i := range list {
					at, err := time.Parse(time.RFC3339Nano, i["created_at"].(string))
					require.NoError(b.t, err)
					i["created_at"] = at.Add(off).Format(time.RFC3339Nano)
				}
				b.wire.add(list...)
				b.reconcile()
				b.wire.asked()
				b.reconcile()
				require.Len(b.t, b.cursors(), 1, "the look-back is by the provider's clock")
			}))
		}
	},
	"a page has at most 100 items": func(t *testing.T) {
		w := &wire{}
		client, err := userjourneys.NewClient("uj_live_test", &userjourneys.Options{HTTPClient: &http.Client{Transport: w}})
		require.NoError(t, err)
		for range client.Interviews(t.Context(), userjourneys.InterviewFilter{StudyID: studyID, PageSize: 500}) {
			t.Fatal("the list is empty")
		}
		require.Equal(t, "100", w.asked()[0].URL.Query().Get("limit"))
	},
	"reconciliation needs studies": func(t *testing.T) {
		_, err := webhook.New(secret, memstore.New(), &webhook.Options{Client: &fakeInterviews{}})
		require.ErrorContains(t, err, "Studies")
	},
	"a long list is read in parts": withClient(webhook.Options{ReconcileEvery: time.Hour}, func(b *clientBubble) {
		n := 50_000
		if testing.Short() || raceDetector {
			n = 12_000
		}
		b.wire.add(interviewList(n, time.Second)...)
		b.reconcile()
		require.Len(b.t, b.cursors(), 50, "bounded")
		require.Equal(b.t, 5000, b.recorded())
		b.reconcile()
		require.Equal(b.t, fmt.Sprintf("int-%05d", n-4999), b.cursors()[0], "resumed")
	}),
}
