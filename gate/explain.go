package gate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/askonce/askonce/internal/guard"
)

// A CheckResult is the result of one check.
type CheckResult struct {
	Study  string // the study's name, or what the gate was configured with
	Check  string // what is true if the check passes, such as "not declined"
	Pass   bool
	Reason Reason // ReasonEligible if the check passes, otherwise the reason that it gives a decision
	Detail string // more about the result, for operators
	Err    error  // why the check could not be made
}

// String returns the result on one line, such as "not declined: pass".
func (r CheckResult) String() string {
	s := r.Check + ": "
	switch {
	case r.Pass:
		s += "pass"
	case r.Err != nil:
		s += "unknown (" + strings.TrimPrefix(r.Err.Error(), "gate: ") + ")"
	default:
		s += "fail (" + r.Reason.String() + ")"
	}
	if r.Detail != "" {
		s += "; " + r.Detail
	}
	return s
}

// An Explanation holds the results of all checks of one or several gates, in their
// order.
type Explanation []CheckResult

// String returns a line for each study and, indented, one for each of its checks.
func (e Explanation) String() string {
	var b strings.Builder
	for i, r := range e {
		if i == 0 || r.Study != e[i-1].Study || r.Check == checks[0].name {
			fmt.Fprintf(&b, "%s\n", r.Study)
		}
		fmt.Fprintf(&b, "  %s\n", r)
	}
	return b.String()
}

// Explain runs every check and reports each result. A user id is enough: the gate reads
// what the store knows about the user, and v.History adds what one browser knows. The
// first check that fails is the one at which [Gate.Decide] stops, except that Decide
// reads the store last.
//
// Explain counts nothing and does not call [Options.OnDecision]. It waits for the
// provider only if there is no answer yet. A check that cannot be made has an error.
func (g *Gate) Explain(ctx context.Context, v Visitor) Explanation {
	q := newQuestion(&v)
	defer q.free()
	return g.explain(ctx, &q.question)
}

func (g *Gate) explain(ctx context.Context, q *question) Explanation {
	q.turnTo(g)
	q.quiet = true
	all := make(Explanation, 0, len(checks))
	var noUser error
	for i := range checks {
		c := &checks[i]
		r := CheckResult{Check: c.name, Err: noUser}
		if noUser == nil {
			r = q.explain(ctx, c)
		}
		all = append(all, r)
		switch {
		case noUser != nil || i > 1:
		case !r.Pass: // without a user, neither Target nor the store can be called
			noUser = errors.New("gate: there is no user")
		case i == 1 && q.identify(ctx) == nil && g.persons != nil:
			_ = q.askStore(ctx) // the last check has the error
		}
	}
	name := g.capacity.name
	if q.study != nil {
		name = q.study.Name
	}
	for i := range all {
		all[i].Study = name
	}
	return all
}

func (q *question) explain(ctx context.Context, c *check) (r CheckResult) {
	r.Check = c.name
	defer q.gate.recovered("a check", &r.Err)
	pass, err := c.pass(q, ctx)
	r.Pass, r.Err = pass && err == nil, err
	switch {
	case r.Pass:
		r.Reason = ReasonEligible
	case err == errNoStudy:
		r.Reason = ReasonClosed
	case err == nil:
		r.Reason = c.refusal
	}
	switch c.name {
	case "language supported":
		r.Detail = q.explainLanguage()
	case "study active":
		if !r.Pass && (err == nil || err == errNoStudy) {
			r.Reason, r.Err, r.Detail = ReasonClosed, nil, q.gate.otherStudies(ctx)
		}
	}
	return r
}

// explainLanguage names the language of the interview.
func (q *question) explainLanguage() string {
	if q.study == nil || len(q.visitor.Languages) == 0 {
		return ""
	}
	if l := suitable(q.study.SupportedLanguages, q.visitor.Languages); l != "" {
		return "the interview can be in " + l
	}
	return fmt.Sprintf("the study supports %s, not %s", strings.Join(q.study.SupportedLanguages, ", "), strings.Join(q.visitor.Languages, ", "))
}

// otherStudies names the existing studies, because the configured name may be misspelled.
func (g *Gate) otherStudies(ctx context.Context) string {
	lister, ok := g.capacity.finder.(StudyLister)
	if !ok {
		return "no active study has this id or name"
	}
	ctx, cancel := context.WithTimeout(ctx, g.opts.ConfirmTimeout)
	defer cancel()
	var names []string
	for s, err := range guard.Seq(lister.Studies(ctx)) {
		if err != nil {
			return "no active study has this id or name"
		}
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		return "no active study has this id or name; there is none in the project"
	}
	return "no active study has this id or name; there are: " + strings.Join(names, ", ")
}
