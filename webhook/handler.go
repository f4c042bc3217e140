package webhook

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// A Handler receives deliveries. It is safe for concurrent use.
type Handler struct {
	opts         Options
	store        store.Store
	checkpoints  store.Checkpoints // of the store, or in memory
	secrets      func(context.Context) ([]string, error)
	studies      *studies
	log          *slog.Logger
	flight       inFlight
	legible      legible
	recent       recorder
	unrecordable noted // interviews that cannot be recorded
	logged       noted // what is logged once
	closed       atomic.Bool
	ran          atomic.Bool   // Run has been called
	queued       chan struct{} // signalled when a job may have been queued
	trouble      chan struct{} // signalled when a delivery may have been lost
	reconciled   atomic.Int64  // Health.LastReconcile as Unix time in ns
	confirming   sync.Mutex    // held while a refusal of the key is confirmed
	confirmed    time.Time     // guarded by confirming

	verified      edge // a signature was right
	mismatched    edge // a signature was wrong, and none was right before
	noSecrets     edge // Options.Secrets fails
	consumed      edge // something reads bodies before the Handler
	keyRefused    edge // by the provider
	hookMissing   edge // the provider has no webhook
	hookElsewhere edge // the provider delivers to another URL
}

const retryAfter = "30" // seconds

// New returns a Handler that accepts deliveries signed with the secret and
// records them in s. The secret must have at least 16 bytes; it must be empty if
// [Options.Secrets] is set. A nil opts means defaults. New does not connect to
// anything. It reports all faults of the configuration in one error, and panics if
// s is nil.
func New(secret string, s store.Store, opts *Options) (*Handler, error) {
	if s == nil {
		panic("webhook: New: s is nil")
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	secrets, err := newSecretSource(secret, &o)
	var keepsAll error
	if _, ok := store.As[store.Retention](s); !ok && o.Retention > 0 {
		keepsAll = errors.New("webhook: Options.Retention needs a store that implements store.Retention")
	}
	if err := errors.Join(err, o.faults(), keepsAll); err != nil {
		return nil, err
	}
	o.setDefaults()
	o.PreviousSecrets = nil // fmt prints the fields of a Handler
	checkpoints, ok := store.As[store.Checkpoints](s)
	if !ok {
		checkpoints = memstore.New()
	}
	return &Handler{
		opts: o, store: s, checkpoints: checkpoints, secrets: secrets, studies: newStudies(o.Studies), log: o.Logger,
		queued: make(chan struct{}, 1), trouble: make(chan struct{}, 1),
	}, nil
}

// Close makes the Handler answer every later delivery with 503, so that another
// process can receive it. It does not end [Handler.Run]; cancel its context
// instead. The error is always nil.
func (h *Handler) Close() error {
	h.closed.Store(true)
	return nil
}

// ServeHTTP receives one delivery. It answers 200 if the completion is in the
// store, or if there is nothing to record; [Result] lists the other cases. The
// response has no body, and every refused signature gets the same one.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d := Delivery{ReceivedAt: time.Now()}
	if h.opts.Inspect {
		d.Inspection = inspect(r.Header)
	}
	read := false
	signatures, result := h.precheck(r)
	if result == ResultAccepted {
		var body []byte
		body, result = h.read(w, r)
		d.Size = len(body)
		if d.Inspection != nil {
			d.Inspection.Body = redact(body)
		}
		if read = result == ResultAccepted; read {
			defer h.flight.leave()
			result = h.process(r, signatures, body, &d)
		}
	}
	d.Result = result
	h.answer(w, r, result, read)
	d.Duration = time.Since(d.ReceivedAt)
	h.delivered(r, d)
}

// precheck returns the signatures, or refuses the request without reading the
// body.
func (h *Handler) precheck(r *http.Request) ([][]byte, Result) {
	switch {
	case r.Method != http.MethodPost:
		return nil, ResultMethod
	case h.closed.Load():
		return nil, ResultShuttingDown
	case encoded(r.Header):
		return nil, ResultContentEncoding
	}
	signatures, err := parseSignatures(r.Header)
	switch {
	case err == ErrMissingSignature:
		return nil, ResultMissingSignature
	case err != nil:
		return nil, ResultMalformedSignature
	case r.ContentLength > maxBody:
		return nil, ResultTooLarge
	}
	return signatures, ResultAccepted
}

// encoded reports whether the body is compressed.
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

// process records a delivery whose signature is right.
func (h *Handler) process(r *http.Request, signatures [][]byte, body []byte, d *Delivery) Result {
	if result := h.verify(r, signatures, body); result != ResultAccepted {
		return result
	}
	ctx := r.Context()
	e, result := decode(body)
	d.InterviewID, d.StudyID = e.interviewID, e.studyID
	var c store.Completion
	var err error
	if result == ResultAccepted {
		c, result, err = h.record(ctx, e)
	}
	switch result {
	case ResultOtherStudy:
		if h.logged.add("study " + e.studyID) {
			h.log.WarnContext(ctx, "askonce: ignoring deliveries of a study that is not in Options.Studies", "study", e.studyID)
		}
	case ResultDuplicate:
		h.checkUser(ctx, c)
	case ResultPanic:
		h.skip(ctx, e, result, err)
	case ResultStore:
		h.log.ErrorContext(ctx, "askonce: completion not recorded, the store failed", "interview", e.interviewID, "err", err)
		signal(h.trouble)
	case ResultMalformedJSON, ResultSchema:
		h.log.ErrorContext(ctx, "askonce: signed delivery cannot be used", "result", result)
		if _, err := h.keepLetter(ctx, body, result); err != nil {
			h.log.ErrorContext(ctx, "askonce: dead letter not kept", "err", err)
			return ResultStore
		}
	}
	return result
}

// verify returns ResultAccepted if one of the signatures is right for the body.
func (h *Handler) verify(r *http.Request, signatures [][]byte, body []byte) Result {
	ctx := r.Context()
	secrets, err := h.secrets(ctx)
	if err != nil {
		if h.noSecrets.changed(true) {
			h.log.WarnContext(ctx, "askonce: signing secrets unavailable, deliveries are refused", "err", err)
		}
		signal(h.trouble)
		var panicked *guard.PanicError
		if errors.As(err, &panicked) {
			return ResultPanic
		}
		return ResultSecretsUnavailable
	}
	if h.noSecrets.changed(false) {
		h.log.InfoContext(ctx, "askonce: signing secrets available again")
	}
	switch {
	case anyMatches(signatures, secrets, body):
	case r.ContentLength >= 0 && r.ContentLength != int64(len(body)): // net/http delivers exactly that many bytes
		return ResultBodyConsumed
	default:
		if !h.verified.Load() && h.mismatched.changed(true) {
			h.log.WarnContext(ctx, "askonce: no delivery has verified yet; check the signing secret")
		}
		return ResultBadSignature
	}
	if h.consumed.changed(false) {
		h.log.InfoContext(ctx, "askonce: bodies arrive as they were sent again")
	}
	if h.verified.changed(true) {
		h.log.InfoContext(ctx, "askonce: first delivery verified")
	}
	return ResultAccepted
}

// delivered keeps the delivery, logs it and calls OnDelivery.
func (h *Handler) delivered(r *http.Request, d Delivery) {
	ctx := r.Context()
	h.recent.add(d)
	if d.Result == ResultBodyConsumed && h.consumed.changed(true) {
		h.log.WarnContext(ctx, "askonce: the body is not the one that was sent; mount the webhook outside middleware that reads bodies", "declared", r.ContentLength, "read", d.Size)
	}
	if h.log.Enabled(ctx, slog.LevelDebug) {
		h.log.DebugContext(ctx, "askonce: delivery answered", "status", d.Result.Status(), "result", d.Result, "interview", d.InterviewID, "study", d.StudyID, "size", d.Size, "duration", d.Duration)
	}
	if h.opts.OnDelivery != nil {
		_ = h.call("OnDelivery", d.InterviewID, func() error { h.opts.OnDelivery(ctx, d); return nil })
	}
}

// signal wakes the receiver of c, or the next one if none is waiting. It does not
// block.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// drainFor is how long net/http may wait, after the response, for the rest of a body
// that was not read. If the connection is closed before the rest arrives, the sender
// may not see the response.
const drainFor = time.Second

// answer sends the status and no body. It sets no Content-Length, because some
// compressing middlewares get that wrong.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, result Result, read bool) {
	header := w.Header()
	status := result.Status()
	switch status {
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", retryAfter)
	}
	// Without this, net/http waits for the rest of the body before it sends the
	// response. HTTP/2 ends only the stream and forbids the field (RFC 9113,
	// section 8.2.2): Go's server would close the connection for every stream on it.
	if !read && r.ContentLength != 0 && r.ProtoMajor == 1 {
		header.Set("Connection", "close")
		if !hasReadTimeout(r) { // which may end earlier
			h.limitReads(w, r, time.Now().Add(drainFor))
		}
	}
	w.WriteHeader(status)
}
