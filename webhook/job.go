package webhook

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

const (
	fetchTimeout = 10 * time.Second
	hookTimeout  = time.Minute
	giveUpAfter  = 24 * time.Hour
	emptyAfter   = giveUpAfter / 2 // later than that, an interview is stored without turns
)

// A failure is why a job could not be finished. It is the job's Reason.
type failure string

func (f failure) Error() string { return string(f) }

const (
	notFound     failure = "not_found"
	tooLarge     failure = "too_large"
	notReady     failure = "not_ready"   // the interview is still being processed, or has no transcript yet
	idMismatch   failure = "id_mismatch" // the provider returned another interview
	hookFailed   failure = "hook_failed"
	badAnswer    failure = "bad_answer"
	forbidden    failure = "forbidden"    // this interview alone
	unauthorized failure = "unauthorized" // the API key is refused
	rateLimited  failure = "rate_limited"
	unavailable  failure = "unavailable"
	notStored    failure = "not_stored"
)

// work works on one job, extending its lease meanwhile, and puts it back if that
// fails.
func (w *worker) work(ctx context.Context, c *claim) {
	workCtx, cancelWork := context.WithCancel(ctx)
	defer cancelWork()
	// Run's end does not end the lease of what is still being finished.
	beatCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var beat sync.WaitGroup
	beat.Go(func() { w.heartbeat(beatCtx, c, cancelWork) })
	defer beat.Wait()
	defer stop()

	j := *c.Load()
	since, err := w.finish(workCtx, c, &j)
	if err == nil || errors.Is(err, store.ErrLeaseLost) {
		return
	}
	j.Claim = c.Load().Claim
	if err := w.putBack(ctx, j, since, err); err != nil && !errors.Is(err, store.ErrLeaseLost) {
		w.log.ErrorContext(ctx, "askonce: transcript job not put back, it is tried again when its lease ends", "interview", j.InterviewID, "err", err)
	}
}

// finish stores the job's transcript, calls OnCompleted and deletes the job, in
// this order: a process that dies in between calls OnCompleted again, and no
// transcript is lost while the app's code fails. It updates j with what it
// learns, and returns since when the step that fails has been tried.
func (w *worker) finish(ctx context.Context, c *claim, j *store.Job) (since time.Time, err error) {
	t, err := w.transcript(ctx, c, j)
	if err != nil {
		return j.QueuedAt, err
	}
	since = t.FetchedAt
	if j.QueuedAt.After(since) { // requeued
		since = j.QueuedAt
	}
	if err := w.callHook(ctx, *j, t); err != nil {
		return since, err
	}
	return since, w.stored(ctx, *j, "Store.FinishJob", func(ctx context.Context) error { return w.jobs.FinishJob(ctx, *c.Load()) })
}

// transcript returns the job's transcript from the store, or fetches and stores
// it.
func (w *worker) transcript(ctx context.Context, c *claim, j *store.Job) (t store.Transcript, err error) {
	if j.Fetched {
		found := true
		err := w.stored(ctx, *j, "Store.Transcript", func(ctx context.Context) (err error) {
			if t, err = w.jobs.Transcript(ctx, j.InterviewID); errors.Is(err, store.ErrNotFound) {
				found, err = false, nil
			}
			return err
		})
		if err != nil || found {
			return t, err
		}
	}
	i, err := w.fetch(ctx, *j)
	if err != nil {
		return t, err
	}
	w.update(ctx, j, i)
	t = store.Transcript{InterviewID: j.InterviewID, FetchedAt: time.Now(), Body: i.Raw}
	err = w.stored(ctx, *j, "Store.SaveTranscript", func(ctx context.Context) error { return w.jobs.SaveTranscript(ctx, *c.Load(), t) })
	if err != nil {
		return t, err
	}
	j.Fetched, j.Attempts, j.Reason = true, 0, "" // what follows is tried on its own account
	if w.fetched.changed(true) {
		w.log.InfoContext(ctx, "askonce: first transcript fetched", "interview", j.InterviewID)
	}
	w.progress(ctx, Progress{Step: StepFetched, StudyID: j.StudyID, InterviewID: j.InterviewID})
	return t, nil
}

// stored calls f, which uses the store. It logs an error and makes it notStored.
func (w *worker) stored(ctx context.Context, j store.Job, place string, f func(context.Context) error) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	err := w.call(place, j.InterviewID, func() error { return f(ctx) })
	if err == nil || errors.Is(err, store.ErrLeaseLost) {
		return err
	}
	if j.Reason != notStored.Error() { // the first time
		w.log.WarnContext(ctx, "askonce: transcript not stored, trying again", "interview", j.InterviewID, "err", err)
	}
	return notStored
}

func (w *worker) fetch(ctx context.Context, j store.Job) (i userjourneys.Interview, err error) {
	fetchCtx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	err = w.call("Client.Interview", j.InterviewID, func() (err error) {
		i, err = w.client.Interview(fetchCtx, j.InterviewID)
		return err
	})
	switch {
	case refuses(err):
		if w.confirmRefusal(ctx, j.StudyID) {
			return i, refusedKey{err}
		}
		return i, err
	case err != nil:
		return i, err
	}
	w.noteKey(ctx, false)
	w.mu.Lock()
	w.rateLimits = 0
	w.mu.Unlock()
	waited := time.Since(j.QueuedAt)
	switch {
	case userjourneys.CanonicalID(i.ID) != j.InterviewID:
		return i, idMismatch
	case i.Status != userjourneys.StatusCompleted, !i.HasTranscript() && waited < emptyAfter:
		return i, notReady
	case !i.HasTranscript():
		w.log.WarnContext(ctx, "askonce: interview stored without a transcript, the provider has none", "interview", j.InterviewID, "reason", notReady, "waited", waited)
	}
	return i, nil
}

// update records what the provider knew only after the delivery. The user stays
// the one whom the first delivery named.
func (w *worker) update(ctx context.Context, j *store.Job, i userjourneys.Interview) {
	e, ok := eventOf(i, j.StudyID)
	if !ok {
		return
	}
	user, _, err := w.user(ctx, e)
	switch {
	case err != nil:
		w.log.ErrorContext(ctx, "askonce: reference not read, the app's code panicked", "interview", j.InterviewID, "err", err)
	case user != j.UserID && j.UserID != "":
		w.warnOtherUser(ctx, j.InterviewID)
	}
	if j.Quality != "" || e.quality == "" {
		return
	}
	c := j.Completion
	c.Quality = e.quality
	if err := w.judge(&c); err != nil {
		w.log.ErrorContext(ctx, "askonce: late quality score not recorded, the app's code panicked", "interview", j.InterviewID, "err", err)
		return
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	if _, err := w.put(ctx, c); err != nil {
		w.log.WarnContext(ctx, "askonce: late quality score not recorded", "interview", j.InterviewID, "err", err)
		return
	}
	j.Completion = c
}

// callHook calls OnCompleted.
func (w *worker) callHook(ctx context.Context, j store.Job, t store.Transcript) error {
	if w.opts.OnCompleted == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	err := w.call("OnCompleted", j.InterviewID, func() error { return w.opts.OnCompleted(ctx, j.Completion, t) })
	if err == nil {
		return nil
	}
	if j.Reason != hookFailed.Error() { // the first time
		w.log.WarnContext(ctx, "askonce: OnCompleted failed, trying again for 24 hours", "interview", j.InterviewID, "err", err)
	}
	return hookFailed
}

// putBack postpones a failed job, or gives it up. A refused key and a rate limit
// are no reason to give up.
func (w *worker) putBack(ctx context.Context, j store.Job, since time.Time, cause error) (err error) {
	defer w.catch("Store.PostponeJob", j.InterviewID, &err)
	stopped := ctx.Err() != nil
	ctx, cancel := detached(ctx)
	defer cancel()
	if stopped { // as it was, so that the next process need not wait for the lease to end
		return w.jobs.PostponeJob(ctx, j, 0)
	}
	reason, wait, counts := classify(cause, j.Attempts)
	j.Reason = reason.Error()
	if counts {
		j.Attempts++
	} else {
		wait = w.pauseAll(reason, retryAfterOf(cause))
	}
	if reason == tooLarge || counts && time.Since(since) >= giveUpAfter {
		w.log.ErrorContext(ctx, "askonce: transcript given up", "interview", j.InterviewID, "reason", j.Reason, "attempts", j.Attempts)
		w.progress(ctx, Progress{Step: StepGivenUp, StudyID: j.StudyID, InterviewID: j.InterviewID, Reason: j.Reason, Attempts: j.Attempts})
		return w.jobs.KillJob(ctx, j)
	}
	w.log.DebugContext(ctx, "askonce: transcript postponed", "interview", j.InterviewID, "reason", j.Reason, "wait", wait)
	return w.jobs.PostponeJob(ctx, j, wait)
}

// classify returns what a failure is called, how long its job has to wait, and
// whether it counts as an attempt of that job.
func classify(err error, attempts int) (reason failure, wait time.Duration, counts bool) {
	wait = max(time.Second+retries.Wait(attempts), retryAfterOf(err))
	var key refusedKey
	switch {
	case errors.As(err, &reason):
		return reason, wait, true
	case errors.As(err, &key):
		return unauthorized, wait, false
	case errors.Is(err, userjourneys.ErrTooLarge):
		return tooLarge, wait, true
	case errors.Is(err, userjourneys.ErrNotFound):
		return notFound, wait, true
	case refuses(err):
		return forbidden, wait, true
	case errors.Is(err, userjourneys.ErrRateLimited):
		return rateLimited, wait, false
	case errors.Is(err, userjourneys.ErrUnexpectedResponse):
		return badAnswer, wait, true
	}
	return unavailable, wait, true
}

// pauseAll stops the claiming of jobs after a failure that concerns all of them. It
// returns for how long.
func (w *worker) pauseAll(reason failure, asked time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if left := w.pausedUntil.Sub(now); left > 0 && asked <= left {
		return left // several were under way when the first was refused
	}
	var wait time.Duration
	switch {
	case reason == unauthorized:
		wait = max(pauseFor, asked)
	case asked > 0:
		wait = asked + retries.Wait(0) // the replicas need not come back together
	default:
		wait = time.Second + retries.Wait(w.rateLimits)
	}
	if reason == rateLimited {
		w.rateLimits++
	}
	w.pausedUntil = now.Add(wait)
	return wait
}
