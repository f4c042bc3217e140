package webhook

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/askonce/askonce/internal/backoff"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

const (
	walkLease    = 5 * time.Minute
	afterTrouble = time.Minute
	heldRetry    = 2 * time.Second
)

// A reconciler finds completions whose deliveries never came.
type reconciler struct {
	*Handler
	holder    string
	failing   edge
	unsavable edge // the position
	unnamed   edge // Options.Studies has a name that no study has
}

// An outcome is what came of a walk through one study, or through all.
type outcome struct {
	held    bool      // another replica is walking it
	more    bool      // the next walk should come soon
	walked  time.Time // when the list was last walked, by whichever replica; zero if unknown
	unnamed []string  // of Options.Studies: names that no study has
}

func newReconciler(h *Handler) *reconciler {
	return &reconciler{Handler: h, holder: rand.Text()}
}

func (r *reconciler) run(ctx context.Context) {
	for forced := true; ; {
		got, err := r.all(ctx, forced)
		if ctx.Err() != nil {
			return
		}
		r.report(ctx, got, err)
		r.checkHook(ctx)
		wait := r.opts.ReconcileEvery
		switch {
		case r.key.isRefused():
			wait = min(wait, pauseFor)
		case err != nil:
			wait = max(min(wait, afterTrouble), retryAfterOf(err))
		case got.more, got.held && forced:
			wait = min(wait, afterTrouble)
		}
		forced = forced && (err != nil || got.held)
		select {
		case <-ctx.Done():
			return
		case <-r.trouble:
			forced = true
			if backoff.Sleep(ctx, afterTrouble) != nil { // whatever it was, give it time to pass
				return
			}
		case <-time.After(wait):
		}
	}
}

// report logs the transitions between working and failing.
func (r *reconciler) report(ctx context.Context, got outcome, err error) {
	if r.unnamed.changed(len(got.unnamed) > 0) && len(got.unnamed) > 0 {
		r.log.WarnContext(ctx, "askonce: no active study has this id or name, its interviews are not reconciled", "studies", got.unnamed)
	}
	switch {
	case r.key.isRefused(): // has been logged
	case err != nil:
		if r.failing.changed(true) {
			r.log.WarnContext(ctx, "askonce: reconciliation fails, trying again", "err", err)
		}
	case got.held:
	default:
		if r.failing.changed(false) {
			r.log.InfoContext(ctx, "askonce: reconciliation works again")
		}
		if r.walked.changed(true) {
			r.log.InfoContext(ctx, "askonce: first reconciliation finished")
		}
	}
}

// Reconcile walks the provider's list of interviews once, now, and records what
// is missing. It waits while another replica does. It reads at most 5000 interviews
// of each study; the next walk continues after them. The error also says which
// name in [Options.Studies] no active study has.
//
// [Handler.Run] does the same at its start, at every [Options.ReconcileEvery],
// and after trouble.
func (h *Handler) Reconcile(ctx context.Context) error {
	if h.opts.Client == nil {
		return errors.New("webhook: reconciliation needs Options.Client")
	}
	if _, lists := h.client.studies(ctx); !lists && len(h.opts.Studies) == 0 {
		return errors.New("webhook: reconciliation needs Options.Studies, because Client cannot list them")
	}
	r := newReconciler(h)
	for {
		got, err := r.all(ctx, true)
		if len(got.unnamed) > 0 {
			err = errors.Join(err, fmt.Errorf("webhook: reconcile: no active study has the id or name %q: check Options.Studies", got.unnamed))
		}
		if err != nil || !got.held {
			return err
		}
		if err := backoff.Sleep(ctx, heldRetry); err != nil {
			return err
		}
	}
}

// all walks every study. Unless it is forced, it leaves out those that another
// replica has walked since about the last time.
func (r *reconciler) all(ctx context.Context, forced bool) (all outcome, err error) {
	begun := time.Now()
	ids, unnamed, err := r.studyIDs(ctx)
	errs := []error{err}
	all.walked, all.unnamed = time.Now(), unnamed
	for _, id := range ids {
		one, err := r.study(ctx, id, forced)
		if errors.Is(err, userjourneys.ErrNotFound) && r.studies.forget(id, begun) {
			continue // it was not paused but deleted
		}
		errs = append(errs, err)
		all.held, all.more = all.held || one.held, all.more || one.more
		if one.walked.Before(all.walked) {
			all.walked = one.walked
		}
	}
	err = errors.Join(errs...)
	if err == nil && !all.walked.IsZero() {
		r.reconciled.Store(all.walked.UnixNano())
	}
	return all, err
}

// studyIDs returns the ids of the studies to walk, and the names that no study
// has. The provider lists active studies only, so those that it has listed lately
// are walked too: an interview that was under way when its study was paused is
// completed all the same.
func (r *reconciler) studyIDs(ctx context.Context) (ids, unnamed []string, err error) {
	list, lists := r.client.studies(ctx)
	if !lists {
		return r.opts.Studies, nil, nil
	}
	if r.studies.complete() {
		return r.studies.ids(), nil, nil
	}
	changed := false
	for s, listErr := range list {
		if listErr != nil {
			r.checkKey(ctx, listErr, "")
			err = fmt.Errorf("webhook: reconcile: %w", listErr)
			break
		}
		changed = r.studies.note(s) || changed
	}
	if rememberErr := r.remember(ctx, changed); rememberErr != nil && err == nil {
		err = fmt.Errorf("webhook: reconcile: %w", rememberErr)
	}
	if err == nil {
		unnamed = r.studies.unnamed()
	}
	return r.studies.ids(), unnamed, err
}

// remember shares the studies that were listed lately with other replicas and
// with the next process, in the store.
func (r *reconciler) remember(ctx context.Context, changed bool) error {
	const name = "reconcile/studies"
	if !changed && r.studies.isRestored() {
		return nil
	}
	ctx, cancel := r.detached(ctx)
	defer cancel()
	state, acquired, err := r.checkpoints.Acquire(ctx, name, r.holder, storeTimeout)
	if err != nil || !acquired {
		return err // another replica holds the lease: next time
	}
	r.studies.restore(state)
	return r.checkpoints.Release(ctx, name, r.holder, r.studies.state())
}

// checkKey notes what an error of a list says about the API key.
func (r *reconciler) checkKey(ctx context.Context, err error, studyID string) {
	var answer *userjourneys.Error
	switch {
	case !refuses(err):
		if errors.As(err, &answer) {
			r.noteKey(ctx, false)
		}
	case studyID == "":
		r.noteKey(ctx, true)
	default:
		r.confirmRefusal(ctx, studyID)
	}
}

// study walks one study under its lease.
func (r *reconciler) study(ctx context.Context, studyID string, forced bool) (outcome, error) {
	name := "reconcile/" + studyID
	state, acquired, err := r.acquire(ctx, name)
	if err != nil {
		return outcome{}, fmt.Errorf("webhook: reconcile: %w", err)
	}
	if !acquired {
		return outcome{held: true}, nil
	}
	w := &walk{reconciler: r, studyID: studyID, checkpoint: name}
	_ = json.Unmarshal([]byte(state), &w.position) // an unreadable state is none: a whole walk
	resumed := w.Cursor != ""
	// A replica's clock may be ahead of ours: then nobody knows.
	since := time.Since(w.Walked)
	if !forced && !resumed && since >= 0 && since < r.opts.ReconcileEvery*9/10 {
		return outcome{walked: w.Walked}, w.release(ctx)
	}
	err = w.run(ctx)
	r.reportWalk(ctx, w)
	if err == nil {
		r.noteKey(ctx, false)
		w.Walked = time.Now()
	} else {
		r.checkKey(ctx, err, studyID)
	}
	// What was not finished goes on where it stopped.
	if releaseErr := w.release(ctx); releaseErr != nil && err == nil {
		err = releaseErr
	}
	switch {
	case errors.Is(err, store.ErrLeaseLost):
		return outcome{held: true}, nil
	case err != nil:
		return outcome{}, fmt.Errorf("webhook: reconcile: %w", err)
	}
	if w.Cursor == "" {
		r.progress(ctx, Progress{Step: StepReconciled, StudyID: studyID, Recorded: w.recorded})
	}
	return outcome{more: resumed || w.Cursor != "", walked: w.Walked}, nil
}

func (r *reconciler) acquire(ctx context.Context, name string) (string, bool, error) {
	ctx, cancel := r.detached(ctx)
	defer cancel()
	return r.checkpoints.Acquire(ctx, name, r.holder, walkLease)
}

// reportWalk logs what a walk found and what it could not use.
func (r *reconciler) reportWalk(ctx context.Context, w *walk) {
	if w.missed > 0 {
		level := slog.LevelWarn
		if w.Walked.IsZero() { // the first walk finds everything from before
			level = slog.LevelInfo
		}
		r.log.Log(ctx, level, "askonce: found completions whose deliveries had not come", "study", w.studyID, "completions", w.missed)
	}
	if w.unusable > 0 && r.unusable.changed(true) {
		r.log.WarnContext(ctx, "askonce: the provider's list has interviews without a usable id, they are skipped", "study", w.studyID, "interviews", w.unusable)
	}
}
