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
	emptyAfter   = giveUpAfter / 2 // then an interview is stored even without turns
)

// A failure is the reason why a job could not be finished, as in [store.Job].Reason.
type failure string

func (f failure) Error() string { return string(f) }

const (
	notFound     failure = "not_found"
	tooLarge     failure = "too_large"
	notReady     failure = "not_ready"   // the interview is still being processed, or has no transcript yet
	idMismatch   failure = "id_mismatch" // the provider returned another interview
	hookFailed   failure = "hook_failed"
	badAnswer    failure = "bad_answer"
	forbidden    failure = "forbidden"    // access to this interview is refused
	unauthorized failure = "unauthorized" // the API key is refused
	rateLimited  failure = "rate_limited"
	unavailable  failure = "unavailable"
	notStored    failure = "not_stored"
)

// work works on one job and extends its lease meanwhile. It puts the job back if it
// cannot be finished.
func (w *worker) work(ctx context.Context, c *claim) {
	workCtx, cancelWork := context.WithCancel(ctx)
	defer cancelWork()
	// The lease is extended even after the end of Run, until the work has stopped.
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
// this order. So no transcript is lost while OnCompleted fails, and if the process
// dies in between, OnCompleted is called again. finish updates j, and returns since
// when the step that failed has been tried.
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
		deleted := false
		err := w.stored(ctx, *j, "Store.Transcript", func(ctx context.Context) (err error) {
			t, err = w.jobs.Transcript(ctx, j.InterviewID)
			if deleted = errors.Is(err, store.ErrNotFound); deleted {
				return nil
			}
			return err
		})
		if !deleted {
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
	j.Fetched, j.Attempts, j.Reason = true, 0, "" // attempts of OnCompleted are counted separately
	if w.logged.add("first transcript") {
		w.log.InfoContext(ctx, "askonce: first transcript fetched", "interview", j.InterviewID)
	}
	w.progress(ctx, Progress{Step: StepFetched, StudyID: j.StudyID, InterviewID: j.InterviewID})
	return t, nil
}

// stored calls f, which uses the store. It logs an error of f and returns notStored
// for it, except for [store.ErrLeaseLost].
func (w *worker) stored(ctx context.Context, j store.Job, place string, f func(context.Context) error) error {
	err := w.callDetached(ctx, place, j.InterviewID, f)
	if err == nil || errors.Is(err, store.ErrLeaseLost) {
		return err
	}
	if j.Reason != notStored.Error() { // the first time
		w.log.WarnContext(ctx, "askonce: transcript not stored, trying again", "interview", j.InterviewID, "err", err)
	}
	return notStored
}

// fetch fetches an interview that has its transcript.
func (w *worker) fetch(ctx context.Context, j store.Job) (i userjourneys.Interview, err error) {
	fetchCtx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	err = w.call("Client.Interview", j.InterviewID, func() (err error) {
		i, err = w.opts.Client.Interview(fetchCtx, j.InterviewID)
		return err
	})
	switch {
	case refuses(err):
		if w.confirmRefusal(ctx, j.StudyID) {
			return i, errors.Join(unauthorized, err)
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

// update records a quality score that was not known at the delivery. The user stays
// the one of the first delivery.
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

// putBack postpones a failed job, or gives it up. A refused key or a rate limit is
// not a reason to give up.
func (w *worker) putBack(ctx context.Context, j store.Job, since time.Time, cause error) error {
	if ctx.Err() != nil { // unchanged, so that the next process need not wait for the lease to end
		return w.postpone(ctx, j, 0)
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
		return w.callDetached(ctx, "Store.KillJob", j.InterviewID, func(ctx context.Context) error { return w.jobs.KillJob(ctx, j) })
	}
	w.log.DebugContext(ctx, "askonce: transcript postponed", "interview", j.InterviewID, "reason", j.Reason, "wait", wait)
	return w.postpone(ctx, j, wait)
}

func (w *worker) postpone(ctx context.Context, j store.Job, wait time.Duration) error {
	return w.callDetached(ctx, "Store.PostponeJob", j.InterviewID, func(ctx context.Context) error { return w.jobs.PostponeJob(ctx, j, wait) })
}

// classify returns the reason for a failure, how long to wait before the next
// attempt, and whether the attempt counts.
func classify(err error, attempts int) (reason failure, wait time.Duration, counts bool) {
	wait = max(time.Second+retries.Wait(attempts), retryAfterOf(err))
	switch {
	case errors.As(err, &reason):
		return reason, wait, reason != unauthorized
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

// pauseAll pauses the claiming of jobs after a failure that affects all of them. It
// returns the length of the pause.
func (w *worker) pauseAll(reason failure, asked time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if left := w.pausedUntil.Sub(now); left > 0 && asked <= left {
		return left // another job that was under way has failed first
	}
	var wait time.Duration
	switch {
	case reason == unauthorized:
		wait = max(pauseFor, asked)
	case asked > 0:
		wait = asked + retries.Wait(0) // so that replicas do not come back together
	default:
		wait = time.Second + retries.Wait(w.rateLimits)
	}
	if reason == rateLimited {
		w.rateLimits++
	}
	w.pausedUntil = now.Add(wait)
	return wait
}
