package gate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Verdict is what one check found.
type CheckResult struct {
	Check  string // the check's name
	Pass   bool
	Reason Reason // the decision's, were this the first that does not pass; Eligible when it passes
	Err    error  // why the check could not be made
}

// Verdicts are those of all checks, in their order.
type Explanation []CheckResult

// Explain walks all checks for v and says what each found, for the question
// "why does she not see it?". The first that does not pass is the reason of
// Decide. It writes nothing, tells no metric and waits for the provider only if
// there is no answer yet. Where a check cannot be made, because there is no
// answer or no user, its verdict is Unavailable with the error.
func (g *Gate) Explain(ctx context.Context, v Visitor) Explanation {
	q := g.question(&v, false, time.Time{})
	defer q.free()
	q.quiet, q.timeout = true, g.opts.ConfirmTimeout
	all := make(Explanation, 0, len(checks))
	var nobody error
	for i := range checks {
		verdict := CheckResult{Check: checks[i].name, Err: nobody}
		if nobody == nil {
			verdict.Reason, verdict.Err = q.explain(ctx, &checks[i])
		}
		verdict.Pass = verdict.Reason == ReasonEligible
		if i < userChecks && !verdict.Pass && nobody == nil {
			nobody = errNobody
		}
		all = append(all, verdict)
	}
	return all
}

var errNobody = errors.New("gate: there is no user to look at")

func (q *question) explain(ctx context.Context, c *check) (no Reason, err error) {
	defer func() {
		if p := recover(); p != nil {
			no, err = ReasonUnavailable, fmt.Errorf("gate: panic: %v", p)
		}
	}()
	if c.isIdle(q.opts()) {
		return ReasonEligible, nil
	}
	return q.ask(ctx, c)
}

// String is a line for each check.
func (vs Explanation) String() string {
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
