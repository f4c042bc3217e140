package gate

import "context"

// First asks several gates by priority: the decision is that of the first gate
// that asks, so that one prompt is shown at a time. When none asks, it is that
// of the first gate that does not exclude the visitor. Give each gate a CoolDown to keep a pause between their prompts.
func First(gates ...*Gate) Decider { return first(gates) }

type first []*Gate

func (f first) Decide(ctx context.Context, v Visitor) Decision {
	return f.ask(func(g *Gate) Decision { return g.Decide(ctx, v) })
}

func (f first) Confirm(ctx context.Context, v Visitor) Decision {
	return f.ask(func(g *Gate) Decision { return g.Confirm(ctx, v) })
}

func (f first) ask(decide func(*Gate) Decision) (d Decision) {
	d.Reason = Excluded
	for _, g := range f {
		own := decide(g)
		if own.Ask {
			return own
		}
		if d.Reason == Excluded {
			d = own
		}
	}
	return d
}
