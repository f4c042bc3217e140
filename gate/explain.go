package gate

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Verdict is what one check found.
type Verdict struct {
	Check  string // the check's name
	Pass   bool
	Reason Reason // of the decision if this check alone stood; Eligible when it passes
	Err    error  // why the check could not be made
}

// Verdicts are those of all checks, in their order.
type Verdicts []Verdict

// Explain walks all checks for v and says what each found, for the question
// "why does she not see it?". It writes nothing and tells no metric. When the
// study itself cannot be had, that is the only verdict.
func (g *Gate) Explain(ctx context.Context, v Visitor) Verdicts {
	now := time.Now()
	q := question{gate: g, visitor: v, now: now, deadline: now.Add(g.opts.ConfirmTimeout)}
	var err error
	if q.study, err = g.study(ctx, q); err != nil {
		return Verdicts{{Check: "study", Err: err}}
	}
	var all Verdicts
	for _, c := range checks {
		ok, err := c.pass(ctx, q)
		verdict := Verdict{Check: c.name, Pass: ok && err == nil, Reason: c.no, Err: err}
		switch {
		case err != nil:
			verdict.Reason = Unavailable
		case ok:
			verdict.Reason = Eligible
		}
		all = append(all, verdict)
		if q.study == nil {
			break // anonymous: nothing else can be said
		}
	}
	return all
}

// String is a line for each check.
func (vs Verdicts) String() string {
	var b strings.Builder
	for _, v := range vs {
		switch {
		case v.Err != nil:
			fmt.Fprintf(&b, "?   %-14s %v\n", v.Check, v.Err)
		case v.Pass:
			fmt.Fprintf(&b, "yes %s\n", v.Check)
		default:
			fmt.Fprintf(&b, "no  %-14s %s\n", v.Check, v.Reason)
		}
	}
	return b.String()
}
