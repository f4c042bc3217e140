package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
)

// checks are all rules in the order in which they are asked, cheapest first.
// What a rule needs to know of the study is had just before it is asked: a
// visitor whom the app's own rules turn away costs the provider nothing.
var checks = [...]check{
	{"known user", ReasonAnonymous, nothing, always, nil, func(_ context.Context, q *question) (bool, error) {
		return q.visitor.UserID != "", nil
	}},
	{"user id", ReasonUnavailable, nothing, always, nil, func(_ context.Context, q *question) (bool, error) {
		err := store.CheckID(q.visitor.UserID)
		return err == nil, err
	}},
	{"target", ReasonExcluded, nothing, always, noTarget, func(ctx context.Context, q *question) (bool, error) {
		q.now() // what the app's rules take counts
		return q.opts().Target(ctx, q.visitor), nil
	}},
	{"this study", ReasonExcluded, whichStudy, always, nil, func(_ context.Context, q *question) (bool, error) {
		return q.visitor.StudyID == "" || q.visitor.StudyID == q.study.study.ID, nil
	}},
	{"language", ReasonExcluded, whichStudy, onPage, anyLanguage, func(_ context.Context, q *question) (bool, error) {
		return q.study.language(q.visitor.Languages) != "", nil
	}},
	{"holdout", ReasonHeldOut, whichStudy, onPage, noHoldout, func(_ context.Context, q *question) (bool, error) {
		return !heldOut(q.opts().Holdout, q.study.study.ID, q.visitor.UserID), nil
	}},
	{"opted out", ReasonDeclined, nothing, onReturn, nil, func(_ context.Context, q *question) (bool, error) {
		return !q.visitor.History.optedOut, nil
	}},
	{"declined", ReasonDeclined, whichStudy, onReturn, nil, func(_ context.Context, q *question) (bool, error) {
		return !q.seen().declined, nil
	}},
	{"snoozed", ReasonSnoozed, whichStudy, onReturn, nil, func(_ context.Context, q *question) (bool, error) {
		return !q.seen().snoozed(q.now()), nil
	}},
	{"opened", ReasonOpened, whichStudy, onReturn, nil, func(_ context.Context, q *question) (bool, error) {
		return !within(q.now(), q.seen().openedAt, q.opts().OpenedPause), nil
	}},
	{"showings", ReasonShownEnough, whichStudy, onReturn, nil, func(_ context.Context, q *question) (bool, error) {
		return q.opts().MaxShowings < 0 || q.seen().shown < q.opts().MaxShowings, nil
	}},
	{"showing pause", ReasonCoolingDown, whichStudy, onReturn, nil, func(_ context.Context, q *question) (bool, error) {
		return !within(q.now(), q.seen().lastShown, q.opts().ShowingPause), nil
	}},
	{"cool-down", ReasonCoolingDown, nothing, onReturn, nil, func(_ context.Context, q *question) (bool, error) {
		return !within(q.now(), q.visitor.History.lastShown, q.opts().CoolDown), nil
	}},
	{"study", ReasonClosed, itsCapacity, always, nil, func(_ context.Context, q *question) (bool, error) {
		return q.study.exists, nil
	}},
	{"places", ReasonFull, itsCapacity, always, nil, func(_ context.Context, q *question) (bool, error) {
		return q.study.places != 0, nil
	}},
	{"pacing", ReasonHeldOut, itsCapacity, onPage, unpaced, func(_ context.Context, q *question) (bool, error) {
		return q.gate.pace.pass(q.study, q.visitor.UserID), nil
	}},
	{"completed", ReasonCompleted, itsCapacity, always, nil, func(ctx context.Context, q *question) (bool, error) {
		done, err := q.gate.completed(ctx, q)
		return !done, err
	}},
}

// userChecks is how many checks find out whether there is a user at all.
const userChecks = 2

// check is one rule: its name, the reason when it says no, and the rule.
type check struct {
	name  string
	no    Reason
	needs need
	when  when
	idle  func(o *Options) bool // with these options the rule excludes nobody and is not asked
	pass  func(ctx context.Context, q *question) (bool, error)
}

func noTarget(o *Options) bool    { return o.Target == nil }
func anyLanguage(o *Options) bool { return !o.RequireLanguage }
func noHoldout(o *Options) bool   { return o.Holdout == 0 }
func unpaced(o *Options) bool     { return o.ExpectedUptake == 0 }

func (c *check) isIdle(o *Options) bool { return c.idle != nil && c.idle(o) }

// need is what a check must know of the study.
type need uint8

const (
	nothing     need = iota
	whichStudy       // an answer of any age will do
	itsCapacity      // one that is not too old
)

// when is the situation in which a check can first say no. It can in those
// below it, too.
type when uint8

const (
	always   when = iota // even at a click
	onPage               // not at a click: whoever has been shown the prompt may follow it
	onReturn             // only to visitors who have seen something
	whens
)

func situation(v *Visitor, clicked bool) when {
	switch {
	case clicked:
		return always
	case v.History.IsZero():
		return onPage
	}
	return onReturn
}

// checklists are, for each situation, the checks that can say no with a gate's
// options: with the defaults 6 of 17 for a visitor who is new.
type checklists [whens][]*check

func newChecklists(o *Options) (lists checklists) {
	for i := range checks {
		c := &checks[i]
		for w := c.when; w < whens && !c.isIdle(o); w++ {
			lists[w] = append(lists[w], c)
		}
	}
	return lists
}

// question is all that the checks of one decision know.
type question struct {
	gate    *Gate
	visitor Visitor
	study   *entry        // nil until a check needs it
	has     need          // what study is good for
	began   time.Time     // zero until a check needs it: see now
	timeout time.Duration // for all checks together, since began
	clicked bool          // Confirm's: the capacity is to be recent
	quiet   bool          // Explain's: nothing is set going that can be spared
}

// questions are used again: the checks are called through a table, so that the
// compiler puts each question on the heap.
var questions = sync.Pool{New: func() any { return new(pooled) }}

// pooled keeps questions a cache line apart. Two processors that write to two
// neighbours would take that line from each other.
type pooled struct {
	question
	_ [64]byte
}

func (g *Gate) question(v *Visitor, clicked bool, began time.Time) *pooled {
	q := questions.Get().(*pooled)
	q.gate, q.visitor, q.clicked, q.began, q.timeout = g, *v, clicked, began, g.opts.Timeout
	if clicked {
		q.timeout = g.opts.ConfirmTimeout
	}
	return q
}

// free gives q back and forgets the visitor.
func (p *pooled) free() {
	p.question = question{}
	questions.Put(p)
}

func (q *question) opts() *Options { return &q.gate.opts }

// now is when the decision began. The clock is first read when a check needs it:
// what is asked before takes no time that counts, and most visitors of a small
// sample get no further.
func (q *question) now() time.Time {
	if q.began.IsZero() {
		q.began = time.Now()
	}
	return q.began
}

func (q *question) deadline() time.Time { return q.now().Add(q.timeout) }

// seen is what the visitor has seen of the study.
func (q *question) seen() *seen { return find(q.visitor.History.studies, q.study.key) }

// ask asks one check. The reason is Eligible when it passes, and Unavailable
// with an error when it could not be asked.
func (q *question) ask(ctx context.Context, c *check) (Reason, error) {
	if c.needs > q.has {
		if no, err := q.learn(ctx, c.needs); no != ReasonEligible {
			return no, err
		}
	}
	pass, err := c.pass(ctx, q)
	switch {
	case err != nil:
		return ReasonUnavailable, err
	case !pass:
		return c.no, nil
	}
	return ReasonEligible, nil
}

// learn sees to it that the study is known well enough, if need be by waiting
// for the provider. The reason is as in ask.
func (q *question) learn(ctx context.Context, n need) (Reason, error) {
	if n == whichStudy {
		if q.study = q.gate.capacity.known.Load(); q.study != nil {
			q.has = whichStudy
			return ReasonEligible, nil
		}
	}
	e, err := q.currentCapacity(ctx)
	switch {
	case err != nil:
		return ReasonUnavailable, err
	case q.study != nil && q.study.study.ID != e.study.ID:
		return ReasonUnavailable, errors.New("gate: another study has taken the name while it was asked")
	case e.study.ID == "":
		return ReasonClosed, nil // never seen, so there is nothing to tell it from others by
	}
	q.study, q.has = e, itsCapacity
	return ReasonEligible, nil
}

func (q *question) currentCapacity(ctx context.Context) (*entry, error) {
	c := q.gate.capacity
	maxAge := c.stale
	if q.clicked {
		maxAge = min(maxAge, confirmAge)
	}
	use := c.usable
	if q.quiet {
		use = c.peek
	}
	if e := use(q.now(), maxAge); e != nil {
		return e, nil
	}
	if !q.clicked {
		// A page waits for the first answer alone, not for one that is known to
		// be failing.
		if err := c.down(q.now()); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithDeadline(ctx, q.deadline())
	defer cancel()
	return c.get(ctx, maxAge)
}

func (q *question) prompt(p *Prompt) {
	p.StudyID = q.study.study.ID
	p.StudyName = q.study.study.Name
	p.InterviewLink = q.study.study.InterviewLink
	p.Language = q.study.language(q.visitor.Languages)
	p.UserID = q.visitor.UserID
	p.References = q.opts().References
}

// completed asks the store, on a context that the request's end does not
// cancel: a browser that leaves in mid-query would close a pooled connection.
// It waits no longer than the deadline even for a store that ignores its
// context.
func (g *Gate) completed(ctx context.Context, q *question) (bool, error) {
	key := store.Key{StudyID: q.study.study.ID, UserID: q.visitor.UserID}
	if g.peek != nil {
		if done, known := g.peek.Peek(key); known {
			return done, nil
		}
	}
	if !time.Now().Before(q.deadline()) {
		return false, fmt.Errorf("gate: no time left for the store: %w", context.DeadlineExceeded)
	}
	select {
	case g.lookups <- struct{}{}:
	default:
		return false, errors.New("gate: too many look-ups wait for the store")
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), q.deadline())
	type answer struct {
		done bool
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		defer func() { <-g.lookups }()
		defer cancel()
		var a answer
		defer func() {
			if p := recover(); p != nil {
				a = answer{err: fmt.Errorf("gate: the store panicked: %v", p)}
			}
			answers <- a
		}()
		a.done, a.err = g.done.Completed(ctx, key)
	}()
	select {
	case a := <-answers:
		return a.done, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-answers: // both had come: the look-up ends ctx behind its answer
		return a.done, a.err
	default:
		return false, fmt.Errorf("gate: store: %w", ctx.Err())
	}
}
