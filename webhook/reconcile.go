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
	shareEvery   = time.Hour // or at once, if a study is new
)

// A reconciler finds completions whose deliveries never came.
type reconciler struct {
	*Handler
	holder    string
	shared    time.Time // when share last succeeded
	failing   edge
	unsavable edge // a walk's position cannot be saved
	unnamed   edge // Options.Studies has a name that no study has
}

// A round is one walk through the list of each study.
type round struct {
	forced  bool      // also walk what another replica has just walked
	held    bool      // another replica is walking a study
	more    bool      // the next round should come soon
	walked  time.Time // the oldest of the studies' last walks
	unnamed []string  // names in Options.Studies that no study has
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
		if err == nil && !got.held { // so a 404 is not that of a wrong base URL
			r.checkHook(ctx)
		}
		wait := r.opts.ReconcileEvery
		switch {
		case r.keyRefused.Load():
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
			if backoff.Sleep(ctx, afterTrouble) != nil { // give the trouble time to pass
				return
			}
		case <-time.After(wait):
		}
	}
}

// report logs the transitions between working and failing.
func (r *reconciler) report(ctx context.Context, got round, err error) {
	if r.unnamed.changed(len(got.unnamed) > 0) && len(got.unnamed) > 0 {
		r.log.WarnContext(ctx, "askonce: no active study has this id or name, its interviews are not reconciled", "studies", got.unnamed)
	}
	switch {
	case r.keyRefused.Load(): // noteKey has logged it
	case err != nil:
		if r.failing.changed(true) {
			r.log.WarnContext(ctx, "askonce: reconciliation fails, trying again", "err", err)
		}
	case got.held:
	default:
		if r.failing.changed(false) {
			r.log.InfoContext(ctx, "askonce: reconciliation works again")
		}
		if r.logged.add("first walk") {
			r.log.InfoContext(ctx, "askonce: first reconciliation finished")
		}
	}
}

// Reconcile walks the provider's list of interviews once, now, and records the
// missing completions. It waits while another replica does so. It reads at most 5000
// interviews of each study; the next walk continues after them. The error also
// names the members of [Options.Studies] that match no active study.
//
// [Handler.Run] does the same when it starts, every [Options.ReconcileEvery], and
// after a delivery that may have been lost.
func (h *Handler) Reconcile(ctx context.Context) error {
	if h.opts.Client == nil {
		return errors.New("webhook: reconciliation needs Options.Client")
	}
	if _, lists := h.opts.Client.(StudyLister); !lists && len(h.opts.Studies) == 0 {
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

// all walks every study. Unless forced, it skips those that another replica has
// walked within the last interval.
func (r *reconciler) all(ctx context.Context, forced bool) (round, error) {
	begun := time.Now()
	ids, unnamed, err := r.studyIDs(ctx)
	errs := []error{err}
	got := round{forced: forced, walked: time.Now(), unnamed: unnamed}
	for _, id := range ids {
		err := r.study(ctx, &got, id)
		if errors.Is(err, userjourneys.ErrNotFound) && r.studies.forget(id, begun) {
			continue // the study was deleted
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return got, fmt.Errorf("webhook: reconcile: %w", err)
	}
	if !got.held {
		r.reconciled.Store(got.walked.UnixNano())
	}
	return got, nil
}

// studyIDs returns the ids of the studies to walk, and the names that no study
// has. The provider lists active studies only, but an interview that was under way
// when its study was paused is still completed. So the studies that were listed
// lately are walked too.
func (r *reconciler) studyIDs(ctx context.Context) (ids, unnamed []string, err error) {
	lister, ok := r.opts.Client.(StudyLister)
	switch {
	case !ok:
		return r.opts.Studies, nil, nil
	case r.studies.complete():
		return r.studies.ids(), nil, nil
	}
	due := r.shared.IsZero()
	err = r.call("Client.Studies", "", func() error {
		for s, err := range lister.Studies(ctx) {
			if err != nil {
				return err
			}
			due = r.studies.note(s) || due || time.Since(r.shared) > shareEvery
		}
		return nil
	})
	if err != nil {
		r.checkKey(ctx, err, "")
	}
	if due {
		err = errors.Join(err, r.share(ctx))
	}
	if err == nil {
		unnamed = r.studies.unnamed()
	}
	return r.studies.ids(), unnamed, err
}

// share adds the listed studies in the store to this process's, and stores them for
// other replicas and for the next process.
func (r *reconciler) share(ctx context.Context) error {
	const name = "reconcile/studies"
	state, acquired, err := r.acquire(ctx, name, r.holder, storeTimeout)
	if err != nil || !acquired {
		return err // if another replica holds the lease, the next round tries again
	}
	r.studies.restore(state)
	r.shared = time.Now()
	return r.release(ctx, name, r.holder, r.studies.state())
}

// checkKey notes what the error of a list request says about the API key.
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
func (r *reconciler) study(ctx context.Context, got *round, studyID string) error {
	name := "reconcile/" + studyID
	state, acquired, err := r.acquire(ctx, name, r.holder, walkLease)
	if err != nil {
		return err
	}
	if !acquired {
		got.held = true
		return nil
	}
	w := &walk{reconciler: r, studyID: studyID, checkpoint: name}
	_ = json.Unmarshal([]byte(state), &w.position) // an unreadable position means a whole walk
	resumed, finished := w.Cursor != "", false
	since := time.Since(w.Walked) // negative if the other replica's clock is ahead
	if got.forced || resumed || since < 0 || since >= r.opts.ReconcileEvery*9/10 {
		err = w.run(ctx)
		r.reportWalk(ctx, w)
		if err == nil {
			r.noteKey(ctx, false)
			w.Walked = time.Now()
		} else {
			r.checkKey(ctx, err, studyID)
		}
		finished = err == nil && w.Cursor == ""
		got.more = got.more || err == nil && (resumed || w.Cursor != "")
	}
	if releaseErr := r.release(ctx, name, r.holder, w.state()); err == nil {
		err = releaseErr
	}
	if errors.Is(err, store.ErrLeaseLost) {
		got.held = true
		return nil
	}
	if finished { // after the release, so that whoever waits for it can walk the study, too
		r.progress(ctx, Progress{Step: StepReconciled, StudyID: studyID, Recorded: w.recorded})
	}
	if w.Walked.Before(got.walked) {
		got.walked = w.Walked
	}
	return err
}

// acquire calls the checkpoints' Acquire.
func (h *Handler) acquire(ctx context.Context, name, holder string, lease time.Duration) (state string, acquired bool, err error) {
	err = h.callDetached(ctx, "Store.Acquire", "", func(ctx context.Context) (err error) {
		state, acquired, err = h.checkpoints.Acquire(ctx, name, holder, lease)
		return err
	})
	return state, acquired, err
}

// release calls the checkpoints' Release.
func (h *Handler) release(ctx context.Context, name, holder, state string) error {
	return h.callDetached(ctx, "Store.Release", "", func(ctx context.Context) error {
		return h.checkpoints.Release(ctx, name, holder, state)
	})
}

// reportWalk logs the lost deliveries and the unusable items of a walk.
func (r *reconciler) reportWalk(ctx context.Context, w *walk) {
	if w.missed > 0 {
		level := slog.LevelWarn
		if w.Walked.IsZero() { // the first walk finds everything older than the webhook
			level = slog.LevelInfo
		}
		r.log.Log(ctx, level, "askonce: found completions whose deliveries had not come", "study", w.studyID, "completions", w.missed)
	}
	if w.unusable > 0 && r.logged.add("unusable ids") {
		r.log.WarnContext(ctx, "askonce: the provider's list has interviews without a usable id, they are skipped", "study", w.studyID, "interviews", w.unusable)
	}
}
