package webhook

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

const (
	lookBack       = 72 * time.Hour
	walkLease      = 5 * time.Minute
	walkItems      = 5000 // per run; the next one goes on where this one stopped
	afterTrouble   = time.Minute
	saveEvery      = 100 // items; extends the lease
	maxRateLimited = 10  // per run
)

type studyLister interface {
	Studies(ctx context.Context) iter.Seq2[userjourneys.Study, error]
}

type webhookReader interface {
	Webhook(ctx context.Context) (userjourneys.Webhook, error)
}

// progress is what is remembered of the walks through one study's list.
type progress struct {
	// Newest is the latest created_at, by the provider's clock, that a whole
	// walk has seen.
	Newest time.Time `json:"newest"`
	// Cursor is where a walk that was too long for one run stopped, and
	// Pending the Newest that it will have seen.
	Cursor  string    `json:"cursor,omitempty"`
	Pending time.Time `json:"pending"`
	// Walked is when a run last ended well, by our clock.
	Walked time.Time `json:"walked"`
}

// reconciler finds completions whose delivery never came.
type reconciler struct {
	*Handler
	holder      string
	checkpoints store.Checkpoints // the store's, or memory of this process
	drifted     bool
}

func newReconciler(h *Handler) *reconciler {
	r := &reconciler{Handler: h, holder: rand.Text()}
	var ok bool
	if r.checkpoints, ok = store.As[store.Checkpoints](h.store); !ok {
		r.checkpoints = store.NewMemory()
	}
	return r
}

func (r *reconciler) run(ctx context.Context) {
	for forced := true; ; {
		wait := r.opts.ReconcileEvery
		if err := r.all(ctx, forced); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "askonce: reconciliation failed and will be tried again", "err", err)
			wait = min(wait, afterTrouble)
		}
		r.checkURL(ctx)
		select {
		case <-ctx.Done():
			return
		case <-r.trouble:
			forced = true
			if !pause(ctx, afterTrouble) { // whatever it was, give it time to pass
				return
			}
		case <-time.After(wait):
			forced = false
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// Reconcile walks the provider's list once, now, and records what is missing.
// Run does so by itself; call it after a rotation of the secret.
func (h *Handler) Reconcile(ctx context.Context) error {
	if h.opts.Interviews == nil {
		return errors.New("webhook: reconciliation needs Options.Interviews")
	}
	return newReconciler(h).all(ctx, true)
}

// all walks every study. Unless it is forced, it leaves out those that another
// replica has walked since about the last time.
func (r *reconciler) all(ctx context.Context, forced bool) error {
	studies, err := r.studyIDs(ctx)
	errs := []error{err}
	for _, id := range studies {
		errs = append(errs, r.study(ctx, id, forced))
	}
	return errors.Join(errs...)
}

func (r *reconciler) studyIDs(ctx context.Context) (ids []string, err error) {
	if len(r.opts.Studies) > 0 {
		return r.opts.Studies, nil
	}
	for s, err := range r.opts.Interviews.(studyLister).Studies(ctx) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, s.ID)
	}
	return ids, nil
}

// study walks one study under its lease.
func (r *reconciler) study(ctx context.Context, studyID string, forced bool) error {
	name := "reconcile/" + studyID
	state, held, err := r.checkpoints.Acquire(ctx, name, r.holder, time.Now(), walkLease)
	if err != nil || held {
		return err
	}
	var p progress
	_ = json.Unmarshal([]byte(state), &p) // an unreadable state is none: a whole walk
	save := func(p progress, until time.Time) error {
		b, err := json.Marshal(p)
		if err != nil {
			return err
		}
		return r.checkpoints.Save(ctx, name, r.holder, string(b), until)
	}
	if !forced && time.Since(p.Walked) < r.opts.ReconcileEvery*9/10 {
		return save(p, time.Now())
	}
	w := walk{reconciler: r, studyID: studyID, progress: p}
	err = w.run(ctx, func() error { return save(p, time.Now().Add(walkLease)) })
	if err != nil {
		if saveErr := save(p, time.Now()); saveErr != nil { // as it was: the next run starts over
			r.log.DebugContext(ctx, "askonce: a lease runs on", "err", saveErr)
		}
		return fmt.Errorf("webhook: reconcile: %w", err)
	}
	w.progress.Walked = time.Now()
	return save(w.progress, time.Now())
}

// walk is one run through one study's list, whose order is undocumented. It may
// end early only where the list has proven to come newest first.
type walk struct {
	*reconciler
	progress
	studyID string

	last        string    // id of the last item
	items       int       // so far in this run
	newest      time.Time // created_at so far
	previous    time.Time
	ordered     bool // every item so far was no newer than the one before …
	descended   bool // … and one was older
	rateLimited int
}

var errEnough = errors.New("enough")

func (w *walk) run(ctx context.Context, extend func() error) error {
	w.last, w.newest, w.ordered = w.Cursor, w.Pending, true
	resumed := w.Cursor != ""
	for {
		err := w.pages(ctx, extend)
		var answer *userjourneys.Error
		errors.As(err, &answer)
		switch {
		case errors.Is(err, errEnough):
			return nil
		case err == nil:
			w.whole()
			return nil
		case resumed && w.items == 0 && answer != nil && (answer.StatusCode == http.StatusBadRequest || answer.StatusCode == http.StatusNotFound):
			// Where the last run stopped is gone: from the top, once.
			resumed = false
			w.last, w.newest, w.Cursor, w.Pending = "", time.Time{}, "", time.Time{}
		case errors.Is(err, userjourneys.ErrRateLimited) && w.rateLimited < maxRateLimited:
			w.rateLimited++
			if !pause(ctx, max(time.Second, min(answer.RetryAfter, walkLease/2))) {
				return ctx.Err()
			}
		default:
			return err
		}
	}
}

// pages reads on behind the last item until the end or until it is enough.
func (w *walk) pages(ctx context.Context, extend func() error) error {
	floor := w.Newest.Add(-lookBack)
	f := userjourneys.InterviewFilter{StudyID: w.studyID, Status: userjourneys.StatusCompleted, PageSize: 100, After: w.last}
	for i, err := range w.opts.Interviews.Interviews(ctx, f) {
		if err != nil {
			return err
		}
		if err := w.item(ctx, i); err != nil {
			return err
		}
		switch {
		case !w.Newest.IsZero() && w.ordered && w.descended && i.CreatedAt.Before(floor):
			w.whole()
			return errEnough
		case w.items >= walkItems:
			w.Cursor, w.Pending = w.last, w.newest
			return errEnough
		case w.items%saveEvery == 0:
			if err := extend(); err != nil {
				return err
			}
		}
	}
	return nil
}

// whole notes that nothing of the list was left out.
func (w *walk) whole() { w.Newest, w.Cursor, w.Pending = w.newest, "", time.Time{} }

func (w *walk) item(ctx context.Context, i userjourneys.Interview) error {
	w.items++
	w.last = i.ID
	if w.items > 1 {
		w.ordered = w.ordered && !i.CreatedAt.After(w.previous)
		w.descended = w.descended || i.CreatedAt.Before(w.previous)
	}
	w.previous = i.CreatedAt
	if i.CreatedAt.After(w.newest) {
		w.newest = i.CreatedAt
	}
	e, ok := eventOf(i)
	if !ok || i.Status != userjourneys.StatusCompleted {
		return nil
	}
	switch reason := w.accept(ctx, e); reason {
	case Store:
		return errors.New("the store does not record")
	case Duplicate, OtherStudy, NotCompleted:
	default:
		w.log.InfoContext(ctx, "askonce: found a completion whose delivery had not come", "interview", e.interviewID, "reason", reason)
	}
	return nil
}

// checkURL warns, once for each change, when the provider delivers elsewhere.
// It never writes: there is one webhook for a project, and another deployment
// may own it.
func (r *reconciler) checkURL(ctx context.Context) {
	reader, ok := r.opts.Interviews.(webhookReader)
	if !ok || r.opts.URL == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	hook, err := reader.Webhook(ctx)
	if err != nil && !errors.Is(err, userjourneys.ErrNotFound) {
		return // reconciliation says so already
	}
	drifted := hook.URL != r.opts.URL
	switch {
	case drifted && !r.drifted:
		r.log.WarnContext(ctx, "askonce: the provider delivers to another URL or to none: completions come late", "registered", hook.URL, "ours", r.opts.URL)
	case !drifted && r.drifted:
		r.log.InfoContext(ctx, "askonce: the provider delivers here again")
	}
	r.drifted = drifted
}
