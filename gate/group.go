package gate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/askonce/askonce/store"
)

// A Group decides for several gates by priority. It is safe for concurrent use.
// A user sees one prompt at a time: the pause between the prompts of different
// studies is [Options.CoolDown] of each gate.
type Group struct{ gates []*Gate }

// First returns a Group of the gates, the most important first. A nil gate
// panics.
func First(gates ...*Gate) *Group {
	if slices.Contains(gates, nil) {
		panic("gate: First: a gate is nil")
	}
	return &Group{slices.Clone(gates)}
}

// Decide returns the decision of the first gate that invites v. An unavailable
// gate does not hold up the others. If no gate invites v, the decision is that
// of the first gate whose reason is not [ReasonExcluded]; a group without gates
// is [ReasonClosed]. The time limits of all gates start together, so several
// slow providers delay a page no longer than one.
//
// A [Visitor.StudyID] leaves the decision to the gate of that study. OnDecision
// of each gate that decided is called.
func (gr *Group) Decide(ctx context.Context, v Visitor) Decision { return gr.decide(ctx, v, false) }

// Confirm is [Group.Decide] with each gate's [Gate.Confirm].
func (gr *Group) Confirm(ctx context.Context, v Visitor) Decision { return gr.decide(ctx, v, true) }

func (gr *Group) decide(ctx context.Context, v Visitor, clicked bool) Decision {
	began := time.Now()
	if v.StudyID != "" {
		for _, g := range gr.gates {
			if g.isFor(v.StudyID) {
				return g.decide(ctx, &v, clicked, began)
			}
		}
	}
	d := Decision{Reason: ReasonClosed}
	if len(gr.gates) > 0 {
		d.Reason = ReasonExcluded
	}
	for _, g := range gr.gates {
		own := g.decide(ctx, &v, clicked, began)
		if own.Ask() {
			return own
		}
		if d.Reason == ReasonExcluded {
			d = own
		}
	}
	return d
}

// Explain returns the explanations of all gates, in their order.
func (gr *Group) Explain(ctx context.Context, v Visitor) Explanation {
	var all Explanation
	for _, g := range gr.gates {
		all = append(all, g.Explain(ctx, v)...)
	}
	return all
}

// Warm warms all gates at the same time; see [Gate.Warm]. It returns their errors
// joined.
func (gr *Group) Warm(ctx context.Context) error {
	errs := make([]error, len(gr.gates))
	var all sync.WaitGroup
	for i, g := range gr.gates {
		all.Go(func() { errs[i] = g.Warm(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Recorded calls [Gate.Recorded] of each gate.
func (gr *Group) Recorded(ctx context.Context, c store.Completion) {
	for _, g := range gr.gates {
		g.Recorded(ctx, c)
	}
}

// Age returns the age of the oldest cached study, or false if the study of any
// gate is not cached.
func (gr *Group) Age() (time.Duration, bool) {
	var oldest time.Duration
	for _, g := range gr.gates {
		age, ok := g.Age()
		if !ok {
			return 0, false
		}
		oldest = max(oldest, age)
	}
	return oldest, len(gr.gates) > 0
}

// isFor reports whether the gate is known to be the one with this study.
func (g *Gate) isFor(studyID string) bool {
	e := g.capacity.known.Load()
	return e != nil && e.study.ID == studyID || e == nil && g.capacity.name == studyID
}
