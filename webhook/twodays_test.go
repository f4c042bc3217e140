package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http/httptest"
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
	"github.com/askonce/askonce/webhook/webhooktest"
)

// unreliable is a provider whose API fails now and then, and for hours when its
// key is refused.
type unreliable struct {
	mu      sync.Mutex
	rng     *rand.Rand
	list    []userjourneys.Interview // newest last
	well    bool
	refuses bool
}

// trouble is nil, or an error as the provider has it today.
func (u *unreliable) trouble() error {
	switch {
	case u.well:
		return nil
	case u.refuses:
		return status(401, 0)
	case u.rng.IntN(3) > 0:
		return nil
	}
	return []error{
		status(500, 0), status(503, 30*time.Second), status(429, 40*time.Second), status(404, 0),
		errors.New("test: connection reset"), context.DeadlineExceeded, userjourneys.ErrUnexpectedResponse,
	}[u.rng.IntN(7)]
}

func (u *unreliable) Interview(_ context.Context, id string) (userjourneys.Interview, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.trouble(); err != nil {
		return userjourneys.Interview{}, err
	}
	for _, i := range u.list {
		if i.ID != id {
			continue
		}
		switch n := u.rng.IntN(10); {
		case u.well:
		case n == 0:
			i.Status = userjourneys.StatusProcessing
		case n == 1:
			i.Transcript = nil
		case n == 2:
			return u.list[u.rng.IntN(len(u.list))], nil // anybody's
		}
		return i, nil
	}
	return userjourneys.Interview{}, status(404, 0)
}

func (u *unreliable) Interviews(_ context.Context, f userjourneys.InterviewFilter) iter.Seq2[userjourneys.Interview, error] {
	return func(yield func(userjourneys.Interview, error) bool) {
		u.mu.Lock()
		list := append([]userjourneys.Interview(nil), u.list...)
		u.mu.Unlock()
		started := f.After == ""
		for n := len(list) - 1; n >= 0; n-- {
			if !started {
				started = list[n].ID == f.After
				continue
			}
			if n%100 == 99 || n == len(list)-1 { // a page
				u.mu.Lock()
				err := u.trouble()
				u.mu.Unlock()
				if err != nil {
					yield(userjourneys.Interview{}, err)
					return
				}
			}
			if !yield(list[n], nil) {
				return
			}
		}
	}
}

// flakyStore is down for a while.
type flakyStore struct {
	*memstore.Store
	down atomic.Bool
}

var errDown = errors.New("test: the store is down")

func (s *flakyStore) Record(ctx context.Context, c store.Completion) (bool, error) {
	if s.down.Load() {
		return false, errDown
	}
	return s.Store.Record(ctx, c)
}

func (s *flakyStore) ClaimJobs(ctx context.Context, lease time.Duration, limit int) ([]store.Job, error) {
	if s.down.Load() {
		return nil, errDown
	}
	return s.Store.ClaimJobs(ctx, lease, limit)
}

func (s *flakyStore) SaveTranscript(ctx context.Context, j store.Job, t store.Transcript) error {
	if s.down.Load() {
		return errDown
	}
	return s.Store.SaveTranscript(ctx, j, t)
}

func (s *flakyStore) FinishJob(ctx context.Context, j store.Job) error {
	if s.down.Load() {
		return errDown
	}
	return s.Store.FinishJob(ctx, j)
}

func (s *flakyStore) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	if s.down.Load() {
		return errDown
	}
	return s.Store.AddDeadLetter(ctx, d)
}

// TestTwoDays runs two replicas for 48 hours over one store. Webhooks are lost,
// late, doubled and out of order, the API is flaky and refuses its key for three
// hours, the store is down for one, the app's hook fails, and both replicas are
// restarted. In the end every completion and transcript is there, once, and
// right.
func TestTwoDays(t *testing.T) {
	t.Parallel()
	seeds := uint64(3)
	if testing.Short() || raceDetector {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { twoDays(t, seed) })
		})
	}
}

func twoDays(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 48))
	provider := &unreliable{rng: rand.New(rand.NewPCG(seed, 49))}
	s := &flakyStore{Store: memstore.New()}
	var mu sync.Mutex
	told := map[string]int{}
	opts := &webhook.Options{
		Client: provider, Studies: []string{studyID}, Logger: discard,
		OnCompleted: func(_ context.Context, c store.Completion, tr store.Transcript) error {
			mu.Lock()
			defer mu.Unlock()
			told[c.InterviewID]++
			if len(told)%5 == 0 && told[c.InterviewID] == 1 {
				return errors.New("test: the app is down too")
			}
			return nil
		},
	}
	var replicas [2]*webhook.Handler // under mu too
	var stop context.CancelFunc
	var running sync.WaitGroup
	start := func() {
		var ctx context.Context
		ctx, stop = context.WithCancel(t.Context())
		for n := range replicas {
			h, err := webhook.New(secret, s, opts)
			require.NoError(t, err)
			mu.Lock()
			replicas[n] = h
			mu.Unlock()
			running.Go(func() { require.NoError(t, h.Run(ctx)) })
		}
	}
	restart := func() {
		stop()
		running.Wait()
		start()
	}
	start()

	type schedule struct {
		at time.Duration
		do func()
	}
	var plan []schedule
	at := func(d time.Duration, do func()) { plan = append(plan, schedule{d, do}) }
	at(7*time.Hour, restart)
	at(11*time.Hour, func() { s.down.Store(true) })
	at(12*time.Hour, func() { s.down.Store(false) })
	at(20*time.Hour, func() { provider.mu.Lock(); provider.refuses = true; provider.mu.Unlock() })
	at(23*time.Hour, func() { provider.mu.Lock(); provider.refuses = false; provider.mu.Unlock() })
	at(31*time.Hour, restart)

	const interviews = 300
	users := map[string]string{}
	for n := range interviews {
		id, user := fmt.Sprintf("int-%04d", n), fmt.Sprintf("user_%d", rng.IntN(150))
		users[id] = user
		done := time.Duration(rng.Int64N(int64(48 * time.Hour)))
		at(done, func() {
			i := completed(id, user)
			provider.mu.Lock()
			provider.list = append(provider.list, i)
			provider.mu.Unlock()
		})
		deliveries := []int{0, 1, 1, 2, 3}[rng.IntN(5)] // one in five is lost
		for range deliveries {
			late := time.Duration(rng.Int64N(int64(30 * time.Second)))
			if rng.IntN(4) == 0 {
				late = time.Duration(rng.Int64N(int64(9 * time.Hour)))
			}
			replica := rng.IntN(2)
			scored := rng.IntN(2) == 0
			at(done+late, func() {
				e := webhooktest.Completed(user)
				if e.Data.InterviewID = id; !scored {
					e.Data.QualityScore = nil
				}
				mu.Lock()
				h := replicas[replica]
				mu.Unlock()
				h.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, e)) // 503 means lost: nobody tries again
			})
		}
	}
	begun := time.Now()
	var events sync.WaitGroup
	for _, p := range plan {
		events.Go(func() {
			time.Sleep(p.at)
			p.do()
		})
	}
	events.Wait()
	time.Sleep(time.Until(begun.Add(48 * time.Hour)))
	provider.mu.Lock()
	provider.well = true
	provider.mu.Unlock()
	time.Sleep(2*time.Hour + time.Minute) // a reconciliation, and the longest back-off
	stop()
	running.Wait()

	n := 0
	for c, err := range s.Completions(t.Context(), store.Filter{}) {
		require.NoError(t, err)
		require.Equal(t, users[c.InterviewID], c.UserID)
		require.Equal(t, "insightful", c.Quality, "also when it came late")
		n++
	}
	require.Equal(t, interviews, n)
	for name, list := range map[string]iter.Seq2[store.Job, error]{"pending": s.PendingJobs(t.Context()), "dead": s.DeadJobs(t.Context())} {
		for j, err := range list {
			require.NoError(t, err)
			t.Errorf("left over: %s, %s, %s after %d attempts", j.InterviewID, name, j.Reason, j.Attempts)
		}
	}
	for id := range users {
		tr, err := s.Transcript(t.Context(), id)
		require.NoError(t, err)
		var i userjourneys.Interview
		require.NoError(t, json.Unmarshal(tr.Body, &i))
		require.Equal(t, id, i.ID, "nobody else's")
		require.NotEmpty(t, i.Transcript)
		require.Positive(t, told[id], "the app is told of each")
	}
}
