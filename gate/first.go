package gate

import (
	"context"
	"time"
)

// First asks several gates by priority. The decision is that of the first gate
// that asks, so that one prompt is shown at a time; a gate that is Unavailable
// does not hold up the others. When none asks, the reason is that of the first
// gate that has any other than Excluded; without gates it is Closed. The time
// limits of all gates run from the beginning, so that several slow providers
// cost a page no more than one.
//
// The pause between prompts of different studies is each gate's CoolDown.
// OnDecision of every gate that was asked is told its own decision. A
// Visitor.StudyID leaves the decision to the gate with that study. A nil gate
// panics.
func First(gates ...*Gate) Decider {
	for _, g := range gates {
		if g == nil {
			panic("gate: First: a gate is nil")
		}
	}
	return first(append([]*Gate(nil), gates...))
}

type first []*Gate

func (f first) Decide(ctx context.Context, v Visitor) Decision  { return f.decide(ctx, v, false) }
func (f first) Confirm(ctx context.Context, v Visitor) Decision { return f.decide(ctx, v, true) }

func (f first) decide(ctx context.Context, v Visitor, clicked bool) Decision {
	began := time.Now()
	if v.StudyID != "" {
		for _, g := range f {
			if g.isFor(v.StudyID) {
				return g.decide(ctx, &v, clicked, began)
			}
		}
	}
	d := Decision{Reason: ReasonClosed}
	if len(f) > 0 {
		d.Reason = ReasonExcluded
	}
	for _, g := range f {
		own := g.decide(ctx, &v, clicked, began)
		if own.Ask {
			return own
		}
		if d.Reason == ReasonExcluded {
			d = own
		}
	}
	return d
}

// isFor reports whether the gate is known to be the one with this study.
func (g *Gate) isFor(studyID string) bool {
	e := g.capacity.known.Load()
	return e != nil && e.study.ID == studyID || e == nil && g.capacity.name == studyID
}
