package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// Handler receives deliveries. It is safe for concurrent use.
type Handler struct {
	opts        Options
	store       store.Store
	checkpoints store.Checkpoints // the store's, or memory of this process
	keys        keyring
	studies     *studies
	log         *slog.Logger
	flight      inFlight
	closed      atomic.Bool
	work        chan struct{} // a job may have been queued
	trouble     chan struct{} // a delivery may have been lost
	inspector   atomic.Pointer[inspector]

	noSecrets  condition // Options.Secrets fails
	eaten      condition // something reads bodies before this handler does
	refused    condition // the provider refuses the API key
	reconciled atomic.Int64
}

const retryAfter = "30" // seconds

// NewHandler returns a handler that accepts deliveries signed with the secret
// and records them in s. The secret must have at least 16 bytes and no white
// space; an empty or weak one is refused, for anybody could sign with it. The
// error names every fault of the configuration at once. A nil opts means
// defaults. It does not connect.
func New(secret string, s store.Store, opts *Options) (*Handler, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	h := &Handler{store: s, work: make(chan struct{}, 1), trouble: make(chan struct{}, 1)}
	var errs []error
	if s == nil {
		errs = append(errs, errors.New("webhook: the store is nil"))
	}
	if h.keys.source = o.Secrets; h.keys.source == nil {
		errs = append(errs, h.keys.set(append([]string{secret}, o.PreviousSecrets...)))
	}
	if err := errors.Join(append(errs, o.faults())...); err != nil {
		return nil, err
	}
	o.setDefaults()
	o.PreviousSecrets = nil // a Handler that is printed has nothing to give away
	o.Studies = append([]string(nil), o.Studies...)
	h.studies = newStudies(o.Studies)
	h.opts, h.log = o, o.Logger
	var ok bool
	if h.checkpoints, ok = store.As[store.Checkpoints](s); !ok {
		h.checkpoints = memstore.New()
	}
	return h, nil
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
	d := Delivery{ReceivedAt: time.Now(), Result: ResultPanic}
	b := newBody()
	defer func() { h.delivered(r.Context(), d) }()
	defer func() { // even if the writer panics: a place that is kept is lost for good
		h.flight.leave(b)
		b.release()
	}()
	defer func() {
		if p := recover(); p != nil {
			h.panicked(r.Context(), "while a delivery was received", p)
		}
		d.Size = len(b.bytes)
		answer(w, d.Result)
		d.Duration = time.Since(d.ReceivedAt)
		h.inspect(r, b.bytes, d)
	}()
	d.Result = h.receive(w, r, b)
}

// receive is all that happens to a delivery, in its order: nothing is read
// before the header makes sense, nothing is believed before the signature is
// verified, and nothing is acknowledged before it is durable.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, b *body) Result {
	// The deadline is also for a body that is refused unread: net/http reads on
	// before it sends the answer. A writer that cannot set one leaves the
	// server's own.
	stoppable := r.ContentLength != 0 && setReadDeadline(w, time.Now().Add(h.opts.ReadTimeout)) == nil
	switch {
	case r.Method != http.MethodPost:
		return ResultMethod
	case h.closed.Load():
		return ResultShuttingDown
	case encoded(r.Header):
		return ResultContentEncoding
	}
	var sigs signatures
	switch err := sigs.parse(r.Header); err {
	case ErrMissingSignature:
		return ResultMissingSignature
	case ErrMalformedSignature:
		return ResultMalformedSignature
	}
	if r.ContentLength > h.opts.MaxBody {
		return ResultTooLarge
	}
	switch reason := h.read(w, r, b, stoppable); reason {
	case ResultAccepted:
	case ResultBodyConsumed:
		return h.consumed(r, b)
	default:
		return reason
	}
	ok, err := h.keys.verified(r.Context(), &sigs, b.bytes)
	if h.noSecrets.turns(err != nil) {
		h.log.WarnContext(r.Context(), "askonce: the source of the signing secrets changed its state; while it fails, deliveries are answered 503", "err", err)
	}
	switch {
	case err != nil:
		h.alarm()
		return ResultSecretsUnavailable
	case !ok && r.ContentLength >= 0 && r.ContentLength != int64(len(b.bytes)):
		return h.consumed(r, b) // net/http itself never gives less or more than what was declared
	case !ok:
		return ResultBadSignature
	}
	h.eaten.turns(false)
	return h.use(r.Context(), b.bytes)
}

// consumed is for a body that is not the one that was sent.
func (h *Handler) consumed(r *http.Request, b *body) Result {
	if h.eaten.turns(true) {
		h.log.WarnContext(r.Context(), "askonce: the body is not the one that was sent: does a middleware read it before the webhook handler?", "declared", r.ContentLength, "read", len(b.bytes))
	}
	return ResultBodyConsumed
}

// use does what an authentic body asks for.
func (h *Handler) use(ctx context.Context, body []byte) Result {
	e, reason := decode(body)
	var c store.Completion
	if reason == ResultAccepted {
		c, reason = h.accept(ctx, e)
	}
	switch reason {
	case ResultDuplicate:
		h.checkBinding(ctx, c)
	case ResultMalformedJSON, ResultSchema:
		return h.bury(ctx, body, reason)
	}
	return reason
}

// encoded reports whether the body is in any other coding than its own.
func encoded(header http.Header) bool {
	for _, v := range header["Content-Encoding"] {
		for coding := range strings.SplitSeq(v, ",") {
			if coding = strings.Trim(coding, " \t"); coding != "" && !strings.EqualFold(coding, "identity") {
				return true
			}
		}
	}
	return false
}

// delivered tells who measures, and who debugs. A failure there is none of the
// sender's.
func (h *Handler) delivered(ctx context.Context, d Delivery) {
	if h.log.Enabled(ctx, slog.LevelDebug) {
		h.log.DebugContext(ctx, "askonce: a delivery was answered", "status", d.Result.Status(), "reason", d.Result.String(), "size", d.Size, "duration", d.Duration)
	}
	if h.opts.OnDelivery == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			h.panicked(ctx, "in OnDelivery", p)
		}
	}()
	h.opts.OnDelivery(ctx, d)
}

// panicked logs a panic of the app's code. Its value may hold whatever the app
// was given, a reference or a transcript: only the runtime's own are logged.
func (h *Handler) panicked(ctx context.Context, where string, p any) {
	what := fmt.Sprintf("%T", p)
	if e, ok := p.(runtime.Error); ok {
		what = e.Error()
	}
	h.log.ErrorContext(ctx, "askonce: panic "+where, "panic", what, "stack", string(debug.Stack()))
}

// alarm makes Run look for what may have been lost.
func (h *Handler) alarm() { signal(h.trouble) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// answer sends the status and no body: the provider needs none, and others are
// told nothing. It always calls WriteHeader and never sets a Content-Length:
// some compressors get the latter wrong.
func answer(w http.ResponseWriter, r Result) {
	h := w.Header()
	status := r.Status()
	switch status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfter)
	}
	switch r {
	case ResultSlowBody, ResultTooLarge, ResultBusy:
		h.Set("Connection", "close") // the rest of the body is not wanted
	}
	w.WriteHeader(status)
}
