package webhook

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce/internal/backoff"
	"github.com/askonce/askonce/store"
)

const (
	pollEvery = 10 * time.Second // for jobs that other replicas have queued or that are due again
	jobLease  = 2 * time.Minute  // extended while a job is worked on
	workers   = 4
)

// Run fetches transcripts, finds completions that were not delivered, and deletes
// items older than [Options.Retention], until ctx ends. Then it returns nil. Every
// replica should call Run; those that share a store share the work. The first two
// need [Options.Client].
//
// A transcript that cannot be fetched within 24 hours is given up, and so is an
// OnCompleted that fails for 24 hours. The dead job stays in [store.Transcripts],
// with the reason, until it is requeued.
func (h *Handler) Run(ctx context.Context) error {
	h.ran.Store(true)
	var wg sync.WaitGroup
	if h.opts.Client != nil {
		if jobs, ok := store.As[store.Transcripts](h.store); ok {
			w := &worker{Handler: h, jobs: jobs, claims: map[string]*claim{}}
			wg.Go(func() { w.run(ctx) })
		} else {
			h.log.WarnContext(ctx, "askonce: the store keeps no transcripts, none are fetched")
		}
		if h.opts.ReconcileEvery > 0 {
			wg.Go(func() { newReconciler(h).run(ctx) })
		}
	}
	if items, ok := store.As[store.Retention](h.store); ok && h.opts.Retention > 0 {
		c := &cleaner{Handler: h, items: items, holder: rand.Text()}
		wg.Go(func() { c.run(ctx) })
	}
	<-ctx.Done()
	wg.Wait()
	return nil
}

// A worker works on jobs from the queue, at most workers of them at once, so that a
// slow one does not hold up the others.
type worker struct {
	*Handler
	jobs        store.Transcripts
	unavailable edge              // the queue
	claims      map[string]*claim // by interview id; used by run alone

	mu          sync.Mutex
	pausedUntil time.Time
	rateLimits  int // in a row, counted once for each pause
}

// A claim is a job that this process works on. If the lease could not be extended
// and the store hands the job out again, the claim holds the newer job.
type claim struct{ atomic.Pointer[store.Job] }

func (w *worker) run(ctx context.Context) {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	done := make(chan string)
	for more := true; ctx.Err() == nil; {
		if want := w.wanted() - len(w.claims); more && want > 0 {
			jobs := w.claimJobs(ctx, want)
			more = len(jobs) == want
			for _, j := range jobs {
				if c := w.claims[j.InterviewID]; c != nil {
					c.Store(&j)
					continue
				}
				c := &claim{}
				c.Store(&j)
				w.claims[j.InterviewID] = c
				go func() {
					w.work(ctx, c)
					done <- j.InterviewID
				}()
			}
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

// wanted returns how many jobs to work on now: none during a pause, and one after it
// to find out whether it was long enough.
func (w *worker) wanted() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case time.Now().Before(w.pausedUntil):
		return 0
	case w.keyRefused.Load(), w.rateLimits > 0:
		return 1
	}
	return workers
}

func (w *worker) claimJobs(ctx context.Context, n int) (jobs []store.Job) {
	err := w.call("Store.ClaimJobs", "", func() (err error) {
		jobs, err = w.jobs.ClaimJobs(ctx, jobLease, n)
		return err
	})
	switch {
	case ctx.Err() != nil || !w.unavailable.changed(err != nil):
	case err != nil:
		w.log.WarnContext(ctx, "askonce: transcript queue unavailable", "err", err)
	default:
		w.log.InfoContext(ctx, "askonce: transcript queue available again")
	}
	return jobs
}

// heartbeat extends the lease of a claim until ctx ends. It cancels the work if the
// lease is lost.
func (w *worker) heartbeat(ctx context.Context, c *claim, cancelWork context.CancelFunc) {
	for backoff.Sleep(ctx, jobLease/3) == nil {
		j := c.Load()
		err := w.extend(ctx, *j)
		switch {
		case err == nil || ctx.Err() != nil:
		case !errors.Is(err, store.ErrLeaseLost):
			w.log.WarnContext(ctx, "askonce: lease of a transcript job not extended", "interview", j.InterviewID, "err", err)
		case c.Load() == j: // the job was not handed out again meanwhile
			w.log.WarnContext(ctx, "askonce: lease of a transcript job lost: another replica has it, or its user was erased", "interview", j.InterviewID)
			cancelWork()
			return
		}
	}
}

func (w *worker) extend(ctx context.Context, j store.Job) (err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	defer w.catch("Store.ExtendJob", j.InterviewID, &err)
	return w.jobs.ExtendJob(ctx, j, jobLease)
}
