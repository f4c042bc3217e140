package webhook

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
)

const (
	pollEvery = 10 * time.Second // for jobs of other replicas, and for jobs that are due again
	jobLease  = 2 * time.Minute  // extended while a job is worked on
	workers   = 4
)

// Run fetches transcripts and looks for missed completions until ctx ends, and
// then returns nil. Replicas that share a store share the work, and each should
// call Run. It also deletes what is older than [Options.Retention]. Without either
// there is nothing to do, and it only waits.
//
// A transcript that cannot be fetched within 24 hours is given up, and so is an
// OnCompleted that fails for 24 hours. The job stays listed by
// [store.Transcripts], with the reason, until it is requeued.
func (h *Handler) Run(ctx context.Context) error {
	h.ran.Store(true)
	var wg sync.WaitGroup
	if h.opts.Client != nil {
		if jobs, ok := h.store.transcripts(); ok {
			w := &worker{Handler: h, jobs: jobs, claims: map[string]*claim{}}
			wg.Go(func() { w.run(ctx) })
		} else {
			h.log.WarnContext(ctx, "askonce: the store keeps no transcripts, none are fetched")
		}
		if h.opts.ReconcileEvery > 0 {
			wg.Go(func() { newReconciler(h).run(ctx) })
		}
	}
	if items, ok := h.store.retention(); ok && h.opts.Retention > 0 {
		c := &cleaner{Handler: h, expired: items, holder: rand.Text()}
		wg.Go(func() { c.run(ctx) })
	}
	<-ctx.Done()
	wg.Wait()
	return nil
}

// A worker works on the jobs of the queue, at most workers of them at once, so
// that a slow one holds up no other.
type worker struct {
	*Handler
	jobs        guardedTranscripts
	unavailable edge              // the queue
	claims      map[string]*claim // by interview id: what this process works on; run's alone

	mu          sync.Mutex
	pausedUntil time.Time
	rateLimits  int // in a row, counted once for each pause
}

// A claim is a job that this process holds.
type claim struct {
	mu  sync.Mutex
	job store.Job
}

func (c *claim) current() store.Job {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.job
}

// renew takes the token of a newer claim of the same job.
func (c *claim) renew(j store.Job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.job.Claim = j.Claim
}

func (w *worker) run(ctx context.Context) {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	done := make(chan string)
	for more := true; ctx.Err() == nil; {
		if want := w.wanted() - len(w.claims); more && want > 0 {
			jobs := w.claim(ctx, want)
			for _, j := range jobs {
				// The store gives out a job again if its lease could not be extended.
				if c := w.claims[j.InterviewID]; c != nil {
					c.renew(j)
					continue
				}
				c := &claim{job: j}
				w.claims[j.InterviewID] = c
				go func() {
					w.work(ctx, c)
					done <- j.InterviewID
				}()
			}
			more = len(jobs) == want
		}
		select {
		case <-ctx.Done():
		case id := <-done:
			delete(w.claims, id)
		case <-w.queued:
			more = true
		case <-poll.C:
			more = true
		}
	}
	for range len(w.claims) {
		<-done
	}
}

// wanted returns how many jobs to work on now: none in a pause, and one to find
// out whether the pause was long enough.
func (w *worker) wanted() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case time.Now().Before(w.pausedUntil):
		return 0
	case w.key.isRefused(), w.rateLimits > 0:
		return 1
	}
	return workers
}

func (w *worker) claim(ctx context.Context, n int) []store.Job {
	jobs, err := w.jobs.ClaimJobs(ctx, jobLease, n)
	switch {
	case ctx.Err() != nil || !w.unavailable.changed(err != nil):
	case err != nil:
		w.log.WarnContext(ctx, "askonce: transcript queue unavailable", "err", err)
	default:
		w.log.InfoContext(ctx, "askonce: transcript queue available again")
	}
	return jobs
}

// heartbeat extends the lease of a claim until stop is called. If the lease is
// lost it cancels the work.
func (w *worker) heartbeat(ctx context.Context, c *claim, cancelWork context.CancelFunc) (stop func()) {
	// Run's end does not end the lease of what is still being finished.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(jobLease / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			j := c.current()
			err := w.extend(ctx, j)
			switch {
			case err == nil || ctx.Err() != nil:
			case !errors.Is(err, store.ErrLeaseLost):
				w.log.WarnContext(ctx, "askonce: lease of a transcript job not extended", "interview", j.InterviewID, "err", err)
			case c.current().Claim == j.Claim: // not renewed meanwhile
				w.log.WarnContext(ctx, "askonce: lease of a transcript job lost: another replica has it, or its user was erased", "interview", j.InterviewID)
				cancelWork()
				return
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

func (w *worker) extend(ctx context.Context, j store.Job) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return w.jobs.ExtendJob(ctx, j, jobLease)
}
