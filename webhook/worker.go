package webhook

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

const (
	pollEvery    = 10 * time.Second // for jobs of other replicas, or that are due again
	lease        = 2 * time.Minute  // longer than a fetch and a hook take
	fetchTimeout = 10 * time.Second
	hookTimeout  = time.Minute
	workers      = 4
	firstRetry   = 5 * time.Second
	maxRetry     = time.Hour
	giveUpAfter  = 24 * time.Hour
	pauseFor     = 5 * time.Minute // after the provider has refused the API key
)

// Run fetches transcripts and looks for missed completions until ctx ends,
// which is not an error. Replicas that share a store share the work, and each
// may call it. Without Options.Interviews it only waits.
func (h *Handler) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	if h.opts.Interviews != nil {
		if jobs, ok := store.As[store.Transcripts](h.store); ok {
			wg.Go(func() { (&worker{Handler: h, jobs: jobs}).run(ctx) })
		} else {
			h.log.WarnContext(ctx, "askonce: the store keeps no transcripts: none are fetched")
		}
		if h.opts.ReconcileEvery > 0 {
			wg.Go(func() { newReconciler(h).run(ctx) })
		}
	}
	<-ctx.Done()
	wg.Wait()
	return nil
}

// worker fetches the transcripts of queued jobs.
type worker struct {
	*Handler
	jobs store.Transcripts

	mu          sync.Mutex
	pausedUntil time.Time
	refused     bool // the provider has refused the key, and that has been said
}

func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		worked, err := w.round(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			w.log.ErrorContext(ctx, "askonce: the transcript queue cannot be read", "err", err)
		}
		if worked && err == nil {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
		case <-w.Handler.work:
		case <-time.After(pollEvery):
		}
	}
}

// round works on what is due now and reports whether there was anything.
func (w *worker) round(ctx context.Context) (bool, error) {
	w.mu.Lock()
	paused := time.Now().Before(w.pausedUntil)
	w.mu.Unlock()
	if paused {
		return false, nil
	}
	jobs, err := w.jobs.ClaimJobs(ctx, time.Now(), lease, workers)
	if err != nil {
		return false, err
	}
	var wg sync.WaitGroup
	for _, j := range jobs {
		wg.Go(func() { w.work(ctx, j) })
	}
	wg.Wait()
	return len(jobs) > 0, nil
}

// work does one job and says in the queue what came of it.
func (w *worker) work(ctx context.Context, j store.Job) {
	t, err := w.fetch(ctx, j)
	if err == nil {
		err = w.finish(ctx, j, t)
	}
	if ctx.Err() != nil {
		// Stopped in between: give the job back, so that it need not wait for
		// the lease to end.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.opts.StoreTimeout)
		defer cancel()
		if err != nil {
			_ = w.jobs.PostponeJob(ctx, j, time.Now()) // or it does wait
		}
		return
	}
	if err == nil || errors.Is(err, store.ErrLeaseLost) {
		return // done, by somebody else perhaps, or its person has been erased
	}
	if err := w.postpone(ctx, j, err); err != nil && !errors.Is(err, store.ErrLeaseLost) {
		w.log.ErrorContext(ctx, "askonce: a transcript job could not be put back", "interview", j.InterviewID, "err", err)
	}
}

// failure is a fetch that brought nothing to keep.
type failure string

func (f failure) Error() string { return string(f) }

const (
	notFound     failure = "not_found"
	tooLarge     failure = "too_large"
	notReady     failure = "not_ready"   // the interview is there, but still being processed
	idMismatch   failure = "id_mismatch" // the provider answered with another interview
	hookFailed   failure = "hook_failed"
	badAnswer    failure = "bad_answer"
	unauthorized failure = "unauthorized"
	rateLimited  failure = "rate_limited"
	unavailable  failure = "unavailable"
)

func (w *worker) fetch(ctx context.Context, j store.Job) (store.Transcript, error) {
	fetchCtx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	i, err := w.opts.Interviews.Interview(fetchCtx, j.InterviewID)
	switch {
	case err != nil:
		return store.Transcript{}, err
	case canonical(i.ID) != j.InterviewID:
		return store.Transcript{}, idMismatch
	case i.Status != userjourneys.StatusCompleted:
		return store.Transcript{}, notReady
	case len(i.Transcript) == 0 && time.Since(j.QueuedAt) < giveUpAfter/2:
		return store.Transcript{}, notReady
	}
	w.resumed()
	w.update(ctx, j, i)
	return store.Transcript{InterviewID: j.InterviewID, FetchedAt: time.Now(), Body: i.Raw}, nil
}

// update records what the provider knew only later. Who was interviewed stays
// as the first delivery said.
func (w *worker) update(ctx context.Context, j store.Job, i userjourneys.Interview) {
	e, ok := eventOf(i)
	if !ok {
		return
	}
	if user, _ := w.user(e); user != j.UserID && j.UserID != "" {
		w.log.WarnContext(ctx, "askonce: the provider names another user than the first delivery: the first stays", "interview", j.InterviewID)
	}
	if j.Quality == "" && e.quality != "" {
		c := j.Completion
		c.Quality = e.quality
		if _, err := w.store.Record(ctx, c); err != nil {
			w.log.WarnContext(ctx, "askonce: a late quality score could not be recorded", "interview", j.InterviewID, "err", err)
		}
	}
}

// finish tells the app and stores the transcript, in this order: a process that
// dies in between tells it again, and none is kept untold.
func (w *worker) finish(ctx context.Context, j store.Job, t store.Transcript) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.log.ErrorContext(ctx, "askonce: OnCompleted panicked", "panic", fmt.Sprint(p))
			err = hookFailed
		}
	}()
	if w.opts.OnCompleted != nil {
		hookCtx, cancel := context.WithTimeout(ctx, hookTimeout)
		defer cancel()
		if err := w.opts.OnCompleted(hookCtx, j.Completion, t); err != nil {
			w.log.WarnContext(ctx, "askonce: OnCompleted failed", "interview", j.InterviewID, "err", err)
			return hookFailed
		}
	}
	return w.jobs.FinishJob(ctx, j, t)
}

// postpone puts a failed job back, or aside for good.
func (w *worker) postpone(ctx context.Context, j store.Job, cause error) error {
	now := time.Now()
	reason, wait, counts := judge(cause, j.Attempts)
	j.Reason = reason.Error()
	if counts {
		j.Attempts++
	}
	if reason == unauthorized {
		w.pause(ctx)
	}
	if reason == tooLarge || now.Sub(j.QueuedAt) >= giveUpAfter {
		w.log.ErrorContext(ctx, "askonce: a transcript is given up", "interview", j.InterviewID, "reason", j.Reason, "attempts", j.Attempts)
		return w.jobs.KillJob(ctx, j)
	}
	w.log.DebugContext(ctx, "askonce: a transcript has to wait", "interview", j.InterviewID, "reason", j.Reason, "wait", wait)
	return w.jobs.PostponeJob(ctx, j, now.Add(wait))
}

// judge says what a failure is called, how long to wait, and whether it counts
// as an attempt.
func judge(err error, attempts int) (reason failure, wait time.Duration, counts bool) {
	ceiling := min(maxRetry, firstRetry<<min(attempts, 12))
	wait = time.Second + rand.N(ceiling)
	var answer *userjourneys.Error
	errors.As(err, &answer)
	switch {
	case errors.As(err, &reason):
		return reason, wait, true
	case errors.Is(err, userjourneys.ErrTooLarge):
		return tooLarge, wait, true
	case errors.Is(err, userjourneys.ErrNotFound):
		return notFound, wait, true
	case errors.Is(err, userjourneys.ErrUnauthorized), answer != nil && answer.StatusCode == http.StatusForbidden:
		return unauthorized, pauseFor, false
	case errors.Is(err, userjourneys.ErrRateLimited):
		return rateLimited, max(wait, min(answer.RetryAfter, maxRetry)), false
	case errors.Is(err, userjourneys.ErrBadAnswer):
		return badAnswer, wait, true
	}
	return unavailable, wait, true
}

// pause stops the queue: with a key that is refused, every attempt is wasted.
func (w *worker) pause(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pausedUntil = time.Now().Add(pauseFor)
	if !w.refused {
		w.refused = true
		w.log.ErrorContext(ctx, "askonce: the provider refuses the API key: no transcripts until it accepts it")
	}
}

func (w *worker) resumed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = false
}
