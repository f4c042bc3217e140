package gate

import (
	"time"

	"github.com/askonce/askonce/userjourneys"
)

// A Status is what a gate knows about its study, independent of any visitor.
type Status struct {
	// Study is the provider's last answer. Before the first answer, and while there is
	// no such study, only Name is guaranteed: it is what [New] was given.
	Study userjourneys.Study

	// Places is how many more responses the study takes now, or negative if no limit
	// is known.
	Places int

	// Cached reports whether there is an answer that can be used, and Age is its age.
	Age    time.Duration
	Cached bool

	// Reason is ReasonEligible if visitors can be invited. Otherwise it is
	// ReasonUnavailable, ReasonClosed or ReasonFull. A pause does not count here; see
	// [store.Switches].
	Reason Reason

	// Err says why there is no newer answer, or why the answer cannot be used. It may be
	// set while an older answer is still in use.
	Err error
}

// Status returns what is known. It does not wait or call the provider; see [Gate.Warm].
func (g *Gate) Status() Status {
	now, known := time.Now(), g.capacity.snapshot.Load()
	out := Status{Study: userjourneys.Study{Name: g.capacity.name}, Places: -1, Err: known.failure}
	if known.known != nil {
		out.Study = known.known.Study
	}
	s := known.answer(now, g.opts.Stale)
	if s == nil {
		return out
	}
	out.Age, out.Cached, out.Places = s.age(now), true, s.places
	switch {
	case s.linkErr != nil:
		out.Err = s.linkErr
	case !s.exists:
		out.Reason = ReasonClosed
	case s.places == 0:
		out.Reason = ReasonFull
	default:
		out.Reason = ReasonEligible
	}
	return out
}

// Status returns the status of every gate, in their order.
func (gr *Group) Status() []Status {
	all := make([]Status, len(gr.gates))
	for i, g := range gr.gates {
		all[i] = g.Status()
	}
	return all
}
