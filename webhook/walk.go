package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/askonce/askonce/internal/backoff"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

const (
	pageSize       = 100
	lookBack       = 72 * time.Hour
	wholeEvery     = 24 * time.Hour
	walkItems      = 5000 // per run; the next run continues after them
	stuckAfter     = time.Hour
	maxRateLimited = 10               // per run
	maxRepeats     = pageSize         // items seen twice in one run; more than a page of them is a loop
	deliveryTime   = 45 * time.Second // a delivery typically takes 5 to 30
	requeueFor     = 7 * 24 * time.Hour
)

// A position is the stored state of the walks through one study's list.
type position struct {
	// Newest is the latest created_at, by the provider's clock, that a finished
	// walk has seen.
	Newest time.Time `json:"newest"`

	// Cursor is the last item that an unfinished walk has read, Pending the Newest
	// that it has seen so far, and Moved the time when Cursor was set.
	Cursor  string    `json:"cursor,omitempty"`
	Pending time.Time `json:"pending"`
	Moved   time.Time `json:"moved"`

	// End is the last item of the last walk that reached the end of the list. Whole
	// is when a walk last reached it beyond doubt.
	End   string    `json:"end,omitempty"`
	Whole time.Time `json:"whole"`

	// Walked is when a run last succeeded, by the clock of its replica.
	Walked time.Time `json:"walked"`
}

// state returns p as it is stored. It is empty if p cannot be encoded, for instance
// because of a year beyond 9999. Then the next walk is a whole one.
func (p position) state() string {
	b, _ := json.Marshal(p)
	return string(b)
}

// A walk is one run through one study's list. The order of the list is
// undocumented. A walk stops early only if the list has been sorted newest first so
// far, and once a day it never does: an apparent order must not hide an interview
// forever. It saves its position after every page.
type walk struct {
	*reconciler
	position
	studyID    string
	checkpoint string

	last        string // id of the last item
	seen        map[string]bool
	items       int       // so far in this run
	unsaved     int       // items since the position was saved
	extended    time.Time // when the lease was last extended, or an attempt failed
	doubtful    bool      // the last page was empty, so more may follow
	newest      time.Time // the latest created_at so far
	previous    time.Time
	ordered     bool // every item so far was no newer than the one before …
	descended   bool // … and one was older
	rateLimited int
	taken       store.Completion  // the last item that the store accepted
	refused     []event           // items that it has refused since
	dead        map[string]string // reasons of dead jobs, by interview id
	recorded    int               // completions that were not known before …
	missed      int               // … and whose deliveries should have come
	unusable    int               // items without ids
}

// maxRefused is the number of items in a row after which the walk ends if the store
// seems to be down.
const maxRefused = 50

var (
	errEnough = errors.New("enough")
	errLoop   = errors.New("the provider's list repeats itself")
)

// run continues the walk from its position.
func (w *walk) run(ctx context.Context) error {
	w.last, w.newest, w.ordered, w.seen = w.Cursor, w.Pending, true, map[string]bool{}
	w.extended = time.Now()
	w.dead = w.deadJobs(ctx)
	resumed := w.Cursor != ""
	for {
		err := w.pages(ctx)
		if err == nil || errors.Is(err, errEnough) {
			if settleErr := w.settle(ctx, false); settleErr != nil {
				err = settleErr
			}
		}
		var answer *userjourneys.Error
		errors.As(err, &answer)
		switch {
		case errors.Is(err, errEnough):
			return nil
		case err == nil:
			w.finishedWhole()
			return nil
		case resumed && w.items == 0 && answer != nil && (answer.StatusCode == http.StatusBadRequest || answer.StatusCode == http.StatusNotFound):
			// The item where the last run stopped is gone. Start again from the top, once.
			resumed = false
			w.restart()
			w.last, w.newest = "", time.Time{}
		case errors.Is(err, userjourneys.ErrRateLimited) && w.rateLimited < maxRateLimited && retryAfterOf(err) < walkLease/2:
			w.rateLimited++
			if saveErr := w.save(ctx); saveErr != nil { // the lease must outlast the pause
				return saveErr
			}
			if sleepErr := backoff.Sleep(ctx, max(time.Second, retryAfterOf(err))); sleepErr != nil {
				return sleepErr
			}
		case errors.Is(err, errLoop), resumed && w.items == 0 && retryAfterOf(err) == 0 && time.Since(w.Moved) > stuckAfter:
			// This page cannot be read. The next run starts from the top, so that new
			// items do not wait for it forever.
			w.restart()
			return err
		default:
			return err
		}
	}
}

// pages reads the list after the last item. It returns errEnough if it stops before
// the end.
func (w *walk) pages(ctx context.Context) (err error) {
	defer w.catch("Client.Interviews", "", &err)
	mayStop := !w.Newest.IsZero() && time.Since(w.Whole) < wholeEvery
	floor, empty := w.Newest.Add(-lookBack), false
	f := userjourneys.InterviewFilter{StudyID: w.studyID, Status: userjourneys.StatusCompleted, PageSize: pageSize, After: w.last, OnPage: func(items int) { empty = items == 0 }}
	for i, err := range w.opts.Client.Interviews(ctx, f) {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil { // a slow store must not hold up the end of Run
			return err
		}
		if err := w.item(ctx, i); err != nil {
			return err
		}
		w.unsaved++
		switch {
		case mayStop && w.ordered && w.descended && i.CreatedAt.Before(floor):
			w.finished()
			return errEnough
		case w.items-len(w.seen) > maxRepeats:
			return errLoop
		case w.unsaved >= pageSize && len(w.refused) == 0:
			w.Cursor, w.Pending, w.Moved, w.unsaved = w.last, w.newest, time.Now(), 0
			if w.items >= walkItems {
				return errEnough
			}
			if err := w.save(ctx); err != nil {
				return err
			}
		}
	}
	// An empty page is not always the end: the next page is empty, too, if the last
	// item of a page is deleted meanwhile.
	w.doubtful = empty && w.last != ""
	return nil
}

// restart makes the next run begin at the top.
func (w *walk) restart() { w.Cursor, w.Pending = "", time.Time{} }

// finished leaves nothing for the next run.
func (w *walk) finished() {
	w.Newest = w.newest
	w.restart()
}

// finishedWhole is finished for a walk that reached the end of the list. If the end
// is doubtful and not where it was before, the next run reads the whole list again.
func (w *walk) finishedWhole() {
	w.finished()
	if w.doubtful && w.last != w.End {
		w.Whole = time.Time{}
	} else {
		w.Whole = time.Now()
	}
	w.End = w.last
}

// item records an item of the list. The error is the store's, if it seems to be
// down.
func (w *walk) item(ctx context.Context, i userjourneys.Interview) error {
	w.items++
	if usableID(i.ID) { // as a cursor
		w.last = i.ID
	}
	w.seen[i.ID] = true
	if w.items > 1 {
		w.ordered = w.ordered && !i.CreatedAt.After(w.previous)
		w.descended = w.descended || i.CreatedAt.Before(w.previous)
	}
	w.previous = i.CreatedAt
	// An item from the future must not make all others look old.
	if i.CreatedAt.After(w.newest) {
		w.newest = i.CreatedAt
		if now := time.Now(); w.newest.After(now) {
			w.newest = now
		}
	}
	e, ok := eventOf(i, w.studyID)
	if !ok {
		w.unusable++
		return nil
	}
	if i.Status != userjourneys.StatusCompleted || w.unrecordable.skips(e.interviewID) {
		return nil
	}
	result, err := w.take(ctx, e)
	switch result {
	case ResultOtherStudy, ResultNotCompleted:
		return nil
	case ResultPanic, ResultSchema:
		w.pass(ctx, e, result, err, true)
		return nil
	case ResultStore:
		w.refused = append(w.refused, e)
		if len(w.refused) < maxRefused {
			return w.keepLease(ctx)
		}
		return w.settle(ctx, false)
	}
	return w.settle(ctx, true)
}

// take records an item, and counts it if it is new.
func (w *walk) take(ctx context.Context, e event) (Result, error) {
	c, result, err := w.record(ctx, e)
	switch result {
	case ResultOtherStudy, ResultNotCompleted, ResultPanic, ResultSchema, ResultStore:
		return result, err
	case ResultDuplicate:
		w.requeue(ctx, e)
	default:
		w.recorded++
		if e.completedAt.Before(time.Now().Add(-deliveryTime)) {
			w.missed++
			w.progress(ctx, Progress{Step: StepFound, StudyID: e.studyID, InterviewID: e.interviewID})
		}
	}
	w.taken = c
	w.unrecordable.forget(e.interviewID)
	return result, nil
}

// settle tries the refused items once more. If the store refuses one again although
// it works, settle passes the item. Otherwise it returns the store's error. The
// store is known to work if it accepts another item, or the last one again, or keeps
// the refused item as a dead letter.
func (w *walk) settle(ctx context.Context, works bool) error {
	refused := w.refused
	w.refused = nil
	for _, e := range refused {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.keepLease(ctx); err != nil {
			return err
		}
		result, err := w.take(ctx, e)
		switch result {
		case ResultStore:
			works = works || w.takesAgain(ctx)
			if works = w.pass(ctx, e, result, err, works); !works {
				return err
			}
		case ResultPanic, ResultSchema:
			w.pass(ctx, e, result, err, true)
		default:
			works = true
		}
	}
	return nil
}

// takesAgain reports whether the store accepts its last item again, which changes
// nothing.
func (w *walk) takesAgain(ctx context.Context) bool {
	if w.taken.InterviewID == "" {
		return false
	}
	_, err := w.put(ctx, w.taken)
	return err == nil
}

// pass makes the next walks skip an item that cannot be recorded, and keeps it as a
// dead letter if the store keeps those. It returns false, and does not skip the
// item, if the store may be down.
func (w *walk) pass(ctx context.Context, e event, result Result, err error, works bool) bool {
	body := e.raw
	if len(body) == 0 {
		body, _ = json.Marshal(map[string]string{"id": e.interviewID, "study_id": e.studyID})
	}
	kept, keepErr := w.keepLetter(ctx, body, result)
	if !works && !kept {
		return false
	}
	w.skip(ctx, e, result, errors.Join(err, keepErr))
	return true
}

// deadJobs returns the dead jobs whose transcripts may be ready by now: all but
// those that the provider refuses or that are too large.
func (w *walk) deadJobs(ctx context.Context) map[string]string {
	jobs, ok := store.As[store.Transcripts](w.store)
	if !ok {
		return nil
	}
	dead := map[string]string{}
	_ = w.call("Store.DeadJobs", "", func() error {
		for j, err := range jobs.DeadJobs(ctx) {
			if err != nil || len(dead) == walkItems {
				break
			}
			final := j.Fetched || j.Reason == forbidden.Error() || j.Reason == tooLarge.Error()
			if j.StudyID == w.studyID && !final && time.Since(j.CompletedAt) < requeueFor {
				dead[j.InterviewID] = j.Reason
			}
		}
		return nil
	})
	return dead
}

// requeue requeues the dead job of an interview that the provider lists as completed.
func (w *walk) requeue(ctx context.Context, e event) {
	reason, ok := w.dead[e.interviewID]
	if !ok {
		return
	}
	delete(w.dead, e.interviewID)
	jobs, _ := store.As[store.Transcripts](w.store)
	err := w.callDetached(ctx, "Store.RequeueJob", e.interviewID, func(ctx context.Context) error { return jobs.RequeueJob(ctx, e.interviewID) })
	if err != nil {
		w.log.DebugContext(ctx, "askonce: transcript not requeued", "interview", e.interviewID, "err", err)
		return
	}
	w.log.InfoContext(ctx, "askonce: transcript requeued, the provider lists its interview", "interview", e.interviewID, "reason", reason)
	signal(w.queued)
}

// keepLease extends the lease if that is due: a store that refuses items may take its
// time for each.
func (w *walk) keepLease(ctx context.Context) error {
	if time.Since(w.extended) < walkLease/4 {
		return nil
	}
	return w.save(ctx)
}

// save saves the position and extends the lease. It fails only if another replica
// has the lease.
func (w *walk) save(ctx context.Context) error {
	w.extended = time.Now()
	err := w.callDetached(ctx, "Store.Save", "", func(ctx context.Context) error {
		return w.checkpoints.Save(ctx, w.checkpoint, w.holder, w.state(), walkLease)
	})
	if errors.Is(err, store.ErrLeaseLost) {
		return err
	}
	if w.unsavable.changed(err != nil) && err != nil {
		w.log.WarnContext(ctx, "askonce: position of a walk not saved, going on without", "err", err)
	}
	return nil
}
