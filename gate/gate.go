package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// Studies finds a study; *userjourneys.Client does. ErrNotFound of that package
// means that the study is paused, deleted or in another project. It must heed
// its context: until it returns, the gate does not ask again.
type StudyFinder interface {
	FindStudy(ctx context.Context, idOrName string) (userjourneys.Study, error)
}

// Completions tells who has completed what; every store.Store does. One that
// also has
//
//	Peek(k store.Key) (completed, known bool)
//
// is asked that first: it must not block, and known is false where Completed
// has to be asked.
type CompletionChecker interface {
	Completed(ctx context.Context, k store.Key) (bool, error)
}

type peeker interface {
	Peek(k store.Key) (completed, known bool)
}

// A Decider decides whether to invite a visitor. [Gate] and [Group] are Deciders.
type Decider interface {
	Decide(ctx context.Context, v Visitor) Decision
	Confirm(ctx context.Context, v Visitor) Decision
}

// Options configure a Gate. The zero value of each field means its default.
type Options struct {
	// Timeout is the longest that Decide may take, whatever the request's own
	// deadline is. Defaults to 150 ms.
	Timeout time.Duration

	// ConfirmTimeout is the same for Confirm, which asks the provider anew.
	// Defaults to 3 s.
	ConfirmTimeout time.Duration

	// Fresh is how long an answer of the provider is used without asking again,
	// shortened by up to a tenth at random. Defaults to 3 minutes, or to half of
	// Stale if that is less.
	Fresh time.Duration

	// Stale is the greatest age at which an answer is still used while a newer
	// one is being fetched. Defaults to 15 minutes, or to Fresh if that is more.
	Stale time.Duration

	// Target excludes visitors by the app's own rules. It must be quick and
	// safe for concurrent use: it runs in the request, and Timeout does not cut
	// it short. A panic counts as Unavailable. Defaults to everybody.
	Target func(ctx context.Context, v Visitor) bool

	// Holdout is the share of users who are never asked, from 0 for none to 1
	// for everybody. The draw is sticky: lowering Holdout never excludes a user
	// who could be asked before, and two studies draw independently. Defaults
	// to 0.
	Holdout float64

	// MaxShowings is how often one user sees the prompt of this study.
	// Defaults to 3, at most 255. Negative means no limit.
	MaxShowings int

	// ShowingPause is the time between two showings of this study to one user.
	// Defaults to 24 hours. Negative means none.
	ShowingPause time.Duration

	// CoolDown is the time after a showing of any study before this one may be
	// shown. Defaults to ShowingPause. Negative means none.
	CoolDown time.Duration

	// OpenedPause is how long a user who opened the interview is left alone.
	// Defaults to 2 hours. Negative means not at all.
	OpenedPause time.Duration

	// ExpectedUptake is the fraction of invited users who complete the
	// interview, above 0 to 1, such as 0.05. With it the gate invites no more users
	// than the study's remaining places need: with 3 places left and an uptake
	// of 0.05, 60 users. Who is invited stays so, and who is not stays out,
	// while the places only shrink; a new week or month of the study's limit
	// (in UTC, weeks begin on Monday) is for other users. Studies without a
	// limit are not paced.
	//
	// The first users to come are invited, as counted by this process: a
	// restart counts anew, and each replica counts its own. Set Audience for an
	// answer that all replicas agree on. An uptake set too high fills the study
	// slowly, one set too low invites users who will find it full.
	// Defaults to no pacing.
	ExpectedUptake float64

	// Audience is about how many users the prompt could be shown to while the
	// study's limits last. With it pacing is a share of all users drawn by
	// their ids, and nothing is counted. It need not be exact: at twice the
	// true number, half as many are invited. Defaults to unknown.
	Audience int

	// RequireLanguage excludes visitors with whom the study has no language in
	// common. Defaults to asking them anyway.
	RequireLanguage bool

	// References writes the user into the interview link.
	// Defaults to PlainReferences.
	References References

	// OnDecision is told of every decision, for metrics. It must be quick and
	// safe for concurrent use. When it panics, nobody is asked, and the panic
	// is in Decision.Err. Defaults to nothing.
	OnDecision func(ctx context.Context, v Visitor, d Decision)

	// Logger is told when the provider stops or starts answering.
	// Defaults to slog.Default().
	Logger *slog.Logger
}

// Gate decides for one study. It is safe for concurrent use. Besides callers'
// own goroutines there are at most two more that fetch the study, which end
// by the fetch's own deadline of 10 s, and one per look-up in a store that must
// be waited for, at most 256.
type Gate struct {
	opts     Options
	lists    checklists
	capacity *capacity
	pace     *pace
	done     CompletionChecker
	peek     peeker // done, if it can
	lookups  chan struct{}
}

// New returns a gate for the study with this id or with exactly this name. It
// does not connect. A nil s or done panics; a nil opts means defaults.
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
	if err := errors.Join(checkStudy(study), o.check()); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	g := &Gate{
		opts: o, done: done, lookups: make(chan struct{}, 256),
		capacity: newCapacity(s, study, o.Fresh, o.Stale, o.Logger),
		pace:     newPace(o.ExpectedUptake, o.Audience),
	}
	g.lists = newChecklists(&g.opts)
	g.peek, _ = done.(peeker)
	return g, nil
}

func checkStudy(study string) error {
	if study == "" {
		return errors.New("gate: the study's id or name is empty")
	}
	return nil
}

func (o Options) check() error {
	var errs []error
	if !(o.Holdout >= 0 && o.Holdout <= 1) {
		errs = append(errs, fmt.Errorf("gate: Holdout is %v: want a share from 0 to 1, not a percentage", o.Holdout))
	}
	if !(o.ExpectedUptake >= 0 && o.ExpectedUptake <= 1) {
		errs = append(errs, fmt.Errorf("gate: ExpectedUptake is %v: a fraction from 0 to 1", o.ExpectedUptake))
	}
	if o.MaxShowings > maxShown {
		errs = append(errs, fmt.Errorf("gate: MaxShowings is %d: no more than %d are counted; negative means no limit", o.MaxShowings, maxShown))
	}
	if o.Audience < 0 {
		errs = append(errs, errors.New("gate: Audience is negative"))
	}
	if o.Audience > 0 && o.ExpectedUptake == 0 {
		errs = append(errs, errors.New("gate: Audience does nothing without ExpectedUptake"))
	}
	for _, d := range []struct {
		name string
		is   time.Duration
	}{{"Timeout", o.Timeout}, {"ConfirmTimeout", o.ConfirmTimeout}, {"Fresh", o.Fresh}, {"Stale", o.Stale}} {
		if d.is < 0 {
			errs = append(errs, fmt.Errorf("gate: %s is negative", d.name))
		}
	}
	if o.Stale != 0 && o.Fresh > o.Stale {
		errs = append(errs, errors.New("gate: Fresh is longer than Stale"))
	}
	return errors.Join(errs...)
}

func (o Options) withDefaults() Options {
	o.Timeout = cmp.Or(o.Timeout, 150*time.Millisecond)
	o.ConfirmTimeout = cmp.Or(o.ConfirmTimeout, 3*time.Second)
	o.Stale = cmp.Or(o.Stale, max(15*time.Minute, o.Fresh))
	o.Fresh = cmp.Or(o.Fresh, min(3*time.Minute, o.Stale/2))
	o.MaxShowings = cmp.Or(o.MaxShowings, 3)
	o.ShowingPause = cmp.Or(o.ShowingPause, 24*time.Hour)
	o.CoolDown = cmp.Or(o.CoolDown, o.ShowingPause)
	o.OpenedPause = cmp.Or(o.OpenedPause, 2*time.Hour)
	o.References = cmp.Or(o.References, PlainReferences())
	o.Logger = cmp.Or(o.Logger, slog.Default())
	return o
}

// Decide says whether v shall be asked now. It writes nothing and takes no
// longer than Options.Timeout, whatever the provider and the store do.
func (g *Gate) Decide(ctx context.Context, v Visitor) Decision {
	return g.decide(ctx, &v, false, time.Time{})
}

// Confirm says whether v, who has just clicked the prompt, may go on to the
// interview. What has been shown, snoozed or held out no longer matters then;
// the study must have a place by an answer of the last 10 seconds, and v must
// not have completed it. While the provider fails, which is for about a minute
// after each failure, it is Unavailable: better a friendly page than an
// interview that turns the user away.
func (g *Gate) Confirm(ctx context.Context, v Visitor) Decision {
	return g.decide(ctx, &v, true, time.Time{})
}

// Warm fetches the study, so that the first request need not wait for it. It
// waits as long as ctx allows, at most 10 s. The error says why the study could
// not be fetched: let the app start all the same, since the gate tries again by
// itself, about a minute after a failure and no sooner. A study that is missing
// is no error, and logged.
func (g *Gate) Warm(ctx context.Context) error {
	_, err := g.capacity.get(ctx, g.opts.Fresh)
	return err
}

// Recorded tells the gate that an interview was completed, which may have taken
// the last place: at the next decision the provider is asked again, once in
// 10 s at most. Wire it to webhook.Options.OnRecorded. It never blocks.
func (g *Gate) Recorded(_ context.Context, c store.Completion) {
	if e := g.capacity.known.Load(); e == nil || e.study.ID == c.StudyID {
		g.capacity.outdate()
	}
}

// Age is how old the provider's answer is that decisions rest on now, and
// whether there is one; for health checks.
func (g *Gate) Age() (time.Duration, bool) {
	now := time.Now()
	if e := g.capacity.peek(now, g.opts.Stale); e != nil {
		return e.age(now), true
	}
	return 0, false
}

// decide is Decide or Confirm with a time limit that counts from began; zero is
// from now on.
func (g *Gate) decide(ctx context.Context, v *Visitor, clicked bool, began time.Time) (d Decision) {
	g.walk(ctx, v, clicked, began, &d)
	if g.opts.OnDecision != nil {
		g.tell(ctx, v, &d)
	}
	return d
}

// walk asks the checks in their order until one says no.
func (g *Gate) walk(ctx context.Context, v *Visitor, clicked bool, began time.Time, d *Decision) {
	q := g.question(v, clicked, began)
	defer func() {
		if p := recover(); p != nil {
			*d = Decision{Err: fmt.Errorf("gate: panic: %v", p)}
		}
		q.free()
	}()
	for _, c := range g.lists[situation(v, clicked)] {
		if no, err := q.ask(ctx, c); no != ReasonEligible {
			d.Reason, d.Err = no, err
			return
		}
	}
	if !clicked && !g.pace.admit(q.study, v.UserID) {
		d.Reason = ReasonHeldOut // others have taken the last slots meanwhile
		return
	}
	d.Reason = ReasonEligible
	q.prompt(&d.Prompt)
}

// tell keeps a panic of the app's metrics from costing more than a prompt.
func (g *Gate) tell(ctx context.Context, v *Visitor, d *Decision) {
	defer func() {
		if p := recover(); p != nil {
			*d = Decision{Err: fmt.Errorf("gate: OnDecision panicked: %v", p)}
		}
	}()
	g.opts.OnDecision(ctx, *v, *d)
}
