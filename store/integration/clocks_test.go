package integration

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
	"github.com/stretchr/testify/require"
)

const (
	step          = 10 * time.Second // by which all clocks advance together
	clockedSecret = "whsec_of_the_replicas_0123456789abcdef"
)

// TestReplicasWithDifferentClocks runs three replicas over PostgreSQL for 45 minutes:
// one with the server's clock, one an hour ahead and one an hour behind. Each replica
// is in a bubble of synctest, so that it has a clock of its own. The server's clock is
// a table, which hides the function that the statements call.
func TestReplicasWithDifferentClocks(t *testing.T) {
	t.Parallel()
	w := newClockedWorld(t)
	skews := []time.Duration{0, time.Hour, -time.Hour}
	replicas := make([]*clockedReplica, len(skews))
	var running sync.WaitGroup
	defer running.Wait()
	for i, skew := range skews {
		r := &clockedReplica{ticks: make(chan func(*webhook.Handler)), done: make(chan struct{}), ended: make(chan struct{})}
		replicas[i] = r
		defer close(r.ticks)
		running.Go(func() {
			defer close(r.ended)
			t.Run(fmt.Sprint("clock ", skew), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { r.run(t, w, skew) })
			})
		})
	}

	const length, interviews = 45 * time.Minute, 24
	completed := 0
	for at := time.Duration(0); at < length; at += step {
		now := w.advance(t)
		deliver := func(*webhook.Handler) {}
		if completed < interviews && at >= time.Duration(completed)*time.Minute {
			event := w.complete(completed, now)
			if completed%2 == 0 { // the delivery of every other one is lost
				deliver = func(h *webhook.Handler) {
					h.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(clockedSecret, event))
				}
			}
			completed++
		}
		for i, r := range replicas {
			do := deliver
			if i != completed%len(replicas) {
				do = func(*webhook.Handler) {}
			}
			r.send(t, do)
		}
		for _, r := range replicas {
			r.wait(t)
		}
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	require.Equal(t, interviews, completed)
	require.Len(t, w.recordedAfter, interviews)
	for id, after := range w.recordedAfter {
		require.LessOrEqual(t, after, 12*time.Minute, "%s was found late", id)
	}
	require.Len(t, w.told, interviews)
	for id, n := range w.told {
		require.Equal(t, 1, n, "%s was told more than once", id)
	}
	require.Zero(t, w.overlaps)
	// A replica cannot tell from its own clock when another one walked, so that each
	// walks for itself: at its start and every ten minutes, and no more often.
	require.LessOrEqual(t, w.walks, len(skews)*5)
	t.Logf("%d interviews told once each; %d walks in %v; the last was recorded after %v", interviews, w.walks, length, w.slowest)
}

// clockedWorld is what the replicas share: the database, its clock, and the provider.
type clockedWorld struct {
	admin *sql.DB
	dsn   string

	mu            sync.Mutex
	now           time.Time
	list          []userjourneys.Interview
	recordedAfter map[string]time.Duration
	slowest       time.Duration
	told, running map[string]int
	overlaps      int
	walks         int
}

func newClockedWorld(t *testing.T) *clockedWorld {
	t.Helper()
	const schema = "askonce_clocks"
	w := &clockedWorld{
		admin: pool(t, "pgx", postgresWith(nil)(t)), now: time.Now().Truncate(time.Second),
		dsn:           postgresWith(url.Values{"search_path": {schema + ",pg_catalog"}})(t),
		recordedAfter: map[string]time.Duration{}, told: map[string]int{}, running: map[string]int{},
	}
	drop := func() {
		_, err := w.admin.Exec("drop schema if exists " + schema + " cascade")
		require.NoError(t, err)
	}
	drop()
	t.Cleanup(drop)
	for _, statement := range []string{
		"create schema " + schema,
		"create table " + schema + ".clock (at timestamptz)",
		"insert into " + schema + ".clock values (now())",
		"create function " + schema + ".statement_timestamp() returns timestamptz stable language sql as 'select at from " + schema + ".clock'",
	} {
		_, err := w.admin.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	migrated(t, pool(t, "pgx", w.dsn), sqlstore.Postgres, "askonce_")
	return w
}

// advance advances the server's clock by one step.
func (w *clockedWorld) advance(t *testing.T) time.Time {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(step)
	_, err := w.admin.ExecContext(t.Context(), "update askonce_clocks.clock set at = $1", w.now)
	require.NoError(t, err)
	return w.now
}

// complete completes the n-th interview at the provider.
func (w *clockedWorld) complete(n int, now time.Time) webhooktest.Event {
	event := webhooktest.Completed(fmt.Sprint("user ", n))
	event.Data.CompletedAt = now.UTC().Format(time.RFC3339)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append([]userjourneys.Interview{{
		ID: event.Data.InterviewID, StudyID: webhooktest.StudyID, Status: userjourneys.StatusCompleted, ReferenceID: *event.Data.ReferenceID,
		QualityScore: *event.Data.QualityScore, CompletedAt: now, CreatedAt: now.Add(-10 * time.Minute),
		Transcript: json.RawMessage(`[{"role":"user","text":"hello"}]`), Raw: json.RawMessage(`{}`),
	}}, w.list...)
	return event
}

// Interview implements [webhook.Client].
func (w *clockedWorld) Interview(_ context.Context, id string) (userjourneys.Interview, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range w.list {
		if i.ID == id {
			return i, nil
		}
	}
	return userjourneys.Interview{}, &userjourneys.Error{StatusCode: 404}
}

// Interviews implements [webhook.Client]. The list has one page, the newest first.
func (w *clockedWorld) Interviews(context.Context, userjourneys.InterviewFilter) iter.Seq2[userjourneys.Interview, error] {
	return func(yield func(userjourneys.Interview, error) bool) {
		w.mu.Lock()
		list := w.list
		w.mu.Unlock()
		for _, i := range list {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// recorded notes how long after its completion an interview was recorded.
func (w *clockedWorld) recorded(_ context.Context, c store.Completion) {
	w.mu.Lock()
	defer w.mu.Unlock()
	after := w.now.Sub(c.CompletedAt)
	w.recordedAfter[c.InterviewID], w.slowest = after, max(w.slowest, after)
}

// hook takes longer than a lease for one interview in four.
func (w *clockedWorld) hook(_ context.Context, c store.Completion, _ store.Transcript) error {
	w.mu.Lock()
	w.told[c.InterviewID]++
	if w.running[c.InterviewID]++; w.running[c.InterviewID] > 1 {
		w.overlaps++
	}
	slow := len(w.told)%4 == 0
	w.mu.Unlock()
	if slow {
		time.Sleep(5 * time.Minute)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running[c.InterviewID]--
	return nil
}

func (w *clockedWorld) progress(_ context.Context, p webhook.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.Step == webhook.StepReconciled {
		w.walks++
	}
}

// clockedReplica is a replica whose clock stands still between two ticks.
type clockedReplica struct {
	ticks       chan func(*webhook.Handler) // made outside of the bubble: waiting for it stops the clock
	done, ended chan struct{}
}

func (r *clockedReplica) run(t *testing.T, w *clockedWorld, skew time.Duration) {
	w.mu.Lock()
	begin := w.now.Add(skew)
	w.mu.Unlock()
	time.Sleep(time.Until(begin))
	s, err := sqlstore.New(pool(t, "pgx", w.dsn), sqlstore.Postgres, nil)
	require.NoError(t, err)
	h, err := webhook.New(clockedSecret, s, &webhook.Options{
		Client: w, Studies: []string{webhooktest.StudyID}, OnCompleted: w.hook, OnRecorded: w.recorded, OnProgress: w.progress,
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = h.Run(ctx) })
	for do := range r.ticks {
		do(h)
		time.Sleep(step)
		synctest.Wait()
		r.done <- struct{}{}
	}
	stop()
	running.Wait()
}

func (r *clockedReplica) send(t *testing.T, do func(*webhook.Handler)) {
	t.Helper()
	select {
	case r.ticks <- do:
	case <-r.ended:
		t.Fatal("a replica has ended")
	}
}

func (r *clockedReplica) wait(t *testing.T) {
	t.Helper()
	select {
	case <-r.done:
	case <-r.ended:
		t.Fatal("a replica has ended")
	}
}
