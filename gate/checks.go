package gate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/askonce/askonce/store"
)

// question is all that the checks of one decision know. It travels by value: a
// pointer handed to a func in a table would put it on the heap.
type question struct {
	gate     *Gate
	visitor  Visitor
	study    *entry // nil only while the visitor is anonymous
	now      time.Time
	deadline time.Time
	maxAge   time.Duration // of the provider's answer; 0 means Options.Stale
}

func (q question) seen() seen { return q.visitor.History.of(q.study.key) }

// check is one rule: its name, the reason when it says no, and the rule.
type check struct {
	name string
	no   Reason
	pass func(ctx context.Context, q question) (bool, error)
}

// checks are all rules in the order in which they are asked, cheapest first.
var checks = []check{
	rule("known user", Anonymous, func(q question) bool { return q.visitor.UserID != "" }),
	rule("this study", Excluded, func(q question) bool { return q.visitor.StudyID == "" || q.visitor.StudyID == q.study.study.ID }),
	target,
	rule("language", Excluded, func(q question) bool {
		return !q.gate.opts.RequireLanguage || q.study.language(q.visitor.Languages) != ""
	}),
	rule("sample", NotSampled, func(q question) bool { return q.gate.sampled(q.study.study.ID, q.visitor.UserID) }),
	rule("opted out", Declined, func(q question) bool { return !q.visitor.History.optedOut }),
	rule("declined", Declined, func(q question) bool { return !q.seen().declined }),
	rule("snoozed", Snoozed, func(q question) bool { return !q.seen().snoozed(q.now) }),
	rule("opened", Opened, func(q question) bool { return !within(q.now, q.seen().openedAt, q.gate.opts.OpenedPause) }),
	rule("showings", ShownEnough, func(q question) bool {
		return q.gate.opts.MaxShowings < 0 || q.seen().shown < q.gate.opts.MaxShowings
	}),
	rule("showing pause", CoolingDown, func(q question) bool { return !within(q.now, q.seen().lastShown, q.gate.opts.ShowingPause) }),
	rule("cool-down", CoolingDown, func(q question) bool { return !within(q.now, q.visitor.History.lastShown, q.gate.opts.CoolDown) }),
	open,
	places,
	rule("pacing", NotSampled, func(q question) bool { return q.gate.paced(q.study, q.visitor.UserID) }),
	notCompleted,
}

// clickChecks are those that still matter when the prompt has been clicked.
var clickChecks = []check{checks[0], checks[1], target, open, places, notCompleted}

var (
	target = check{name: "target", no: Excluded, pass: func(ctx context.Context, q question) (bool, error) {
		return q.gate.opts.Target == nil || q.gate.opts.Target(ctx, q.visitor), nil
	}}
	open         = rule("study", Closed, func(q question) bool { return q.study.exists })
	places       = rule("places", Full, func(q question) bool { return q.study.places() != 0 })
	notCompleted = check{name: "completed", no: Completed, pass: func(ctx context.Context, q question) (bool, error) {
		done, err := q.gate.completed(ctx, q)
		return !done, err
	}}
)

func rule(name string, no Reason, pass func(q question) bool) check {
	return check{name: name, no: no, pass: func(_ context.Context, q question) (bool, error) { return pass(q), nil }}
}

// completed asks the store, on a context that the request's end does not
// cancel: a browser that leaves in mid-query would close a pooled connection.
// It waits no longer than the deadline even for a store that ignores its
// context.
func (g *Gate) completed(ctx context.Context, q question) (bool, error) {
	key := store.Key{StudyID: q.study.study.ID, UserID: q.visitor.UserID}
	if g.peek != nil {
		if done, known := g.peek.Peek(key); known {
			return done, nil
		}
	}
	select {
	case g.lookups <- struct{}{}:
	default:
		return false, errors.New("gate: too many look-ups wait for the store")
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), q.deadline)
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
		return false, fmt.Errorf("gate: store: %w", ctx.Err())
	}
}
