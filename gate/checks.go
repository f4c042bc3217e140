package gate

import (
	"context"
	"slices"

	"github.com/askonce/askonce/store"
)

// A check is one rule.
type check struct {
	name    string // what is true if the check passes
	refusal Reason
	scope   scope
	off     func(g *Gate) bool // reports that g's options leave nothing to check
	pass    func(q *question, ctx context.Context) (bool, error)
}

// scope says when a check is made. Every check is made for pages.
type scope uint8

const (
	click   scope = 1 << iota // for clicks too, because the result may have changed since the invitation
	preview                   // for previews too
	history                   // only for visitors who have seen or answered something
)

// checks are all rules, in order, the cheapest first. A check fetches what it needs to
// know about the study, so a visitor whom the app's own rules exclude costs the provider
// nothing.
var checks = []check{
	{name: "signed in", refusal: ReasonAnonymous, scope: click | preview, pass: (*question).isSignedIn},
	{name: "valid user id", refusal: ReasonUnavailable, scope: click | preview, pass: (*question).hasValidID},
	{name: "accepted by Target", refusal: ReasonExcluded, scope: preview, off: hasNoTarget, pass: (*question).isTarget},
	{name: "study requested", refusal: ReasonExcluded, scope: click | preview, pass: (*question).isRequested},
	{name: "language supported", refusal: ReasonLanguage, scope: preview, off: takesAnyLanguage, pass: (*question).sharesLanguage},
	{name: "not held out", refusal: ReasonHeldOut, off: holdsNobodyOut, pass: (*question).isNotHeldOut},
	{name: "not opted out", refusal: ReasonDeclined, scope: history | click, pass: (*question).hasNotOptedOut},
	{name: "not declined", refusal: ReasonDeclined, scope: history, pass: (*question).hasNotDeclined},
	{name: "not snoozed", refusal: ReasonSnoozed, scope: history, pass: (*question).hasNotSnoozed},
	{name: "not opened recently", refusal: ReasonOpened, scope: history, pass: (*question).hasNotOpened},
	{name: "not shown enough", refusal: ReasonShownEnough, scope: history, pass: (*question).isNotShownEnough},
	{name: "not shown recently", refusal: ReasonCoolingDown, scope: history, pass: (*question).isNotShownRecently},
	{name: "no other study recently", refusal: ReasonCoolingDown, scope: history, pass: (*question).isCooledDown},
	{name: "study active", refusal: ReasonClosed, scope: click | preview, pass: (*question).isActive},
	{name: "places left", refusal: ReasonFull, scope: click | preview, pass: (*question).hasPlaces},
	{name: "not paused", refusal: ReasonPaused, scope: click | preview, off: cannotPause, pass: (*question).isNotPaused},
	{name: "within pacing", refusal: ReasonPaced, off: isNotPaced, pass: (*question).isWithinPacing},
	{name: "not completed", refusal: ReasonCompleted, scope: click | preview, pass: (*question).hasNotCompleted},
}

func hasNoTarget(g *Gate) bool      { return g.opts.Target == nil }
func takesAnyLanguage(g *Gate) bool { return !g.opts.RequireLanguage }
func holdsNobodyOut(g *Gate) bool   { return g.opts.Holdout == 0 }
func cannotPause(g *Gate) bool      { return g.pauses == nil }
func isNotPaced(g *Gate) bool       { return g.pace == nil }

// checklists are the checks that can fail with a gate's options: for pages, clicks,
// previews, and clicks in previews.
type checklists [click | preview + 1][]*check

func newChecklists(g *Gate) (lists checklists) {
	for i := range checks {
		c := &checks[i]
		for wanted := range scope(len(lists)) {
			if c.scope&wanted == wanted && (c.off == nil || !c.off(g)) {
				lists[wanted] = append(lists[wanted], c)
			}
		}
	}
	return lists
}

// answer makes the checks until one fails. The reason is ReasonEligible if none does. Then
// a click also takes a place, and a page counts for pacing.
//
// The store is read last, so visitors who are refused anyway cost no round trip. Then
// the history is checked again, with what the store knows. A refusal by the browser's
// history alone is not final if the store may know of an undo or a reset since.
func (q *question) answer(ctx context.Context) (reason Reason, err error) {
	defer q.gate.recovered("a check", &err)
	var wanted scope
	if q.click {
		wanted |= click
	}
	if q.visitor.Preview {
		wanted |= preview
	}
	list := q.gate.lists[wanted]
	blank, waiting := isBlank(&q.own), false
	for _, c := range list {
		if blank && c.scope&history != 0 {
			continue
		}
		reason, err := q.check(ctx, c)
		switch {
		case reason == ReasonEligible:
		case q.gate.persons != nil && c.scope&history != 0 && reason.mayHaveChanged():
			waiting = true
		default:
			return reason, err
		}
	}
	if q.person != nil && (waiting || !isBlank(q.person)) {
		for _, c := range list {
			if c.scope&history != 0 {
				if reason, err := q.check(ctx, c); reason != ReasonEligible {
					return reason, err
				}
			}
		}
	}
	switch {
	case q.visitor.Preview: // takes no place and does not count
	case q.click:
		return q.gate.hold(ctx, q)
	case q.gate.pace != nil && q.visitor.Occasion == OccasionPage:
		return q.gate.pace.admit(ctx, q)
	}
	return ReasonEligible, nil
}

// isBlank reports whether the visitor has seen and answered nothing, as far as p says.
func isBlank(p *store.Person) bool { return len(p.Studies) == 0 && p.OptedOutAt.IsZero() }

// mayHaveChanged reports whether the store may have newer facts than a browser whose
// history gives this reason: an answer that was taken back, or a reset.
func (r Reason) mayHaveChanged() bool {
	return r == ReasonDeclined || r == ReasonSnoozed || r == ReasonOpened || r == ReasonShownEnough || r == ReasonCoolingDown
}

// check makes one check. The reason is ReasonEligible if it passes, and ReasonUnavailable
// with an error if it cannot be made.
func (q *question) check(ctx context.Context, c *check) (Reason, error) {
	pass, err := c.pass(q, ctx)
	switch {
	case err == errNoStudy:
		return ReasonClosed, nil
	case err != nil:
		return ReasonUnavailable, err
	case !pass:
		return c.refusal, nil
	}
	return ReasonEligible, nil
}

func (q *question) isSignedIn(context.Context) (bool, error) { return q.visitor.UserID != "", nil }

func (q *question) hasValidID(context.Context) (bool, error) {
	err := store.CheckID(q.visitor.UserID)
	if err != nil && !q.quiet && q.gate.badIDs.CompareAndSwap(false, true) {
		q.gate.opts.Logger.Warn("askonce: user id cannot be used; its user is never invited", "err", err)
	}
	return err == nil, err
}

func (q *question) isTarget(ctx context.Context) (ok bool, err error) {
	if q.gate.opts.Target == nil {
		return true, nil
	}
	defer q.gate.recovered("Options.Target", &err)
	v := q.visitor
	v.StudyID = q.gate.capacity.name
	return q.gate.opts.Target(ctx, v), nil
}

func (q *question) isRequested(ctx context.Context) (bool, error) {
	if q.visitor.StudyID == "" {
		return true, nil
	}
	if err := q.identify(ctx); err != nil {
		return false, err
	}
	return q.visitor.StudyID == q.study.ID || q.visitor.StudyID == q.gate.capacity.name, nil
}

func (q *question) sharesLanguage(ctx context.Context) (bool, error) {
	if !q.gate.opts.RequireLanguage || len(q.visitor.Languages) == 0 || slices.Contains(q.visitor.Languages, "*") {
		return true, nil
	}
	if err := q.identify(ctx); err != nil {
		return false, err
	}
	return suitable(q.study.SupportedLanguages, q.visitor.Languages) != "", nil
}

func (q *question) isNotHeldOut(ctx context.Context) (bool, error) {
	if q.gate.opts.Holdout == 0 {
		return true, nil
	}
	if err := q.identify(ctx); err != nil {
		return false, err
	}
	return !heldOut(q.gate.opts.Holdout, q.study.ID, q.visitor.UserID), nil
}

func (q *question) hasNotOptedOut(context.Context) (bool, error) { return !q.optedOut(), nil }

func (q *question) hasNotDeclined(ctx context.Context) (bool, error) {
	err := q.identify(ctx)
	return err == nil && !declined(&q.seen), err
}

func (q *question) hasNotSnoozed(ctx context.Context) (bool, error) {
	err := q.identify(ctx)
	return err == nil && !snoozed(&q.seen, q.now), err
}

func (q *question) hasNotOpened(ctx context.Context) (bool, error) {
	err := q.identify(ctx)
	return err == nil && !within(q.now, q.seen.OpenedAt, q.gate.opts.OpenedPause), err
}

func (q *question) isNotShownEnough(ctx context.Context) (bool, error) {
	if err := q.identify(ctx); err != nil {
		return false, err
	}
	n, began := showings(&q.seen, q.gate.opts.Linger)
	if n > 0 && q.lingersSince(began) {
		n-- // the one that still lasts was allowed
	}
	return q.gate.opts.MaxShowings < 0 || n < q.gate.opts.MaxShowings, nil
}

func (q *question) isNotShownRecently(ctx context.Context) (bool, error) {
	if err := q.identify(ctx); err != nil {
		return false, err
	}
	began := q.lastShowing()
	return q.lingersSince(began) || !within(q.now, began, q.gate.opts.ShowingPause), nil
}

func (q *question) isCooledDown(ctx context.Context) (bool, error) {
	if err := q.identify(ctx); err != nil {
		return false, err
	}
	if q.gate.opts.CoolDown < 0 {
		return true, nil
	}
	last := q.lastElsewhere()
	if !q.lingersSince(q.lastShowing()) {
		last = latest(last, lastShown(&q.seen))
	}
	if within(q.now, last, q.gate.opts.CoolDown) {
		return false, nil
	}
	completedAt, err := q.lastCompletion(ctx)
	return err == nil && !within(q.now, completedAt, q.gate.opts.CoolDown), err
}

func (q *question) isActive(ctx context.Context) (bool, error) {
	if err := q.learnCapacity(ctx); err != nil {
		return false, err
	}
	return q.study.exists, q.study.linkErr
}

func (q *question) hasPlaces(ctx context.Context) (bool, error) {
	if err := q.learnCapacity(ctx); err != nil {
		return false, err
	}
	if q.click && q.gate.places.areShared(q.study) {
		return q.study.places != 0, nil // Gate.hold reads who holds them
	}
	return q.study.places != 0 && q.gate.holds.leavesPlace(q.visitor.UserID, q.study, q.now), nil
}

func (q *question) isWithinPacing(ctx context.Context) (bool, error) {
	if q.gate.pace == nil {
		return true, nil
	}
	if err := q.learnCapacity(ctx); err != nil {
		return false, err
	}
	if q.quiet && !q.gate.pace.isInvited(q) { // a decision reads the count only for those it would invite
		if err := q.gate.pace.count(ctx, q); err != nil {
			return false, err
		}
	}
	return q.gate.pace.mayPass(q), nil
}

func (q *question) hasNotCompleted(ctx context.Context) (bool, error) {
	if err := q.learnCapacity(ctx); err != nil {
		return false, err
	}
	if err := q.askStore(ctx); err != nil {
		return false, err
	}
	if s := &q.seen; s.Completed && (s.CompletedUntil.IsZero() || q.now.Before(s.CompletedUntil)) {
		return false, nil
	}
	if q.visitor.AnonymousID == "" || q.own.Study(q.study.ID).OpenedAt.IsZero() {
		return true, nil
	}
	done, err := q.completed(ctx, store.Key{StudyID: q.study.ID, UserID: q.visitor.AnonymousID})
	return err == nil && !done, err
}
