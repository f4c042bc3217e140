package gate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// A StudyFinder finds a study by its id or exact name. [*userjourneys.Client]
// implements it. An error that matches [userjourneys.ErrNotFound] means that the
// study is paused, deleted or in another project. FindStudy must return when its
// context ends, because the gate makes one call at a time. A StudyFinder may also
// implement [StudyLister].
type StudyFinder interface {
	FindStudy(ctx context.Context, idOrName string) (userjourneys.Study, error)
}

// A StudyLister lists the provider's studies. [Gate.Explain] names them when the
// configured study is missing, if its [StudyFinder] is also a StudyLister.
// [*userjourneys.Client] implements it.
type StudyLister interface {
	Studies(ctx context.Context) iter.Seq2[userjourneys.Study, error]
}

// A CompletionChecker reports whether a user has completed a study. Every
// [store.Store] implements it.
//
// Other capabilities of the store are optional. With [store.Interactions], the gate
// reads what the user has seen and answered on any device together with the
// completions, in one round trip. With [store.Switches], operators can pause asking.
// With [store.Checkpoints], replicas share the last places of a study. With
// [store.Lister], a completion on another channel starts the cool-down. A
// [store.Peeker], such as [*store.Cache], is asked first, so that most pages need no
// round trip.
type CompletionChecker interface {
	Completed(ctx context.Context, k store.Key) (bool, error)
}

// A Decider decides whether to invite a visitor. [Gate] and [Group] are Deciders.
type Decider interface {
	Decide(ctx context.Context, v Visitor) Decision
	Confirm(ctx context.Context, v Visitor) Decision
}

// A Gate decides for one study. It is safe for concurrent use. It runs at most two
// goroutines that fetch the study, one that reads the switches, and 256 that look
// something up in the store.
type Gate struct {
	opts      Options
	reference func(store.Key) (string, error)
	lists     checklists
	capacity  *capacity
	pace      *pace // nil without ExpectedUptake
	holds     holds
	places    places
	pauses    *pauses // nil if the store has no Switches

	done    CompletionChecker
	persons store.Interactions // nil if the store has none
	lister  store.Lister       // nil if the store has none
	source  any                // identifies the store

	peeker store.Peeker // nil if the store has no cache

	// Clicks are confirmed by the store itself, not by its cache.
	uncached        CompletionChecker
	uncachedPersons store.Interactions

	lookups chan struct{}
	badIDs  atomic.Bool // an unusable user id has been logged
	panics  sync.Map    // the callbacks whose panics have been logged
}

// New returns a gate for the study with this id or exact name. It does not connect to
// anything. A nil s or done panics. Nil opts mean the defaults. The error names every
// fault.
func New(s StudyFinder, study string, done CompletionChecker, opts *Options) (*Gate, error) {
	if s == nil {
		panic("gate: New: s is nil")
	}
	if done == nil {
		panic("gate: New: done is nil")
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	var noStudy error
	if study == "" {
		noStudy = errors.New("gate: the study's id or name is empty")
	}
	if err := errors.Join(noStudy, o.check()); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	g := &Gate{
		opts: o, reference: o.References.Reference, capacity: newCapacity(s, study, &o),
		done: done, uncached: done, lookups: make(chan struct{}, 256),
	}
	for layer := any(done); layer != nil; { // a cache may be inside other wrappers
		wrapper, ok := layer.(interface{ Unwrap() store.Store })
		if !ok {
			break
		}
		if _, ok := layer.(*store.Cache); ok {
			g.uncached = wrapper.Unwrap()
		}
		layer = wrapper.Unwrap()
	}
	if g.source = any(g); reflect.ValueOf(done).Comparable() {
		g.source = done
	}
	g.persons, _ = capability[store.Interactions](done)
	g.uncachedPersons, _ = capability[store.Interactions](g.uncached)
	g.peeker, _ = done.(store.Peeker)
	g.lister, _ = capability[store.Lister](done)
	g.places.checkpoints, _ = capability[store.Checkpoints](done)
	g.places.turn = make(chan struct{}, 1)
	g.places.tidy = time.AfterFunc(holdFor, g.tidyPlaces)
	g.places.tidy.Stop()
	if switches, ok := capability[store.Switches](done); ok {
		g.pauses = &pauses{gate: g, switches: switches}
	}
	if o.ExpectedUptake > 0 {
		g.pace = newPace(o.ExpectedUptake, g.persons == nil)
	}
	g.lists = newChecklists(g)
	return g, nil
}

func capability[C any](done CompletionChecker) (C, bool) {
	if s, ok := done.(store.Store); ok {
		return store.As[C](s)
	}
	c, ok := done.(C)
	return c, ok
}

// Decide reports whether to invite v now. It writes nothing and takes no longer
// than [Options.Timeout], whatever the provider and the store do.
func (g *Gate) Decide(ctx context.Context, v Visitor) (d Decision) {
	q := newQuestion(&v)
	defer q.free()
	g.decide(ctx, &q.question, &d)
	return d
}

// Confirm reports whether v, who has just clicked the prompt, may go on to the
// interview. It checks only what may have changed since the invitation: the study and
// its places, by an answer that is at most 10 seconds old, a pause, an opt-out and the
// completion. An invitation stands, so Target, the holdout, pacing and the history do
// not matter.
//
// A confirmed click holds a place for 20 minutes, or until the interview is recorded. A
// user who clicks again keeps the place. Each process counts its own holds and confirms
// no more clicks than there are places. With [store.Checkpoints], replicas share the
// holds of a study once it has at most 50 places left; their clocks must agree within 2
// seconds. Such a click costs two more calls of the store, and retries while another
// replica holds the lease. A replica shares the holds that it made earlier at its next
// such click.
//
// For about a minute after a failure of the provider, the reason is
// [ReasonUnavailable]: an apology is better than an interview that turns the user away.
func (g *Gate) Confirm(ctx context.Context, v Visitor) Decision {
	v.Occasion = OccasionClick
	return g.Decide(ctx, v)
}

// decide sets d to the decision of this gate and reports it.
func (g *Gate) decide(ctx context.Context, q *question, d *Decision) {
	q.turnTo(g)
	if d.Reason, d.Err = q.answer(ctx); d.Ask() {
		q.prompt(&d.Prompt)
	}
	d.StudyID = g.capacity.name
	if q.study != nil {
		d.StudyID = q.study.ID
	} else if known := g.capacity.snapshot.Load().known; known != nil {
		d.StudyID = known.ID
	}
	if g.opts.OnDecision != nil && !q.visitor.Preview {
		g.report(ctx, q, d)
	}
}

func (g *Gate) report(ctx context.Context, q *question, d *Decision) {
	var err error
	defer func() {
		if err != nil {
			*d = Decision{StudyID: d.StudyID, Err: err}
		}
	}()
	defer g.recovered("Options.OnDecision", &err)
	g.opts.OnDecision(ctx, q.visitor, *d)
}

// recovered is deferred around calls of the app's code. It turns a panic into an error
// and logs the first one of each callback with its stack.
func (g *Gate) recovered(what string, err *error) {
	p := recover()
	if p == nil {
		return
	}
	e := guard.Recovered(p)
	*err = fmt.Errorf("gate: %s: %w", what, e)
	if _, logged := g.panics.LoadOrStore(what, true); !logged {
		g.opts.Logger.Error("askonce: callback panicked", "callback", what, "study", g.capacity.name, "err", e, guard.Stack(e))
	}
}

// Warm fetches the study, so that the first page need not wait for it. It waits as long
// as ctx allows, at most 10 s. The error says why the study could not be fetched. It is
// no reason not to start the app: the gate tries again about a minute later. A missing
// study is logged and is not an error.
func (g *Gate) Warm(ctx context.Context) error {
	_, err := g.capacity.get(ctx, g.opts.Fresh)
	return err
}

// Recorded reports a completed interview, which may have taken the last place: the
// next decision asks the provider again, at most once in 10 s. Use it as
// webhook.Options.OnRecorded. It never blocks.
func (g *Gate) Recorded(_ context.Context, c store.Completion) {
	if known := g.capacity.snapshot.Load().known; known != nil && known.ID != c.StudyID {
		return
	}
	now := time.Now()
	g.capacity.update(func(s *snapshot) { s.completedAt = now })
	g.endHold(c.Key, now)
}

// Age returns the age of the cached study, or false if there is none that can be
// used. It is meant for health checks and metrics.
func (g *Gate) Age() (time.Duration, bool) {
	now := time.Now()
	if s := g.capacity.snapshot.Load().answer(now, g.opts.Stale); s != nil {
		return s.age(now), true
	}
	return 0, false
}

// isFor reports whether study is what [New] was given, or the id of the gate's study.
func (g *Gate) isFor(study string) bool {
	known := g.capacity.snapshot.Load().known
	return g.capacity.name == study || known != nil && known.ID == study
}
