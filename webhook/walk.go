package webhook

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/askonce/askonce/userjourneys"
)

const (
	lookBack       = 72 * time.Hour
	wholeEvery     = 24 * time.Hour
	walkItems      = 5000 // per run; the next one goes on where this one stopped
	saveEvery      = 100  // items; extends the lease
	maxRateLimited = 10   // per run
	maxRepeats     = 100  // items seen before in one run: more than one page is a loop
)

// walk is one run through one study's list, whose order is undocumented. It
// ends early only where the list has come newest first so far, and once a day
// not even there: an order that only looks like one must not hide anything for
// ever.
type walk struct {
	*reconciler
	progress
	studyID string

	last        string // id of the last item
	seen        map[string]bool
	items       int       // so far in this run
	newest      time.Time // created_at so far
	previous    time.Time
	ordered     bool // every item so far was no newer than the one before …
	descended   bool // … and one was older
	rateLimited int
	found       int // completions that were not recorded yet
}

var (
	errEnough = errors.New("enough")
	errLoop   = errors.New("the provider's list repeats itself")
)

func (w *walk) run(ctx context.Context, extend func() error) error {
	w.last, w.newest, w.ordered, w.seen = w.Cursor, w.Pending, true, map[string]bool{}
	resumed := w.Cursor != ""
	for {
		err := w.pages(ctx, extend)
		var answer *userjourneys.Error
		errors.As(err, &answer)
		switch {
		case errors.Is(err, errEnough):
			return nil
		case err == nil:
			w.finished()
			w.Whole = time.Now()
			return nil
		case resumed && w.items == 0 && answer != nil && (answer.StatusCode == http.StatusBadRequest || answer.StatusCode == http.StatusNotFound):
			// Where the last run stopped is gone: from the top, once.
			resumed = false
			w.last, w.newest, w.Cursor, w.Pending = "", time.Time{}, "", time.Time{}
		case errors.Is(err, userjourneys.ErrRateLimited) && w.rateLimited < maxRateLimited && retryAfterOf(err) < walkLease/2:
			w.rateLimited++
			if !pause(ctx, max(time.Second, retryAfterOf(err))) {
				return context.Cause(ctx)
			}
		default:
			return err
		}
	}
}

// pages reads on behind the last item until the end or until it is enough.
func (w *walk) pages(ctx context.Context, extend func() error) error {
	mayStop := !w.Newest.IsZero() && time.Since(w.Whole) < wholeEvery
	floor := w.Newest.Add(-lookBack)
	f := userjourneys.InterviewFilter{StudyID: w.studyID, Status: userjourneys.StatusCompleted, PageSize: 100, After: w.last}
	for i, err := range w.opts.Client.Interviews(ctx, f) {
		if err != nil {
			return err
		}
		if err := w.item(ctx, i); err != nil {
			return err
		}
		switch {
		case mayStop && w.ordered && w.descended && i.CreatedAt.Before(floor):
			w.finished()
			return errEnough
		case w.items-len(w.seen) > maxRepeats:
			return errLoop
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

// finished notes that nothing was left for the next run.
func (w *walk) finished() { w.Newest, w.Cursor, w.Pending = w.newest, "", time.Time{} }

func (w *walk) item(ctx context.Context, i userjourneys.Interview) error {
	w.items++
	w.last = i.ID
	w.seen[i.ID] = true
	if w.items > 1 {
		w.ordered = w.ordered && !i.CreatedAt.After(w.previous)
		w.descended = w.descended || i.CreatedAt.Before(w.previous)
	}
	w.previous = i.CreatedAt
	// One that comes from the far future would hide all others until then.
	if i.CreatedAt.After(w.newest) && i.CreatedAt.Before(time.Now().Add(lookBack)) {
		w.newest = i.CreatedAt
	}
	e, ok := eventOf(i, w.studyID)
	if !ok || i.Status != userjourneys.StatusCompleted {
		return nil
	}
	switch result := w.accept(ctx, e); result {
	case ResultStore:
		return errors.New("the store does not record")
	case ResultDuplicate, ResultOtherStudy, ResultNotCompleted:
	case ResultSchema:
		w.log.DebugContext(ctx, "askonce: an interview of the provider's list cannot be recorded", "interview", e.interviewID)
	default:
		w.found++
	}
	return nil
}
