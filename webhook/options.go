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

// A StudyLister is a [Client] that lists the project's active studies.
// [Options.Studies] may hold names, or be empty, only with such a Client.
type StudyLister interface {
	Studies(ctx context.Context) iter.Seq2[userjourneys.Study, error]
}

// A WebhookReader is a [Client] that reads the project's webhook. With such a
// Client, [Handler.Run] checks where the provider delivers. Webhook returns an error
// that matches [userjourneys.ErrNotFound] if no webhook is registered.
type WebhookReader interface {
	Webhook(ctx context.Context) (userjourneys.Webhook, error)
}

// References turns a reference back into a user id, as gate.References does. An
// error that matches [ErrUnknownUser] gives [ResultUnknownUser], and one that
// matches [ErrExpiredReference] gives [ResultExpiredReference]. Any other error
// gives [ResultBadReference].
type References interface {
	UserID(studyID, reference string) (string, error)
}

// Errors for [References] to return.
var (
	ErrUnknownUser      = errors.New("webhook: unknown user")
	ErrExpiredReference = errors.New("webhook: expired reference")
)

// Options configure a [Handler]. A zero field means its default. Every callback
// must be safe for concurrent use. A panic in a callback is logged and affects only
// the interview that it was called for.
type Options struct {
	// PreviousSecrets are accepted too. They are for the time after a rotation, when
	// deliveries signed with the old secret may be in flight. At most 4 secrets are
	// accepted in all. Defaults to none.
	PreviousSecrets SecretList

	// Secrets returns the accepted secrets, so that a rotation needs no restart.
	// It is called for every delivery that has a well-formed signature, forged
	// ones included, so it should answer from memory. Its ctx ends after 5 s, and
	// not when the sender hangs up. If it fails, or returns a secret that [New]
	// would refuse, deliveries are answered with 503. It cannot be combined with a
	// secret given to New or with PreviousSecrets. Defaults to returning those.
	Secrets func(ctx context.Context) ([]string, error)

	// Studies are the studies whose completions are recorded and reconciled,
	// each by its id or its exact name, as in gate.New. Interviews of other
	// studies of the project, for instance those of a staging environment, are
	// neither recorded nor fetched; their deliveries get [ResultOtherStudy].
	// Names need a Client that is a [StudyLister], as [*userjourneys.Client] is. The
	// provider lists only active studies, so a study given by name is reconciled
	// until 72 hours after it was last listed. Defaults to all studies of the project.
	Studies []string

	// ReadTimeout limits how long a body may take to arrive. The server's own
	// timeouts apply too. Defaults to 10 s.
	ReadTimeout time.Duration

	// Client fetches transcripts and missed completions in [Handler.Run].
	// Defaults to none, which turns both off.
	Client Client

	// References turns references back into user ids. It must be the value that the
	// gate makes references with. By default a reference is the user id.
	References References

	// Policy decides what a completion means before it is recorded. It must depend
	// on c alone, because it is called again for every delivery of the same
	// interview, and again if the provider adds the quality score later. Defaults to
	// [Complete] for every quality.
	Policy func(c store.Completion) Verdict

	// OnDelivery is called after every request, for metrics. It must be quick.
	OnDelivery func(ctx context.Context, d Delivery)

	// OnRecorded is called when a completion has been recorded for the first time,
	// by a request or by [Handler.Run]. It must be quick. Connect it to
	// Gate.Recorded.
	OnRecorded func(ctx context.Context, c store.Completion)

	// OnCompleted is called by [Handler.Run] for every transcript, at least once.
	// If it fails, or the process ends before its success is stored, it is called
	// again with backoff, for 24 hours. Its ctx ends after a minute. Calls for one
	// interview do not overlap; calls for different interviews may.
	OnCompleted func(ctx context.Context, c store.Completion, t store.Transcript) error

	// OnProgress is called after each [Step] of [Handler.Run], for metrics. It must
	// be quick.
	OnProgress func(ctx context.Context, p Progress)

	// URL is the URL that the provider should deliver to. [Handler.Run] warns if the
	// provider has another one, but never changes it. It needs a Client that is a
	// [WebhookReader]. Defaults to no check.
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

	// Inspect attaches an [Inspection] to each of the last 100 deliveries, for
	// debugging. Defaults to false.
	Inspect bool

	// Logger receives failures and recoveries, and each delivery at Debug. No line
	// holds a body, a secret, a signature or a user. Defaults to [slog.Default].
	Logger *slog.Logger
}

// faults returns all faults of the options.
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
	if _, reads := o.Client.(WebhookReader); o.Client != nil && o.URL != "" && !reads {
		errs = append(errs, errors.New("webhook: URL does nothing, because Client is not a WebhookReader"))
	}
	return errors.Join(errs...)
}

// setDefaults fills in the zero fields, and copies the slice that the app could
// change.
func (o *Options) setDefaults() {
	o.ReadTimeout = cmp.Or(o.ReadTimeout, 10*time.Second)
	o.ReconcileEvery = cmp.Or(o.ReconcileEvery, 10*time.Minute)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	o.Studies = slices.Clone(o.Studies)
}

// A Verdict is the decision of [Options.Policy] about a completion: [Complete],
// [Snooze] or [Ignore]. The zero value is Complete.
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
// asked again at once. The interview is still recorded and its transcript fetched.
func Ignore() Verdict { return Verdict{ignore: true} }

// apply writes the verdict into c.
func (v Verdict) apply(c *store.Completion) {
	c.Ignored, c.Until = v.ignore, time.Time{}
	if v.snooze > 0 {
		c.Until = store.Instant(c.CompletedAt.Add(v.snooze))
	}
}

// A Step is a kind of work that [Handler.Run] reports to [Options.OnProgress].
type Step uint8

// The steps.
const (
	StepFetched    Step = iota // a transcript was fetched and stored
	StepGivenUp                // a transcript, or OnCompleted for it, was given up
	StepFound                  // a completion was found whose delivery had not arrived
	StepReconciled             // a walk through one study's interviews was finished
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
