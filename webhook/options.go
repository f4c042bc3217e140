package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// A Client fetches interviews from the provider. [*userjourneys.Client]
// implements it. A Client may also implement [StudyLister] and [WebhookReader].
type Client interface {
	Interview(ctx context.Context, id string) (userjourneys.Interview, error)
	Interviews(ctx context.Context, f userjourneys.InterviewFilter) iter.Seq2[userjourneys.Interview, error]
}

// A StudyLister is a [Client] that lists the project's active studies. Without one,
// [Options.Studies] must hold ids, and at least one unless reconciliation is off.
type StudyLister interface {
	Studies(ctx context.Context) iter.Seq2[userjourneys.Study, error]
}

// A WebhookReader is a [Client] that reads the project's webhook. Without one,
// [Handler.Run] does not check whether and where the provider delivers.
type WebhookReader interface {
	Webhook(ctx context.Context) (userjourneys.Webhook, error)
}

// References reads a reference back into a user id, as gate.References does. An
// error that matches [ErrUnknownUser] or [ErrExpiredReference] gets a [Result] of
// its own. Any other error means that the reference is not one of the app's.
type References interface {
	UserID(studyID, reference string) (string, error)
}

// Errors that [References] may return.
var (
	ErrUnknownUser      = errors.New("webhook: unknown user")
	ErrExpiredReference = errors.New("webhook: expired reference")
)

// Options configure a [Handler]. A zero field means its default. Every callback
// must be safe for concurrent use. A callback that panics is logged and costs
// only the item it was called for.
type Options struct {
	// PreviousSecrets are accepted too, until a rotation has reached every
	// sender. At most 4 secrets are accepted in all. Defaults to none.
	PreviousSecrets SecretList

	// Secrets returns the accepted secrets, so that a rotation needs no restart.
	// It is called for every delivery that has a well-formed signature, forged
	// ones included, so it should answer from memory. Its ctx ends after 5 s, and
	// not when the sender hangs up. If it fails, or returns a secret that [New]
	// would refuse, deliveries are answered with 503. It excludes the secret
	// given to New and PreviousSecrets. Defaults to these.
	Secrets func(ctx context.Context) ([]string, error)

	// Studies are the studies whose completions are recorded and reconciled,
	// each by its id or its exact name, as in gate.New. Interviews of other
	// studies of the project, for instance those of a staging environment, are
	// neither recorded nor fetched; their deliveries get [ResultOtherStudy].
	// Names need a Client that lists studies, as [*userjourneys.Client] does. The
	// provider lists only active studies, so a study that is named, and not
	// given by id, is reconciled for 72 hours after it was last listed.
	// Defaults to all studies of the project.
	Studies []string

	// ReadTimeout is how long a body may take to arrive. The server's own timeouts
	// apply too. Raise it if deliveries pass a slow proxy. Defaults to 10 s.
	ReadTimeout time.Duration

	// Client fetches transcripts and missed completions, in [Handler.Run].
	// Defaults to none: then neither is fetched.
	Client Client

	// References reads references back into user ids. It must be the one that
	// the gate writes them with. Defaults to references that are user ids.
	References References

	// Policy decides what a completion means before it is recorded. It must
	// depend on c alone: it is called again for every delivery of the same
	// interview, and when the provider scores the quality only later. Defaults
	// to [Complete] for every quality.
	Policy func(c store.Completion) Verdict

	// OnDelivery is called after every request, for metrics. It must be quick.
	OnDelivery func(ctx context.Context, d Delivery)

	// OnRecorded is called for every completion that was recorded for the first
	// time, by a request or by [Handler.Run]. It must be quick. Wire it to
	// Gate.Recorded.
	OnRecorded func(ctx context.Context, c store.Completion)

	// OnCompleted is called by [Handler.Run] for every transcript, at least once.
	// If it fails, or the process ends before its success is noted, it is called
	// again with backoff, for 24 hours. Its ctx ends after a minute. It is not
	// called twice at once for one interview, but calls for different interviews
	// overlap.
	OnCompleted func(ctx context.Context, c store.Completion, t store.Transcript) error

	// OnProgress is called for what [Handler.Run] has done, for metrics. It must
	// be quick.
	OnProgress func(ctx context.Context, p Progress)

	// URL is where the provider should deliver. [Handler.Run] warns if the
	// provider has another URL; it never changes it. Defaults to no check.
	URL string

	// ReconcileEvery is the time between two walks through the provider's list of
	// interviews. A negative one turns reconciliation off. Defaults to 10 minutes.
	ReconcileEvery time.Duration

	// Retention is how long transcripts, given-up jobs and dead letters are kept
	// after they were fetched, queued or received. [Handler.Run] deletes older ones
	// once an hour, on one of the replicas. Completions are never deleted, so nobody
	// is asked again. It needs a store with [store.Retention]. Defaults to keeping
	// everything.
	Retention time.Duration

	// Inspect keeps an [Inspection] with each of the last 100 deliveries, to see
	// what is sent. Defaults to false.
	Inspect bool

	// Logger receives what went wrong. No line holds a body, a secret, a
	// signature or a user. Defaults to [slog.Default].
	Logger *slog.Logger
}

// faults returns everything that is wrong with the options.
func (o *Options) faults() error {
	var errs []error
	if o.ReadTimeout < 0 {
		errs = append(errs, errors.New("webhook: ReadTimeout is negative"))
	}
	if o.Retention < 0 {
		errs = append(errs, errors.New("webhook: Retention is negative"))
	}
	_, lists := o.Client.(StudyLister)
	for _, s := range o.Studies {
		switch {
		case store.CheckID(s) != nil:
			errs = append(errs, fmt.Errorf("webhook: %q in Studies is neither a study's id nor a name", s))
		case !lists && !usableID(s):
			errs = append(errs, fmt.Errorf("webhook: %q in Studies is not a study's id, and names need a Client that lists studies", s))
		}
	}
	if o.Client == nil {
		for _, option := range []struct {
			name string
			set  bool
		}{{"OnCompleted", o.OnCompleted != nil}, {"OnProgress", o.OnProgress != nil}, {"URL", o.URL != ""}} {
			if option.set {
				errs = append(errs, fmt.Errorf("webhook: %s does nothing without Client", option.name))
			}
		}
	} else if !lists && len(o.Studies) == 0 && o.ReconcileEvery >= 0 {
		errs = append(errs, errors.New("webhook: reconciliation needs Studies, because Client cannot list them"))
	}
	return errors.Join(errs...)
}

// setDefaults fills in the zero fields, and copies what the app could change.
func (o *Options) setDefaults() {
	o.ReadTimeout = cmp.Or(o.ReadTimeout, 10*time.Second)
	o.ReconcileEvery = cmp.Or(o.ReconcileEvery, 10*time.Minute)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	o.Studies = slices.Clone(o.Studies)
}

// A Verdict is what [Options.Policy] makes of a completion: [Complete], [Snooze]
// or [Ignore]. The zero value is Complete.
type Verdict struct {
	ignore bool
	snooze time.Duration
}

// Complete returns the verdict that the user has completed the study for good.
func Complete() Verdict { return Verdict{} }

// Snooze returns the verdict that the user may be asked again once d has passed
// since the interview. A d of zero or less is the same as [Ignore].
func Snooze(d time.Duration) Verdict { return Verdict{ignore: d <= 0, snooze: d} }

// Ignore returns the verdict that the interview does not count: the user may be
// asked again at once. The interview is recorded all the same, and its
// transcript is fetched.
func Ignore() Verdict { return Verdict{ignore: true} }

// apply writes the verdict into c.
func (v Verdict) apply(c *store.Completion) {
	c.Ignored, c.Until = v.ignore, time.Time{}
	if v.snooze > 0 {
		c.Until = store.Instant(c.CompletedAt.Add(v.snooze))
	}
}

// A Step is something that [Handler.Run] has done.
type Step uint8

// The steps.
const (
	StepFetched    Step = iota // a transcript was fetched and stored
	StepGivenUp                // a transcript, or OnCompleted for it, was given up
	StepFound                  // a completion was found whose delivery had not come
	StepReconciled             // a walk through one study's interviews came to its end
)

var steps = [...]string{StepFetched: "fetched", StepGivenUp: "given_up", StepFound: "found", StepReconciled: "reconciled"}

// String returns the step in snake case, such as "given_up".
func (s Step) String() string {
	if int(s) < len(steps) {
		return steps[s]
	}
	return "unknown"
}

// MarshalText implements [encoding.TextMarshaler]. It returns what String does.
func (s Step) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Progress is passed to [Options.OnProgress].
type Progress struct {
	Step        Step   `json:"step"`
	StudyID     string `json:"study_id"`
	InterviewID string `json:"interview_id,omitempty"` // "" for StepReconciled
	Reason      string `json:"reason,omitempty"`       // of StepGivenUp
	Attempts    int    `json:"attempts,omitempty"`     // of StepGivenUp
	Recorded    int    `json:"recorded,omitempty"`     // of StepReconciled: completions that were not known before
}

func (h *Handler) progress(ctx context.Context, p Progress) {
	if h.opts.OnProgress != nil {
		_ = h.call("OnProgress", p.InterviewID, func() error { h.opts.OnProgress(ctx, p); return nil })
	}
}
