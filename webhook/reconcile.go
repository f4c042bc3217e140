package webhook

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/userjourneys"
)

const (
	walkLease    = 5 * time.Minute
	afterTrouble = time.Minute
	heldRetry    = 2 * time.Second
)

// progress is what is remembered of the walks through one study's list.
type progress struct {
	// Newest is the latest created_at, by the provider's clock, that a finished
	// walk has seen.
	Newest time.Time `json:"newest"`
	// Cursor is where a walk that was too long for one run stopped, and
	// Pending the Newest that it will have seen.
	Cursor  string    `json:"cursor,omitempty"`
	Pending time.Time `json:"pending"`
	// Walked is when a run last ended well, by our clock, and Whole when one
	// last came to the end of the list.
	Walked time.Time `json:"walked"`
	Whole  time.Time `json:"whole"`
}

// outcome is what came of a run through one study or all.
type outcome struct {
	held   bool      // another replica is at it
	more   bool      // the list was too long for one run
	walked time.Time // when it was last walked, by whichever replica; zero if unknown
}

// reconciler finds completions whose delivery never came.
type reconciler struct {
	*Handler
	holder  string
	failing edge
	drifted edge // the provider delivers to another URL
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
		r.report(ctx, err)
		r.checkURL(ctx)
		wait := r.opts.ReconcileEvery
		switch {
		case r.refused.now():
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
			if !pause(ctx, afterTrouble) { // whatever it was, give it time to pass
				return
			}
		case <-time.After(wait):
		}
	}
}

func (r *reconciler) report(ctx context.Context, err error) {
	r.noteKey(ctx, err)
	switch {
	case r.refused.now(): // has been said
	case !r.failing.changed(err != nil):
	case err != nil:
		r.log.WarnContext(ctx, "askonce: reconciliation fails and is tried again", "err", err)
	default:
		r.log.WarnContext(ctx, "askonce: reconciliation works again")
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
// While another replica is at it, it waits for its turn. It reads at most 5000
// interviews of each study; the next call, or Run, goes on behind them. Run
// calls it by itself: at start, at every Options.ReconcileEvery, and after
// trouble.
func (h *Handler) Reconcile(ctx context.Context) error {
	if h.opts.Client == nil {
		return errors.New("webhook: reconciliation needs Options.Interviews")
	}
	if _, lists := h.opts.Client.(guardedClient).Client.(studyLister); !lists && len(h.opts.Studies) == 0 {
		return errors.New("webhook: reconciliation needs Options.Studies, for Interviews cannot list them")
	}
	r := newReconciler(h)
	for {
		got, err := r.all(ctx, true)
		h.noteKey(ctx, err)
		if err != nil || !got.held {
			return err
		}
		if !pause(ctx, heldRetry) {
			return context.Cause(ctx)
		}
	}
}

// all walks every study. Unless it is forced, it leaves out those that another
// replica has walked since about the last time.
func (r *reconciler) all(ctx context.Context, forced bool) (all outcome, err error) {
	begun := time.Now()
	studies, err := r.studyIDs(ctx)
	errs := []error{err}
	all.walked = time.Now()
	for _, id := range studies {
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

// studyIDs returns the ids of the studies to walk. The provider lists active
// studies only, so those that it has listed lately are walked too: an interview
// that was under way when its study was paused is completed all the same.
func (r *reconciler) studyIDs(ctx context.Context) (ids []string, err error) {
	lister, lists := r.opts.Client.(guardedClient).Client.(studyLister)
	if !lists {
		return r.opts.Studies, nil
	}
	if !r.studies.complete() {
		for s, listErr := range guard.Seq(lister.Studies(ctx)) {
			if listErr != nil {
				err = fmt.Errorf("webhook: reconcile: %w", listErr)
				break
			}
			r.studies.note(s)
		}
	}
	return r.studies.ids(), err
}

// study walks one study under its lease.
func (r *reconciler) study(ctx context.Context, studyID string, forced bool) (outcome, error) {
	name := "reconcile/" + studyID
	state, acquired, err := r.checkpoints.Acquire(ctx, name, r.holder, walkLease)
	if err != nil {
		return outcome{}, fmt.Errorf("webhook: reconcile: %w", err)
	}
	if !acquired {
		return outcome{held: true}, nil
	}
	var p progress
	_ = json.Unmarshal([]byte(state), &p) // an unreadable state is none: a whole walk
	save := func(ctx context.Context, p progress, lease time.Duration) error {
		b, err := json.Marshal(p)
		if err != nil {
			return err
		}
		return r.checkpoints.Save(ctx, name, r.holder, string(b), lease)
	}
	release := func(p progress) error {
		ctx, cancel := r.detached(ctx)
		defer cancel()
		return save(ctx, p, 0)
	}
	if !forced && p.Cursor == "" && time.Since(p.Walked) < r.opts.ReconcileEvery*9/10 {
		return outcome{walked: p.Walked}, release(p)
	}
	w := walk{reconciler: r, studyID: studyID, progress: p}
	err = w.run(ctx, func() error { return save(ctx, p, walkLease) })
	if err != nil {
		if releaseErr := release(p); releaseErr != nil { // as it was: the next run starts over
			r.log.DebugContext(ctx, "askonce: a lease runs on", "err", releaseErr)
		}
		return outcome{}, fmt.Errorf("webhook: reconcile: %w", err)
	}
	if w.found > 0 {
		level := slog.LevelWarn
		if p.Newest.IsZero() { // the first walk finds all that were before
			level = slog.LevelInfo
		}
		r.log.Log(ctx, level, "askonce: found completions whose deliveries had not come", "study", studyID, "completions", w.found)
	}
	w.progress.Walked = time.Now()
	return outcome{more: w.Cursor != "", walked: w.progress.Walked}, release(w.progress)
}

// checkURL warns, once for each change, when the provider delivers elsewhere.
// It never writes: there is one webhook for a project, and another deployment
// may own it.
func (r *reconciler) checkURL(ctx context.Context) {
	reader, ok := r.opts.Client.(guardedClient).Client.(webhookReader)
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
	case !r.drifted.changed(drifted):
	case drifted:
		r.log.WarnContext(ctx, "askonce: the provider delivers to another URL or to none: completions come late", "registered", withoutQuery(hook.URL), "ours", withoutQuery(r.opts.URL))
	default:
		r.log.WarnContext(ctx, "askonce: the provider delivers here again")
	}
}

// withoutQuery is the URL without what some hide in it: a token.
func withoutQuery(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "not a URL"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return cmp.Or(u.String(), "none")
}
