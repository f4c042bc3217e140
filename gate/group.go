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

// Decide returns the decision of the first gate that invites v. An unavailable gate
// does not hold up the others. If no gate invites v, Decide returns the decision of the
// first gate whose reason is neither [ReasonExcluded] nor [ReasonLanguage], or else that
// of the first gate. The reason of a group without gates is [ReasonClosed]. The time
// limits of all gates start together, so several slow providers delay a page no longer
// than one. Gates that share a store read it once.
//
// With a [Visitor.StudyID], only the gates of that study decide.
// [Options.OnDecision] is called for each gate that decides.
func (gr *Group) Decide(ctx context.Context, v Visitor) (d Decision) {
	q := newQuestion(&v)
	defer q.free()
	known := v.StudyID != "" && slices.ContainsFunc(gr.gates, func(g *Gate) bool { return g.isFor(v.StudyID) })
	d.Reason = ReasonClosed
	for _, g := range gr.gates {
		if known && !g.isFor(v.StudyID) {
			continue
		}
		var own Decision
		g.decide(ctx, &q.question, &own)
		if own.Ask() {
			return own
		}
		if d.StudyID == "" || d.Reason.isExclusion() && !own.Reason.isExclusion() {
			d = own
		}
	}
	return d
}

// Confirm is [Group.Decide] with the checks of [Gate.Confirm]. If several gates are for
// the clicked study, any of them may confirm.
func (gr *Group) Confirm(ctx context.Context, v Visitor) Decision {
	v.Occasion = OccasionClick
	return gr.Decide(ctx, v)
}

// isExclusion reports whether the study is not for the visitor at all.
func (r Reason) isExclusion() bool { return r == ReasonExcluded || r == ReasonLanguage }

// Explain returns the explanations of all gates, in their order.
func (gr *Group) Explain(ctx context.Context, v Visitor) Explanation {
	q := newQuestion(&v)
	defer q.free()
	var all Explanation
	for _, g := range gr.gates {
		all = append(all, g.explain(ctx, &q.question)...)
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
