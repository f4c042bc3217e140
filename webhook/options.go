package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// Interviews is where transcripts and missed completions come from;
// *userjourneys.Client is one. A source that also lists studies (Studies) makes
// Options.Studies optional, one that also knows the webhook (Webhook) makes
// Options.URL checkable.
type Client interface {
	Interview(ctx context.Context, id string) (userjourneys.Interview, error)
	Interviews(ctx context.Context, f userjourneys.InterviewFilter) iter.Seq2[userjourneys.Interview, error]
}

// References reads a reference back into a user id; gate.References does. An
// error that matches ErrUnknownUser or ErrExpiredReference is told apart from
// the others, which mean that the reference was not made here.
type References interface {
	UserID(studyID, reference string) (string, error)
}

// Errors that a References may answer.
var (
	ErrUnknownUser      = errors.New("webhook: unknown user")
	ErrExpiredReference = errors.New("webhook: expired reference")
)

// Options configure a Handler. The zero value of each field means its default.
type Options struct {
	// PreviousSecrets are accepted too, for the grace period of a rotation. At
	// most 4 secrets are accepted in all. Defaults to none.
	PreviousSecrets SecretList

	// Secrets is asked for the accepted secrets at every delivery that looks
	// signed, forged ones too, so that a rotation needs no restart; it should
	// answer from memory and read anew now and then. Asking costs less than a
	// microsecond beside what the func itself does. It must be safe for
	// concurrent use and return when ctx ends, which is after 5 s and not when
	// the sender hangs up. The secret given to NewHandler may then be empty, and
	// PreviousSecrets are not used. When it fails, or answers a secret that
	// NewHandler would refuse, deliveries are answered 503. Defaults to the
	// fixed secrets.
	Secrets func(ctx context.Context) ([]string, error)

	// Grace is how long Handler.Rotate keeps the fixed secrets that it replaces
	// accepted. Defaults to 24 hours.
	Grace time.Duration

	// Studies are the studies whose completions are recorded and reconciled,
	// each by its id or its exact name, as in gate.New. Interviews of other
	// studies of the project, for instance those of a staging environment, are
	// neither recorded nor fetched; their deliveries get [ResultOtherStudy].
	// Names need a Client that lists studies, as *userjourneys.Client does. The
	// provider lists active studies only, so a study that is named, and not
	// given by id, is reconciled for 72 hours after it was last listed.
	// Defaults to all studies of the project.
	Studies []string

	// MaxBody is the largest body that is read, in bytes. Defaults to 64 KiB.
	MaxBody int64

	// ReadTimeout is how long a body may take to arrive. Defaults to 10 s.
	ReadTimeout time.Duration

	// StoreTimeout is how long the store may take to record. It runs on when
	// the sender hangs up. Defaults to 5 s.
	StoreTimeout time.Duration

	// Interviews fetches transcripts and missed completions, in Run.
	// Defaults to none: then neither is done.
	Client Client

	// References reads references back into user ids; it must be the one that
	// the gate writes them with. Defaults to references that are user ids.
	References References

	// Policy decides what a completion means before it is recorded. It must
	// depend on nothing but c: it is asked again for every delivery of the same
	// interview. A quality that the provider scores only after the first
	// delivery changes nothing any more. Defaults to Complete for all, whatever
	// their quality: the user has given the time.
	Policy func(c store.Completion) Verdict

	// OnDelivery is told of every request, for metrics. It must be quick and
	// safe for concurrent use. Defaults to nothing.
	OnDelivery func(ctx context.Context, d Delivery)

	// OnRecorded is told of every completion that was recorded for the first
	// time, in the request or in Run. It must be quick; nothing waits for it to
	// succeed. Wire it to Gate.Recorded. Defaults to nothing.
	OnRecorded func(ctx context.Context, c store.Completion)

	// OnCompleted is called by Run with every transcript before it is stored, at
	// least once: when it fails, or the process ends before its success is
	// noted, it is called again later, with the same back-off as a fetch. It has
	// a minute; calls for different interviews overlap. Defaults to nothing.
	OnCompleted func(ctx context.Context, c store.Completion, t store.Transcript) error

	// URL is where this handler is registered with the provider. Run warns when
	// the provider has another one; it never changes it. Defaults to no check.
	URL string

	// ReconcileEvery is the time between two walks through the provider's list.
	// Defaults to 10 minutes. Negative turns reconciliation off.
	ReconcileEvery time.Duration

	// Logger is told what went wrong, never a body, a secret, a signature or
	// whose it was. Defaults to slog.Default().
	Logger *slog.Logger
}

// Delivery is what OnDelivery is told of a request.
type Delivery struct {
	ReceivedAt time.Time
	Duration   time.Duration
	Result     Result
	Size       int // bytes of the body that were read
}

// faults are all those of the options.
func (o *Options) faults() error {
	var errs []error
	for _, f := range []struct {
		name string
		n    int64
	}{
		{"MaxBody", o.MaxBody}, {"ReadTimeout", int64(o.ReadTimeout)}, {"StoreTimeout", int64(o.StoreTimeout)}, {"Grace", int64(o.Grace)},
	} {
		if f.n < 0 {
			errs = append(errs, fmt.Errorf("webhook: %s is negative", f.name))
		}
	}
	_, lists := o.Client.(studyLister)
	for _, s := range o.Studies {
		switch {
		case store.CheckID(s) != nil:
			errs = append(errs, fmt.Errorf("webhook: %q in Studies is neither a study's id nor a name", s))
		case !lists && !usableID(s):
			errs = append(errs, fmt.Errorf("webhook: %q in Studies is not a study's id, and names need a Client that lists studies", s))
		}
	}
	if o.Client != nil && !lists && len(o.Studies) == 0 && o.ReconcileEvery >= 0 {
		errs = append(errs, errors.New("webhook: reconciliation needs Studies, for Interviews cannot list them"))
	}
	return errors.Join(errs...)
}

// setDefaults fills in what is zero.
func (o *Options) setDefaults() {
	o.Grace = cmp.Or(o.Grace, 24*time.Hour)
	o.MaxBody = cmp.Or(o.MaxBody, 64<<10)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, 10*time.Second)
	o.StoreTimeout = cmp.Or(o.StoreTimeout, 5*time.Second)
	o.ReconcileEvery = cmp.Or(o.ReconcileEvery, 10*time.Minute)
	o.Logger = cmp.Or(o.Logger, slog.Default())
}
