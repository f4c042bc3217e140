package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// Interviews is where transcripts and missed completions come from;
// *userjourneys.Client is one. A source that also lists studies (Studies) makes
// Options.Studies optional, one that also knows the webhook (Webhook) makes
// Options.URL checkable.
type Interviews interface {
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
	PreviousSecrets []string

	// Secrets is asked for the accepted secrets at every delivery, so that a
	// rotation needs no restart; it should answer from memory. The secret given
	// to NewHandler may then be empty, and PreviousSecrets are not used. When it
	// fails, deliveries are answered 503. Defaults to the fixed secrets.
	Secrets func(ctx context.Context) ([]string, error)

	// Studies are the ids of the studies whose completions are recorded and
	// reconciled. Defaults to all that are delivered, and for reconciliation to
	// all active ones that Interviews lists.
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
	Interviews Interviews

	// References reads references back into user ids; it must be the one that
	// the gate writes them with. Defaults to references that are user ids.
	References References

	// Policy may change what a completion means before it is recorded: set
	// Until, and the user is asked again from then on; clear UserID, and it is
	// recorded as nobody's. It must depend on nothing but c. Other fields are
	// left as they were. Defaults to every completion counting for ever,
	// whatever its quality: the user has given the time.
	Policy func(c store.Completion) store.Completion

	// OnDelivery is told of every request, for metrics. It must be quick and
	// safe for concurrent use. Defaults to nothing.
	OnDelivery func(ctx context.Context, d Delivery)

	// OnRecorded is told of every completion that was recorded for the first
	// time, in the request or in Run. It must be quick; nothing waits for it to
	// succeed. Wire it to Gate.Recorded. Defaults to nothing.
	OnRecorded func(ctx context.Context, c store.Completion)

	// OnCompleted is called by Run with every transcript before it is stored, at
	// least once: when it fails, or the process ends before its success is
	// noted, it is called again later. Defaults to nothing.
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
	Reason     Reason
	Size       int // bytes of the body that were read
}

// Handler receives deliveries. It is safe for concurrent use.
type Handler struct {
	opts      Options
	store     store.Store
	keys      keyring
	studies   map[string]bool
	log       *slog.Logger
	large     chan struct{} // slots for bodies that do not fit a pooled buffer
	closed    atomic.Bool
	work      chan struct{} // a job may have been queued
	trouble   chan struct{} // a delivery may have been lost
	inspector atomic.Pointer[inspector]
}

const (
	smallBody      = 4 << 10
	maxLargeBodies = 256
	retryAfter     = "30" // seconds
)

// NewHandler returns a handler that accepts deliveries signed with the secret
// and records them in s. The error names every fault of the configuration at
// once. A nil opts means defaults. It does not connect.
func NewHandler(secret string, s store.Store, opts *Options) (*Handler, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	var errs []error
	if s == nil {
		errs = append(errs, errors.New("webhook: the store is nil"))
	}
	keys := keyring{source: o.Secrets}
	if keys.source == nil {
		keys.fixed = distinct(append([]string{secret}, o.PreviousSecrets...))
		errs = append(errs, checkSecrets(keys.fixed))
	}
	for name, n := range map[string]int64{"MaxBody": o.MaxBody, "ReadTimeout": int64(o.ReadTimeout), "StoreTimeout": int64(o.StoreTimeout)} {
		if n < 0 {
			errs = append(errs, fmt.Errorf("webhook: %s is negative", name))
		}
	}
	studies := map[string]bool{}
	for _, id := range o.Studies {
		if !usableID(id) {
			errs = append(errs, fmt.Errorf("webhook: %q in Studies is not a study's id", id))
		}
		studies[canonical(id)] = true
	}
	if _, lists := o.Interviews.(studyLister); o.Interviews != nil && !lists && len(o.Studies) == 0 && o.ReconcileEvery >= 0 {
		errs = append(errs, errors.New("webhook: reconciliation needs Studies, for Interviews cannot list them"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	o.MaxBody = cmp.Or(o.MaxBody, 64<<10)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, 10*time.Second)
	o.StoreTimeout = cmp.Or(o.StoreTimeout, 5*time.Second)
	o.ReconcileEvery = cmp.Or(o.ReconcileEvery, 10*time.Minute)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	return &Handler{
		opts: o, store: s, keys: keys, studies: studies, log: o.Logger,
		large: make(chan struct{}, maxLargeBodies), work: make(chan struct{}, 1), trouble: make(chan struct{}, 1),
	}, nil
}

// Close makes every later delivery 503, so that the provider tries again when
// another process is there. It does not end Run, whose context does.
func (h *Handler) Close() error {
	h.closed.Store(true)
	return nil
}

// ServeHTTP receives one delivery. It answers 200 when the completion is in the
// store, or when there is nothing to record; see Reason for all others. All
// refused signatures are answered alike.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d := Delivery{ReceivedAt: time.Now(), Reason: Panic}
	b := newBody()
	defer func() {
		if p := recover(); p != nil {
			h.log.ErrorContext(r.Context(), "askonce: panic while a delivery was received", "panic", fmt.Sprint(p))
		}
		answer(w, d.Reason)
		d.Size, d.Duration = len(b.bytes), time.Since(d.ReceivedAt)
		h.inspect(r, b.bytes, d)
		b.release()
		if h.opts.OnDelivery != nil {
			h.opts.OnDelivery(r.Context(), d)
		}
	}()
	d.Reason = h.receive(w, r, b)
}

// receive is all that happens to a delivery, in its order: nothing is read
// before the header makes sense, nothing is believed before the signature is
// verified, and nothing is acknowledged before it is durable.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, b *body) Reason {
	if r.Method != http.MethodPost {
		return Method
	}
	if h.closed.Load() {
		return ShuttingDown
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return ContentEncoding
	}
	var sigs signatures
	switch err := sigs.parse(r.Header); err {
	case ErrMissingSignature:
		return MissingSignature
	case ErrMalformedSignature:
		return MalformedSignature
	}
	if r.ContentLength > h.opts.MaxBody {
		return TooLarge
	}
	if reason, ok := h.read(w, r, b); !ok {
		return reason
	}
	secrets, err := h.keys.current(r.Context())
	if err != nil {
		h.log.ErrorContext(r.Context(), "askonce: the signing secrets cannot be had", "err", err)
		h.alarm()
		return SecretsUnavailable
	}
	if !verified(secrets, &sigs, b.bytes) {
		if len(b.bytes) == 0 {
			h.log.WarnContext(r.Context(), "askonce: a signed delivery with an empty body: does a middleware read it before the webhook handler?")
		}
		return BadSignature
	}
	e, reason := decode(b.bytes)
	switch reason {
	case Accepted:
		return h.accept(r.Context(), e)
	case MalformedJSON, Schema:
		return h.bury(r.Context(), b.bytes, reason)
	}
	return reason
}

func verified(secrets []string, sigs *signatures, body []byte) bool {
	ok := false
	for _, s := range secrets {
		ok = macOf(s).matches(sigs, body) || ok
	}
	return ok
}

// body is a request's body in a buffer that is used again. It grows as bytes
// come, never as a header announces them.
type body struct {
	small [smallBody]byte
	bytes []byte
}

var bodies = sync.Pool{New: func() any { return new(body) }}

func newBody() *body {
	b := bodies.Get().(*body)
	b.bytes = b.small[:0]
	return b
}

func (b *body) release() {
	b.bytes = nil
	bodies.Put(b)
}

// read reads the body within its limits. Only a body that outgrows the small
// buffer needs one of the slots, so that slow senders of large bodies cannot
// keep the usual ones out.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, b *body) (Reason, bool) {
	// A writer that cannot set deadlines leaves the server's own.
	rc := http.NewResponseController(w)
	if rc.SetReadDeadline(time.Now().Add(h.opts.ReadTimeout)) == nil {
		defer func() { _ = rc.SetReadDeadline(time.Time{}) }()
	}
	holds := false
	defer func() {
		if holds {
			<-h.large
		}
	}()
	for {
		if len(b.bytes) == cap(b.bytes) {
			if !holds {
				select {
				case h.large <- struct{}{}:
					holds = true
				default:
					return Busy, false
				}
			}
			b.bytes = append(b.bytes, 0)[:len(b.bytes)]
		}
		n, err := r.Body.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case int64(len(b.bytes)) > h.opts.MaxBody:
			return TooLarge, false
		case err == io.EOF:
			return 0, true
		case errors.Is(err, os.ErrDeadlineExceeded):
			return SlowBody, false
		case err != nil:
			return AbortedBody, false
		}
	}
}

// accept records a completion, from a delivery or from the provider's list.
func (h *Handler) accept(ctx context.Context, e event) Reason {
	if len(h.studies) > 0 && !h.studies[canonical(e.studyID)] {
		return OtherStudy
	}
	if e.status != "" && e.status != userjourneys.StatusCompleted {
		return NotCompleted
	}
	c, reason := h.completion(e)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.opts.StoreTimeout)
	defer cancel()
	first, err := h.store.Record(ctx, c)
	switch {
	case err != nil:
		h.log.ErrorContext(ctx, "askonce: a completion could not be recorded", "interview", c.InterviewID, "err", err)
		h.alarm()
		return Store
	case !first:
		return Duplicate
	}
	h.recorded(ctx, c)
	return reason
}

// completion is what is recorded of an event, and why it is nobody's if it is.
func (h *Handler) completion(e event) (store.Completion, Reason) {
	user, reason := h.user(e)
	c := store.Completion{
		Key:         store.Key{StudyID: e.studyID, UserID: user},
		InterviewID: e.interviewID,
		CompletedAt: e.completedAt,
		Quality:     e.quality,
		Language:    e.language,
		Duration:    e.duration,
	}
	if c.CompletedAt.IsZero() {
		c.CompletedAt = time.Now()
	}
	c.CompletedAt = store.Instant(c.CompletedAt)
	if h.opts.Policy != nil {
		p := h.opts.Policy(c)
		c.Until = p.Until
		if p.UserID == "" {
			c.UserID = ""
		}
	}
	return c, reason
}

func (h *Handler) user(e event) (string, Reason) {
	switch {
	case e.badReference:
		return "", BadReference
	case e.reference == "":
		return "", NoReference
	}
	user, err := e.reference, error(nil)
	if h.opts.References != nil {
		user, err = h.opts.References.UserID(e.studyID, e.reference)
	}
	switch {
	case errors.Is(err, ErrUnknownUser):
		return "", UnknownUser
	case errors.Is(err, ErrExpiredReference):
		return "", ExpiredReference
	case err != nil || store.CheckID(user) != nil:
		return "", BadReference
	}
	return user, Accepted
}

// recorded tells who wants to know. Nothing that they do can undo the record.
func (h *Handler) recorded(ctx context.Context, c store.Completion) {
	defer func() {
		if p := recover(); p != nil {
			h.log.ErrorContext(ctx, "askonce: OnRecorded panicked", "panic", fmt.Sprint(p))
		}
	}()
	signal(h.work)
	if h.opts.OnRecorded != nil {
		h.opts.OnRecorded(ctx, c)
	}
}

// bury keeps what is authentic and cannot be used, before it is refused.
func (h *Handler) bury(ctx context.Context, b []byte, reason Reason) Reason {
	h.log.ErrorContext(ctx, "askonce: an authentic delivery makes no sense", "reason", reason)
	letters, ok := store.As[store.DeadLetters](h.store)
	if !ok || len(b) == 0 {
		return reason
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.opts.StoreTimeout)
	defer cancel()
	err := letters.AddDeadLetter(ctx, store.DeadLetter{ReceivedAt: time.Now(), Reason: reason.String(), Body: b})
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		h.log.ErrorContext(ctx, "askonce: a dead letter could not be kept", "err", err)
		return Store
	}
	return reason
}

// alarm makes Run look for what may have been lost.
func (h *Handler) alarm() { signal(h.trouble) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// answer sends the status and its own text, never an error's. It always calls
// WriteHeader and never sets a Content-Length: some compressors get the latter
// wrong.
func answer(w http.ResponseWriter, r Reason) {
	h := w.Header()
	status := r.Status()
	switch status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfter)
	case http.StatusRequestTimeout, http.StatusRequestEntityTooLarge:
		h.Set("Connection", "close") // the rest of the body is not wanted
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, http.StatusText(status)+"\n") // the sender is gone
}
