package webhook

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/askonce/askonce/internal/guard"
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
//
// A transcript that is not to be had within 24 hours is given up: its job stays
// listed by store.Transcripts.Jobs as a dead one, with the reason, and
// RequeueJob has it tried again.
func (h *Handler) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	if h.opts.Client != nil {
		if jobs, ok := store.As[store.Transcripts](h.store.Store); ok {
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
	jobs       store.Transcripts
	unreadable edge // the queue

	mu          sync.Mutex
	pausedUntil time.Time
	rateLimits  int // in a row, counted once for each pause
}

// run keeps up to workers jobs going, so that a slow one holds up no other.
func (w *worker) run(ctx context.Context) {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	done := make(chan struct{})
	busy := 0
	for more := true; ctx.Err() == nil; {
		if want := w.wanted() - busy; more && want > 0 {
			jobs := w.claim(ctx, want)
			for _, j := range jobs {
				busy++
				go func() {
					w.do(ctx, j)
					done <- struct{}{}
				}()
			}
			more = len(jobs) == want
		}
		select {
		case <-ctx.Done():
		case <-done:
			busy--
		case <-w.work:
			more = true
		case <-poll.C:
			more = true
		}
	}
	for range busy {
		<-done
	}
}

// wanted is how many jobs to work on now: none in a pause, and one to find out
// whether it was long enough.
func (w *worker) wanted() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case time.Now().Before(w.pausedUntil):
		return 0
	case w.refused.now(), w.rateLimits > 0:
		return 1
	}
	return workers
}

func (w *worker) claim(ctx context.Context, n int) []store.Job {
	jobs, err := w.jobs.ClaimJobs(ctx, lease, n)
	if ctx.Err() == nil && w.unreadable.changed(err != nil) {
		w.log.WarnContext(ctx, "askonce: the transcript queue changed its state; while it cannot be read, no transcript is fetched", "err", err)
	}
	return jobs
}

// do does one job and says in the queue what came of it.
func (w *worker) do(ctx context.Context, j store.Job) {
	t, err := w.fetch(ctx, j)
	if err == nil {
		err = w.finish(ctx, j, t)
	}
	if err == nil || errors.Is(err, store.ErrLeaseLost) {
		return // done, by somebody else perhaps, or its person has been erased
	}
	stopped := ctx.Err() != nil
	ctx, cancel := w.detached(ctx)
	defer cancel()
	if stopped { // give the job back as it was, so that it need not wait for the lease to end
		err = w.jobs.PostponeJob(ctx, j, 0)
	} else {
		err = w.postpone(ctx, j, err)
	}
	if err != nil && !errors.Is(err, store.ErrLeaseLost) {
		w.log.ErrorContext(ctx, "askonce: a transcript job could not be put back; it is tried again when its lease ends", "interview", j.InterviewID, "err", err)
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
	notStored    failure = "not_stored"
)

func (w *worker) fetch(ctx context.Context, j store.Job) (store.Transcript, error) {
	fetchCtx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	i, err := w.opts.Client.Interview(fetchCtx, j.InterviewID)
	w.noteKey(ctx, err)
	if err == nil {
		w.mu.Lock()
		w.rateLimits = 0
		w.mu.Unlock()
	}
	switch {
	case err != nil:
		return store.Transcript{}, err
	case userjourneys.CanonicalID(i.ID) != j.InterviewID:
		return store.Transcript{}, idMismatch
	case i.Status != userjourneys.StatusCompleted:
		return store.Transcript{}, notReady
	case len(i.Transcript) == 0 && time.Since(j.QueuedAt) < giveUpAfter/2:
		return store.Transcript{}, notReady // later than that, what there is is kept without
	}
	w.update(ctx, j, i)
	return store.Transcript{InterviewID: j.InterviewID, FetchedAt: time.Now(), Body: i.Raw}, nil
}

// update records what the provider knew only later. Who was interviewed stays
// as the first delivery said.
func (w *worker) update(ctx context.Context, j store.Job, i userjourneys.Interview) {
	e, ok := eventOf(i, j.StudyID)
	if !ok {
		return
	}
	if user, _, err := w.user(ctx, e); err == nil && user != j.UserID && j.UserID != "" {
		w.warnOtherUser(ctx, j.InterviewID)
	}
	if j.Quality == "" && e.quality != "" {
		c := j.Completion
		c.Quality = e.quality
		ctx, cancel := w.detached(ctx)
		defer cancel()
		if _, err := w.store.Record(ctx, c); err != nil {
			w.log.WarnContext(ctx, "askonce: a late quality score could not be recorded", "interview", j.InterviewID, "err", err)
		}
	}
}

// finish tells the app and stores the transcript, in this order: a process that
// dies in between tells it again, and none is kept untold.
func (w *worker) finish(ctx context.Context, j store.Job, t store.Transcript) error {
	if err := w.tell(ctx, j, t); err != nil {
		return err
	}
	ctx, cancel := w.detached(ctx)
	defer cancel()
	err := w.jobs.SaveTranscript(ctx, j, t)
	if err == nil {
		err = w.jobs.FinishJob(ctx, j)
	}
	if err != nil && !errors.Is(err, store.ErrLeaseLost) {
		w.log.WarnContext(ctx, "askonce: a transcript could not be stored and will be tried again", "interview", j.InterviewID, "err", err)
		return notStored
	}
	return err
}

func (w *worker) tell(ctx context.Context, j store.Job, t store.Transcript) (err error) {
	if w.opts.OnCompleted == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	err = guard.Do(func() error { return w.opts.OnCompleted(ctx, j.Completion, t) })
	if err != nil {
		w.log.WarnContext(ctx, "askonce: OnCompleted failed and will be tried again", "interview", j.InterviewID, "err", err, guard.Stack(err))
		return hookFailed
	}
	return nil
}

// postpone puts a failed job back, or aside for good. What is no failure of the
// job's own, a refused key or a rate limit, never puts it aside.
func (w *worker) postpone(ctx context.Context, j store.Job, cause error) error {
	now := time.Now()
	reason, wait, counts := classify(cause, j.Attempts)
	j.Reason = reason.Error()
	if counts {
		j.Attempts++
	} else {
		wait = w.pauseAll(now, reason, retryAfterOf(cause))
	}
	if reason == tooLarge || counts && now.Sub(j.QueuedAt) >= giveUpAfter {
		w.log.ErrorContext(ctx, "askonce: a transcript is given up", "interview", j.InterviewID, "reason", j.Reason, "attempts", j.Attempts)
		return w.jobs.KillJob(ctx, j)
	}
	w.log.DebugContext(ctx, "askonce: a transcript has to wait", "interview", j.InterviewID, "reason", j.Reason, "wait", wait)
	return w.jobs.PostponeJob(ctx, j, wait)
}

// pauseAll keeps all jobs back, for what is the provider's to all and not to
// one. It returns for how long.
func (w *worker) pauseAll(now time.Time, reason failure, asked time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Before(w.pausedUntil) && asked <= w.pausedUntil.Sub(now) {
		return w.pausedUntil.Sub(now) // several were under way when the first was refused
	}
	var wait time.Duration
	switch {
	case reason == unauthorized:
		wait = pauseFor
	case asked > 0:
		wait = asked + rand.N(firstRetry) // the replicas need not come back together
	default:
		wait = backOff(w.rateLimits)
	}
	if reason == rateLimited {
		w.rateLimits++
	}
	w.pausedUntil = now.Add(wait)
	return wait
}

// backOff is how long to wait after so many failures: anything up to a ceiling
// that doubles, so that those who failed together do not come back together.
func backOff(failures int) time.Duration {
	return time.Second + rand.N(min(maxRetry, firstRetry<<min(failures, 12)))
}

// classify says what a failure is called, how long its job has to wait, and whether
// it counts as an attempt of the job's.
func classify(err error, attempts int) (reason failure, wait time.Duration, counts bool) {
	wait = max(backOff(attempts), retryAfterOf(err))
	switch {
	case errors.As(err, &reason):
		return reason, wait, true
	case errors.Is(err, userjourneys.ErrTooLarge):
		return tooLarge, wait, true
	case errors.Is(err, userjourneys.ErrNotFound):
		return notFound, wait, true
	case refusesKey(err):
		return unauthorized, wait, false
	case errors.Is(err, userjourneys.ErrRateLimited):
		return rateLimited, wait, false
	case errors.Is(err, userjourneys.ErrUnexpectedResponse):
		return badAnswer, wait, true
	}
	return unavailable, wait, true
}

// retryAfterOf is how long the provider asked to be left alone: at most the
// longest wait that is ever made, whatever it says.
func retryAfterOf(err error) time.Duration {
	var answer *userjourneys.Error
	errors.As(err, &answer)
	if answer == nil {
		return 0
	}
	return min(answer.RetryAfter, maxRetry)
}

func refusesKey(err error) bool {
	var answer *userjourneys.Error
	return errors.Is(err, userjourneys.ErrUnauthorized) || errors.As(err, &answer) && answer.StatusCode == http.StatusForbidden
}

// noteKey notes whether the provider accepts the API key, as far as err tells, and
// reports a change once.
func (h *Handler) noteKey(ctx context.Context, err error) {
	var answer *userjourneys.Error
	bad := refusesKey(err)
	if err != nil && !bad && !errors.As(err, &answer) {
		return // no answer at all
	}
	switch {
	case !h.refused.changed(bad):
	case bad:
		h.log.ErrorContext(ctx, "askonce: the provider refuses the API key: no transcripts and no reconciliation until it accepts it")
	default:
		h.log.WarnContext(ctx, "askonce: the provider accepts the API key again")
	}
}
