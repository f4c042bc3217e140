package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
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
	"github.com/askonce/askonce/webhook/webhooktest"
)

// flakyStore is down for a while, and always refuses some interviews.
type flakyStore struct {
	*memstore.Store
	down    atomic.Bool
	refuses sync.Map // interview ids
}

var errDown = errors.New("test: the store is down")

func (s *flakyStore) trouble() error {
	if s.down.Load() {
		return errDown
	}
	return nil
}

func (s *flakyStore) Record(ctx context.Context, c store.Completion) (bool, error) {
	if _, ok := s.refuses.Load(c.InterviewID); ok {
		return false, errors.New("test: the store does not like it")
	}
	if err := s.trouble(); err != nil {
		return false, err
	}
	return s.Store.Record(ctx, c)
}

func (s *flakyStore) ClaimJobs(ctx context.Context, lease time.Duration, limit int) ([]store.Job, error) {
	if err := s.trouble(); err != nil {
		return nil, err
	}
	return s.Store.ClaimJobs(ctx, lease, limit)
}

func (s *flakyStore) SaveTranscript(ctx context.Context, j store.Job, t store.Transcript) error {
	if err := s.trouble(); err != nil {
		return err
	}
	return s.Store.SaveTranscript(ctx, j, t)
}

func (s *flakyStore) FinishJob(ctx context.Context, j store.Job) error {
	if err := s.trouble(); err != nil {
		return err
	}
	return s.Store.FinishJob(ctx, j)
}

func (s *flakyStore) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	if err := s.trouble(); err != nil {
		return err
	}
	return s.Store.AddDeadLetter(ctx, d)
}

// hostileApp is an app that does things wrong, and a record of its calls.
type hostileApp struct {
	mu        sync.Mutex
	rng       *rand.Rand
	kinds     map[string]kind
	healthy   bool
	calls     int
	succeeded map[string]int
	running   map[string]int
	overlaps  int
}

func (a *hostileApp) UserID(_, reference string) (string, error) {
	if reference == "boom" {
		panic("test: " + reference)
	}
	return reference, nil
}

func (a *hostileApp) policy(c store.Completion) webhook.Verdict {
	switch c.Quality {
	case "excellent":
		panic("test: " + c.Quality)
	case "unsuccessful":
		return webhook.Ignore()
	}
	return webhook.Complete()
}

func (a *hostileApp) completed(_ context.Context, c store.Completion, _ store.Transcript) error {
	id := c.InterviewID
	a.mu.Lock()
	a.calls++
	if a.running[id]++; a.running[id] > 1 {
		a.overlaps++
	}
	k, fails := a.kinds[id], !a.healthy && a.rng.IntN(4) == 0
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.running[id]--
	}()
	switch {
	case k == panickingHook:
		panic("test: " + c.UserID)
	case k == slowHook:
		time.Sleep(10 * time.Minute) // whatever ctx says
	case fails:
		return errors.New("test: the app is down too")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.succeeded[id]++
	return nil
}

// TestSevenDays runs two replicas for a week over one store, with a provider that
// lies in every way, a hostile app and a store that is down for an hour. Deliveries
// are lost, late, repeated and out of order, a study is paused, and both replicas
// are restarted every day. In the end, exactly the right completions, transcripts
// and calls of the hook must be there.
func TestSevenDays(t *testing.T) {
	t.Parallel()
	seeds := uint64(3)
	if testing.Short() || raceDetector {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { sevenDays(t, seed) })
		})
	}
}

func sevenDays(t *testing.T, seed uint64) {
	const week = 7 * 24 * time.Hour
	finished := 260
	if raceDetector {
		finished = 104
	}
	rng := rand.New(rand.NewPCG(seed, 48))
	provider := &liar{rng: rand.New(rand.NewPCG(seed, 49)), paused: map[string]bool{}}
	s := &flakyStore{Store: memstore.New()}
	app := &hostileApp{rng: rand.New(rand.NewPCG(seed, 50)), kinds: map[string]kind{}, succeeded: map[string]int{}, running: map[string]int{}}
	log := &countingLog{}
	steps := map[webhook.Step]int{}
	var mu sync.Mutex

	newReplica := func() *webhook.Handler {
		client, err := userjourneys.NewClient("uj_live_test", &userjourneys.Options{HTTPClient: &http.Client{Transport: provider}, MaxRetries: -1, Logger: discard})
		require.NoError(t, err)
		h, err := webhook.New(secret, s, &webhook.Options{
			Client: client, Logger: slog.New(log), References: app, Policy: app.policy, OnCompleted: app.completed,
			OnDelivery: func(context.Context, webhook.Delivery) { panic("test") },
			OnProgress: func(_ context.Context, p webhook.Progress) {
				mu.Lock()
				defer mu.Unlock()
				steps[p.Step]++
			},
		})
		require.NoError(t, err)
		return h
	}
	var replicas [2]*webhook.Handler // under mu
	var stop context.CancelFunc
	var running sync.WaitGroup
	start := func() {
		var ctx context.Context
		ctx, stop = context.WithCancel(t.Context())
		for n := range replicas {
			h := newReplica()
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

	type event struct {
		at time.Duration
		do func()
	}
	var plan []event
	at := func(d time.Duration, do func()) { plan = append(plan, event{d, do}) }
	for day := range 7 {
		at(time.Duration(day)*24*time.Hour+7*time.Hour, restart)
	}
	at(50*time.Hour, func() { provider.set(func() { provider.paused[staging] = true }) })
	at(72*time.Hour, func() { provider.set(func() { provider.refuses = true }) })
	at(75*time.Hour, func() { provider.set(func() { provider.refuses = false }) })
	at(100*time.Hour, func() { s.down.Store(true) })
	at(101*time.Hour, func() { s.down.Store(false) })

	interviews := map[string]lied{}
	delivered, deleted := 0, 0
	begun := time.Now()
	for n := range finished {
		i := lied{id: fmt.Sprintf("int-%04d", n), study: onboarding, user: fmt.Sprintf("user_%d", n), kind: kinds[n%len(kinds)]}
		done := time.Duration(rng.Int64N(int64(week)))
		if n%10 == 3 && done < 54*time.Hour { // some under way when their study was paused
			i.study = staging
		}
		switch i.kind {
		case oddReference:
			i.user = "boom"
		case refusedByDB:
			s.refuses.Store(i.id, true)
		}
		i.at = begun.Add(done)
		interviews[i.id], app.kinds[i.id] = i, i.kind
		at(done, func() { provider.add(i) })
		for range []int{0, 0, 1, 1, 2, 3}[rng.IntN(6)] { // one in three is lost
			late := time.Duration(rng.Int64N(int64(30 * time.Second)))
			if rng.IntN(4) == 0 {
				late = time.Duration(rng.Int64N(int64(9 * time.Hour)))
			}
			replica := rng.IntN(2)
			delivered++
			at(done+late, func() {
				mu.Lock()
				h := replicas[replica]
				mu.Unlock()
				h.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, i.delivery())) // 503 means lost: nobody tries again
			})
		}
	}
	for day := 2; day < 7; day++ { // a row is deleted during a walk, long after its transcript was stored
		at(time.Duration(day)*24*time.Hour, func() {
			provider.set(func() {
				old := slices.IndexFunc(provider.list, func(i lied) bool { return i.kind == plain && time.Since(i.at) > 36*time.Hour })
				if old >= 0 {
					provider.list, deleted = slices.Delete(provider.list, old, old+1), deleted+1
				}
			})
		})
	}
	var events sync.WaitGroup
	slices.SortStableFunc(plan, func(a, b event) int { return int(a.at - b.at) })
	for _, p := range plan {
		events.Go(func() {
			time.Sleep(p.at)
			p.do()
		})
	}
	events.Wait()
	time.Sleep(time.Until(begun.Add(week)))
	provider.set(func() { provider.honest = true })
	app.mu.Lock()
	app.healthy = true
	app.mu.Unlock()
	time.Sleep(54 * time.Hour) // for transcripts that are ready after 26 hours, and for jobs given up after a day
	stop()
	running.Wait()

	// Completions.
	never := map[kind]bool{oddQuality: true, oddReference: true, refusedByDB: true}
	recorded := map[string]store.Completion{}
	for c, err := range s.Completions(t.Context(), store.Filter{}) {
		require.NoError(t, err)
		recorded[c.InterviewID] = c
	}
	poisoned := 0
	for id, i := range interviews {
		c, ok := recorded[id]
		if never[i.kind] {
			require.False(t, ok, "%s: %s", id, i.kind)
			poisoned++
			continue
		}
		require.True(t, ok, "%s is missing: %s", id, i.kind)
		user := i.user
		if i.kind == numbered {
			user = ""
		}
		require.Equal(t, user, c.UserID, "%s", i.kind)
		require.Equal(t, i.quality(time.Now()), c.Quality, "%s: also when it came late", i.kind)
		require.Equal(t, c.Quality == "unsuccessful", c.Ignored, "%s", i.kind)
		if user != "" {
			done, err := s.Completed(t.Context(), store.Key{StudyID: i.study, UserID: user})
			require.NoError(t, err)
			require.Equal(t, c.Quality != "unsuccessful", done)
		}
	}
	require.Len(t, recorded, len(interviews)-poisoned)
	letters := 0
	for _, err := range s.DeadLetters(t.Context()) {
		require.NoError(t, err)
		letters++
	}
	require.Equal(t, poisoned, letters, "what cannot be recorded is noted once")

	// Transcripts, the hook and the queue.
	for j, err := range s.PendingJobs(t.Context()) {
		require.NoError(t, err)
		t.Errorf("still pending: %s (%s), %s after %d attempts", j.InterviewID, interviews[j.InterviewID].kind, j.Reason, j.Attempts)
	}
	dead := map[string]string{}
	for j, err := range s.DeadJobs(t.Context()) {
		require.NoError(t, err)
		dead[j.InterviewID] = j.Reason
	}
	transcripts, told := 0, 0
	for id := range recorded {
		k := interviews[id].kind
		tr, err := s.Transcript(t.Context(), id)
		if k == forbiddenOne {
			require.ErrorIs(t, err, store.ErrNotFound)
			require.Equal(t, "forbidden", dead[id])
			continue
		}
		require.NoError(t, err, "%s has no transcript: %s, %s", id, k, dead[id])
		transcripts++
		var i userjourneys.Interview
		require.NoError(t, json.Unmarshal(tr.Body, &i))
		require.Equal(t, id, i.ID, "nobody else's")
		require.NotEmpty(t, i.Turns(), "%s", k)
		if k == panickingHook {
			require.Equal(t, "hook_failed", dead[id])
			continue
		}
		require.Equal(t, 1, app.succeeded[id], "%s: the hook succeeds once", k)
		require.NotContains(t, dead, id)
		told++
	}
	require.Len(t, app.succeeded, told)
	require.Zero(t, app.overlaps)
	require.LessOrEqual(t, log.stacks(), 2*8*(poisoned+40), "a panic is logged once for each interview and process")
	t.Logf("%d interviews of %d kinds, %d deliveries, %d rows deleted, %d lies told:\n"+
		"%d recorded, %d noted as dead letters, %d transcripts, %d dead jobs %v, %d hook calls of which %d succeeded, one for each; steps %v; %d lines logged",
		len(interviews), len(kinds), delivered, deleted, provider.lies, len(recorded), letters, transcripts, len(dead), counts(slices.Collect(maps.Values(dead))), app.calls, told, steps, log.lines.Load())
}

// counts counts equal values.
func counts(values []string) map[string]int {
	n := map[string]int{}
	for _, v := range values {
		n[v]++
	}
	return n
}

// countingLog counts lines at Info and above, and the stacks among them.
type countingLog struct {
	lines, withStack atomic.Int64
}

func (l *countingLog) stacks() int { return int(l.withStack.Load()) }

func (l *countingLog) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

func (l *countingLog) Handle(_ context.Context, r slog.Record) error {
	l.lines.Add(1)
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "stack" && strings.Contains(a.Value.String(), "goroutine") {
			l.withStack.Add(1)
		}
		return true
	})
	return nil
}

func (l *countingLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *countingLog) WithGroup(string) slog.Handler      { return l }
