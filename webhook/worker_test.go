package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
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

const interviewID = "a1b2c3d4-5678-90ab-cdef-111111111111"

// bubble is a handler in a synctest bubble, with a memory store and a fake provider.
type bubble struct {
	*webhook.Handler
	t      *testing.T
	store  *memstore.Store
	source *fakeInterviews
	log    *bytes.Buffer
	stop   context.CancelFunc
	ended  chan struct{}
}

func inBubble(t *testing.T, opts webhook.Options, test func(b *bubble)) {
	t.Helper()
	synctestHandler(t, nil, opts, test)
}

// synctestHandler is like inBubble, with a store around the bubble's memory store. A
// nil store means the memory store itself.
func synctestHandler(t *testing.T, around store.Store, opts webhook.Options, test func(b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t, store: memstore.New(), source: &fakeInterviews{}}
		s := around
		if m, ok := around.(*minefield); ok {
			b.store, b.source = m.Store, m.fakeInterviews
		} else if s == nil {
			s = b.store
		}
		if opts.Client == nil {
			opts.Client = b.source
		}
		if opts.Studies == nil {
			opts.Studies = []string{studyID}
		}
		b.log, opts.Logger = newLog()
		var err error
		b.Handler, err = webhook.New(secret, s, &opts)
		require.NoError(t, err)
		test(b)
		if b.stop != nil {
			b.stop()
			<-b.ended
		}
	})
}

func (b *bubble) run() {
	ctx, stop := context.WithCancel(b.t.Context())
	b.stop, b.ended = stop, make(chan struct{})
	go func() {
		defer close(b.ended)
		require.NoError(b.t, b.Run(ctx))
	}()
	synctest.Wait()
}

// receive delivers the interview.
func (b *bubble) receive(id, reference string) {
	e := webhooktest.Completed(reference)
	e.Data.InterviewID = id
	rec := httptest.NewRecorder()
	b.ServeHTTP(rec, webhooktest.NewRequest(secret, e))
	require.Equal(b.t, 200, rec.Code)
}

func (b *bubble) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (b *bubble) jobs(dead bool) (all []store.Job) {
	list := b.store.PendingJobs
	if dead {
		list = b.store.DeadJobs
	}
	for j, err := range list(b.t.Context()) {
		require.NoError(b.t, err)
		all = append(all, j)
	}
	return all
}

func (b *bubble) completion(interviewID string) (c store.Completion) {
	for c, err := range b.store.Completions(b.t.Context(), store.Filter{InterviewID: interviewID}) {
		require.NoError(b.t, err)
		return c
	}
	b.t.Fatal("not recorded")
	return c
}

func (b *bubble) stored() bool {
	_, err := b.store.Transcript(b.t.Context(), interviewID)
	if err != nil {
		require.ErrorIs(b.t, err, store.ErrNotFound)
	}
	return err == nil
}

// answer sets the provider's next responses for a transcript.
func (b *bubble) answer(answers ...func(id string) (userjourneys.Interview, error)) {
	b.source.mu.Lock()
	defer b.source.mu.Unlock()
	b.source.answers = append(b.source.answers, answers...)
}

func fails(err error) func(string) (userjourneys.Interview, error) {
	return func(string) (userjourneys.Interview, error) { return userjourneys.Interview{}, err }
}

func gives(change func(i *userjourneys.Interview)) func(string) (userjourneys.Interview, error) {
	return func(id string) (userjourneys.Interview, error) {
		i := completed(id, "ada")
		change(&i)
		return i, nil
	}
}

func status(code int, after time.Duration) error {
	return &userjourneys.Error{StatusCode: code, RetryAfter: after}
}

func TestTranscriptRetries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers  []func(string) (userjourneys.Interview, error)
		early    time.Duration // still nothing by then
		late     time.Duration // stored by then
		attempts int           // counted before it succeeded
		reason   string
	}{
		"no transcript yet":       {[]func(string) (userjourneys.Interview, error){gives(func(i *userjourneys.Interview) { i.Transcript = nil })}, time.Second / 2, 20 * time.Second, 1, "not_ready"},
		"rate limited for a year": {[]func(string) (userjourneys.Interview, error){fails(status(429, 365*24*time.Hour))}, time.Hour - 1, time.Hour + time.Minute, 0, "rate_limited"},
		"another interview":       {[]func(string) (userjourneys.Interview, error){gives(func(i *userjourneys.Interview) { i.ID = "other" })}, time.Second / 2, 20 * time.Second, 1, "id_mismatch"},
		"unavailable for 50 s":    {[]func(string) (userjourneys.Interview, error){fails(status(503, 50*time.Second))}, 50*time.Second - 1, 80 * time.Second, 1, "unavailable"},
		"one that is forbidden":   {[]func(string) (userjourneys.Interview, error){fails(status(403, 0))}, time.Second / 2, 20 * time.Second, 1, "forbidden"},
		"forbidden for 50 s":      {[]func(string) (userjourneys.Interview, error){fails(status(403, 50*time.Second))}, 50*time.Second - 1, 80 * time.Second, 1, "forbidden"},
		"one that is refused":     {[]func(string) (userjourneys.Interview, error){fails(status(401, 0))}, time.Second / 2, 20 * time.Second, 1, "forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, webhook.Options{}, func(b *bubble) {
				b.source.add(completed(interviewID, "ada"))
				b.answer(c.answers...)
				b.run()
				b.receive(interviewID, "ada")
				synctest.Wait()
				require.False(t, b.stored())
				jobs := b.jobs(false)
				require.Len(t, jobs, 1)
				require.Equal(t, c.reason, jobs[0].Reason)
				require.Equal(t, min(1, c.attempts), jobs[0].Attempts)
				b.wait(c.early)
				require.False(t, b.stored(), "too early")
				b.wait(c.late - c.early)
				require.True(t, b.stored(), "too late")
			})
		})
	}
}

func TestTranscriptGivenUp(t *testing.T) {
	t.Parallel()
	t.Run("not found for a day", func(t *testing.T) {
		t.Parallel()
		inBubble(t, webhook.Options{ReconcileEvery: -1}, func(b *bubble) {
			b.run()
			b.receive(interviewID, "ada")
			b.wait(23 * time.Hour)
			require.Len(t, b.jobs(false), 1)
			b.wait(3 * time.Hour)
			dead := b.jobs(true)
			require.Len(t, dead, 1)
			require.Equal(t, "not_found", dead[0].Reason)
			require.Empty(t, b.jobs(false))
			calls, _ := b.source.counts()
			require.Less(t, calls, 120, "back-off to an hour")

			b.source.add(completed(interviewID, "ada"))
			require.NoError(t, b.store.RequeueJob(b.t.Context(), interviewID))
			b.wait(11 * time.Second)
			require.True(t, b.stored(), "a job that was put back is worked on")
		})
	})
	t.Run("too large", func(t *testing.T) {
		t.Parallel()
		inBubble(t, webhook.Options{}, func(b *bubble) {
			b.answer(fails(userjourneys.ErrTooLarge))
			b.run()
			b.receive(interviewID, "ada")
			synctest.Wait()
			dead := b.jobs(true)
			require.Len(t, dead, 1)
			require.Equal(t, "too_large", dead[0].Reason)
		})
	})
}

func TestRefusedKeyPausesTheQueueAndIsReportedOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{ReconcileEvery: -1}, func(b *bubble) {
		b.source.broken = status(401, 0)
		b.run()
		b.receive(interviewID, "ada")
		b.wait(time.Hour)
		calls, _ := b.source.counts()
		require.InDelta(t, 12, calls, 2, "one attempt every five minutes")
		require.Zero(t, b.jobs(false)[0].Attempts)
		require.Equal(t, 1, strings.Count(b.log.String(), "refuses the API key"))
		b.receive("int-2", "bob") // the receiver goes on
	})
}

// TestLongTroubleKillsNothing checks that no job is given up because the key is refused
// or a rate limit lasts for days.
func TestLongTroubleKillsNothing(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"a refused key": status(401, 0), "a rate limit": status(429, 10*time.Minute)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, webhook.Options{ReconcileEvery: -1}, func(b *bubble) {
				b.source.add(completed(interviewID, "ada"))
				b.source.broken = err
				b.run()
				b.receive(interviewID, "ada")
				b.wait(72 * time.Hour)
				require.Empty(t, b.jobs(true))
				b.source.mu.Lock()
				b.source.broken = nil
				b.source.mu.Unlock()
				b.wait(time.Hour + time.Minute)
				require.True(t, b.stored())
			})
		})
	}
}

// TestARateLimitPausesTheQueue checks that a rate limit pauses all jobs, with or
// without Retry-After.
func TestARateLimitPausesTheQueue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err           error
		least, most   int           // requests in two hours
		storedAfter   time.Duration // the limit is gone
		pausedAtFirst time.Duration
	}{
		"with Retry-After":    {status(429, 10*time.Minute), 12, 16, 11 * time.Minute, 10 * time.Minute},
		"without Retry-After": {status(429, 0), 9, 40, time.Hour + time.Minute, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, webhook.Options{ReconcileEvery: -1}, func(b *bubble) {
				b.source.broken = c.err
				for n := range 50 {
					id := fmt.Sprintf("int-%d", n)
					b.source.add(completed(id, "ada"))
					b.receive(id, "ada")
				}
				b.run()
				b.wait(c.pausedAtFirst - time.Millisecond)
				calls, _ := b.source.counts()
				require.LessOrEqual(t, calls, 4, "those that were under way")
				b.wait(2 * time.Hour)
				calls, _ = b.source.counts()
				require.GreaterOrEqual(t, calls, c.least)
				require.LessOrEqual(t, calls, c.most)
				b.source.mu.Lock()
				b.source.broken = nil
				b.source.mu.Unlock()
				b.wait(c.storedAfter)
				require.Empty(t, b.jobs(false))
				require.Empty(t, b.jobs(true))
			})
		})
	}
}

func TestRefusedKeyIsReportedOnceForAllWork(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		b.source.broken = status(401, 0)
		b.run()
		b.receive(interviewID, "ada")
		b.wait(2 * time.Hour)
		require.Equal(t, 1, strings.Count(b.log.String(), "ERROR")+strings.Count(b.log.String(), "WARN"), b.log.String())
		_, walks := b.source.counts()
		require.Less(t, walks, 40, "it is asked every few minutes, not all the time")
		b.source.mu.Lock()
		b.source.broken = nil
		b.source.mu.Unlock()
		b.source.add(completed(interviewID, "ada"))
		b.wait(15 * time.Minute)
		require.True(t, b.stored())
		require.Equal(t, 1, strings.Count(b.log.String(), "accepts the API key again"))
	})
}

func TestSlowHookHoldsUpNoOtherTranscript(t *testing.T) {
	t.Parallel()
	hook := func(ctx context.Context, c store.Completion, _ store.Transcript) error {
		if c.UserID != "slow" {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}
	inBubble(t, webhook.Options{OnCompleted: hook, ReconcileEvery: -1}, func(b *bubble) {
		b.source.add(completed("int-slow", "slow"))
		b.receive("int-slow", "slow")
		b.run()
		for n := range 20 {
			id := fmt.Sprintf("int-%d", n)
			b.source.add(completed(id, "ada"))
			b.receive(id, "ada")
		}
		b.wait(time.Second)
		require.Len(t, b.jobs(false), 1)
		b.wait(time.Minute)
		require.Equal(t, "hook_failed", b.jobs(false)[0].Reason, "it had a minute")
	})
}

// TestStopping checks that a job in progress is put back unchanged, and that finished
// work is kept.
func TestStopping(t *testing.T) {
	t.Parallel()
	hook := func(ctx context.Context, _ store.Completion, _ store.Transcript) error {
		<-ctx.Done()
		return ctx.Err()
	}
	inBubble(t, webhook.Options{OnCompleted: hook, ReconcileEvery: -1}, func(b *bubble) {
		b.source.add(completed(interviewID, "ada"))
		b.run()
		b.receive(interviewID, "ada")
		b.wait(time.Second)
		b.stop()
		<-b.ended
		jobs := b.jobs(false)
		require.Len(t, jobs, 1)
		require.Zero(t, jobs[0].Attempts)
		require.False(t, jobs[0].DueAt.After(time.Now()), "the next process need not wait for the lease")
	})
	var stop context.CancelFunc
	obstinate := func(context.Context, store.Completion, store.Transcript) error {
		stop()
		return nil
	}
	inBubble(t, webhook.Options{OnCompleted: obstinate, ReconcileEvery: -1}, func(b *bubble) {
		b.source.add(completed(interviewID, "ada"))
		b.receive(interviewID, "ada")
		ctx, cancel := context.WithCancel(b.t.Context())
		stop = cancel
		require.NoError(t, b.Run(ctx))
		require.True(t, b.stored(), "the app was told: it need not be told again")
	})
}

func TestOnCompletedIsRetried(t *testing.T) {
	t.Parallel()
	var calls int
	hook := func(_ context.Context, c store.Completion, tr store.Transcript) error {
		calls++
		switch calls {
		case 1:
			return errors.New("test")
		case 2:
			panic("test")
		}
		if c.UserID != "ada" || !json.Valid(tr.Body) {
			return errors.New("test: wrong arguments")
		}
		return nil
	}
	inBubble(t, webhook.Options{OnCompleted: hook}, func(b *bubble) {
		b.source.add(completed(interviewID, "ada"))
		b.run()
		b.receive(interviewID, "ada")
		synctest.Wait()
		require.True(t, b.stored(), "a transcript is stored while the app's code fails")
		require.Equal(t, "hook_failed", b.jobs(false)[0].Reason)
		b.wait(time.Minute)
		require.Empty(t, b.jobs(false))
		require.Equal(t, 3, calls)
		fetches, _ := b.source.counts()
		require.Equal(t, 1, fetches, "it is fetched once")
	})
}

func TestTwoReplicasShareTheWork(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{}, func(b *bubble) {
		other, err := webhook.New(secret, b.store, &webhook.Options{Client: b.source, Studies: []string{studyID}, Logger: discard})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(b.t.Context())
		defer stop()
		go func() { _ = other.Run(ctx) }()
		b.run()
		for _, id := range []string{"int-1", "int-2", "int-3", "int-4", "int-5"} {
			b.source.add(completed(id, "ada"))
			b.receive(id, "ada")
		}
		b.wait(time.Minute)
		require.Empty(t, b.jobs(false))
		calls, _ := b.source.counts()
		require.Equal(t, 5, calls, "no transcript is fetched twice")
	})
}

func TestRunWithoutInterviewsOnlyWaits(t *testing.T) {
	t.Parallel()
	h, err := webhook.New(secret, memstore.New(), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, h.Run(ctx))
}
