package middleware

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
)

// writer is the http.ResponseWriter of a user who is asked. It goes through
// these states and never back:
//
//	undecided  nothing has been written
//	pending    the status is set and the header is closed, but what it says is
//	           not enough: a few bytes are needed to decide
//	holding    the prompt may be placed: everything passes but the tail
//	passing    the response is none of ours
//
// finish ends in passing too, so that what others do with a writer that they
// have kept (error pages, late goroutines) reaches the writer below. The writer
// is never pooled for that reason; its buffer is.
type writer struct {
	below       http.ResponseWriter
	resp        *Response
	encoding    string // Content-Encoding before the handler ran
	revalidates bool   // the handler was given our own validators

	state    state
	outcome  Outcome
	status   int         // of the pending header
	explicit bool        // it was set by WriteHeader
	snapshot http.Header // the header as it was then

	buf      []byte // pending: what was written; holding: what is held back, behind what of it has been sent
	pooled   *buffer
	sent     int
	start    opening
	declared int64 // Content-Length of the handler, -1 for none
	written  int64
	snippet  []byte
}

type state uint8

const (
	undecided state = iota
	pending
	holding
	passing
)

const (
	bufferSize = 4 << 10 // what is collected before it leaves
	tailSize   = 1 << 10 // what is looked at in the end, and so held back
	sniffSize  = 512     // what http.DetectContentType looks at
)

type buffer [bufferSize]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// Header implements http.ResponseWriter.
func (w *writer) Header() http.Header { return w.below.Header() }

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.below }

// WriteHeader implements http.ResponseWriter. Informational statuses pass and
// decide nothing (RFC 9110, section 15.2).
func (w *writer) WriteHeader(status int) {
	switch {
	case w.state == undecided && (status >= 200 || status == http.StatusSwitchingProtocols):
		w.explicit = true
		w.close(status)
		w.decide(nil, false)
	case w.state != pending || status < 200:
		w.below.WriteHeader(status) // net/http complains about a second one
	}
}

// close fixes the status, as net/http does at the first byte.
func (w *writer) close(status int) { w.state, w.status = pending, status }

// decide leaves the pending state and returns true, if the header and the
// first bytes suffice or if there is nothing more to wait for (last).
func (w *writer) decide(head []byte, last bool) bool {
	h := w.Header()
	sniff := w.status == http.StatusOK && !has(h, "Content-Type") // not where it was set to nil: net/http does not either
	wanted := 0
	switch {
	case sniff:
		wanted = sniffSize
	case w.encoding != "" && h.Get("Content-Encoding") == w.encoding:
		wanted = 2
	}
	if !last && len(head) < wanted {
		if w.snapshot == nil {
			w.snapshot = h.Clone()
		}
		return false
	}
	later := w.restore(h)
	if w.outcome = w.refusal(h, head, sniff); w.outcome != NoAnswer || !w.hold(h, head, sniff) {
		w.pass(h)
	}
	maps.Copy(h, later)
	return true
}

func has(h http.Header, name string) bool {
	_, ok := h[name]
	return ok
}

// restore takes back what was done to the header after it was closed, and
// returns it: net/http would not have sent it, but it may be a trailer.
func (w *writer) restore(h http.Header) (later http.Header) {
	if w.snapshot == nil {
		return nil
	}
	for name, values := range h {
		if !slices.Equal(values, w.snapshot[name]) {
			if later == nil {
				later = http.Header{}
			}
			later[name] = values
		}
	}
	clear(h)
	maps.Copy(h, w.snapshot)
	return later
}

// hold begins to hold the tail back: the page gets the prompt unless its end
// says otherwise. It reports whether it does.
func (w *writer) hold(h http.Header, head []byte, sniffed bool) bool {
	d := w.resp.decision
	if d.taken.Load() == byApp {
		w.outcome = Rendered
		return false
	}
	w.snippet = d.snippet.bytes(h)
	var ok bool
	if w.declared, ok = lengthen(h, len(w.snippet)); !ok {
		w.outcome = NotHTML
		return false
	}
	if sniffed {
		h.Set("Content-Type", http.DetectContentType(head))
	}
	w.personalize(h)
	w.state = holding
	w.below.WriteHeader(w.status)
	feed(&w.start, w.buf)
	w.written = int64(len(w.buf))
	return true
}

// pass hands the response over to the writer below, with what has come so far.
func (w *writer) pass(h http.Header) {
	if w.outcome == Rendered || w.status == http.StatusNotModified && w.revalidates {
		w.personalize(h)
	}
	w.state = passing
	if w.explicit {
		w.below.WriteHeader(w.status)
	}
	if len(w.buf) > 0 {
		_, _ = w.below.Write(w.buf) // the next call meets the same error
	}
	w.release()
}

// Write implements io.Writer. It returns the length of p: what is held back
// counts as written.
func (w *writer) Write(p []byte) (int, error) {
	if w.state == undecided {
		w.close(http.StatusOK)
	}
	if w.state == pending {
		head := p
		if len(w.buf) > 0 {
			head = append(w.buf, p[:min(len(p), sniffSize)]...)
		}
		if !w.decide(head, false) {
			w.take()
			w.buf = append(w.buf, p...) // decide wants more than this, so it fits
			return len(p), nil
		}
	}
	if w.state == passing {
		return w.below.Write(p)
	}
	return holdBack(w, p)
}

// WriteString implements io.StringWriter.
func (w *writer) WriteString(s string) (int, error) {
	switch w.state {
	case passing:
		return io.WriteString(w.below, s)
	case holding:
		return holdBack(w, s)
	}
	return w.Write([]byte(s))
}

// holdBack sends all but the last tailSize bytes of what has come, p included,
// or nothing while there is room to collect more.
func holdBack[T string | []byte](w *writer, p T) (int, error) {
	if w.declared >= 0 && w.written+int64(len(p)) > w.declared {
		return 0, http.ErrContentLength // net/http would count the prompt's bytes as the handler's
	}
	feed(&w.start, p)
	w.written += int64(len(p))
	w.take()
	if len(w.buf)+len(p) <= bufferSize {
		w.buf = append(w.buf, p...)
		return len(p), nil
	}
	if len(p) >= tailSize {
		if err := w.send(len(w.buf)); err != nil {
			return 0, err
		}
		cut := len(p) - tailSize
		if _, err := writeTo(w.below, p[:cut]); err != nil {
			return 0, err
		}
		w.buf, w.sent = append(w.buf[:0], p[cut:]...), 0
		return len(p), nil
	}
	cut := len(w.buf) + len(p) - tailSize
	if err := w.send(cut); err != nil {
		return 0, err
	}
	n := copy(w.buf, w.buf[cut:])
	w.buf, w.sent = append(w.buf[:n], p...), max(0, w.sent-cut)
	return len(p), nil
}

func writeTo[T string | []byte](w io.Writer, p T) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	switch p := any(p).(type) {
	case string:
		return io.WriteString(w, p)
	case []byte:
		return w.Write(p)
	}
	return 0, nil
}

// send lets the buffer's first n bytes leave, but for those that have left.
func (w *writer) send(n int) error {
	if n <= w.sent {
		return nil
	}
	_, err := w.below.Write(w.buf[w.sent:n])
	w.sent = n
	return err
}

func (w *writer) take() {
	if w.pooled == nil {
		w.pooled = buffers.Get().(*buffer)
		w.buf = w.pooled[:0]
	}
}

func (w *writer) release() {
	if w.pooled != nil {
		buffers.Put(w.pooled)
		w.pooled, w.buf = nil, nil
	}
}

// finish ends the response and says what became of the prompt.
func (w *writer) finish(panicked bool) Outcome {
	if w.state == undecided {
		w.state = passing
		if panicked {
			return Panicked
		}
		return w.outcome
	}
	if w.state == pending && panicked {
		h := w.Header()
		later := w.restore(h)
		w.pass(h)
		maps.Copy(h, later)
	}
	if w.state == pending {
		w.decide(w.buf, true)
	}
	if w.state == passing {
		if panicked {
			return Panicked
		}
		return w.outcome
	}
	w.state = passing
	defer w.release()
	if panicked {
		_ = w.send(len(w.buf)) // the panic says more than this error
		return Panicked
	}
	return w.place()
}

// place puts the prompt where the tail says.
func (w *writer) place() Outcome {
	tail := w.buf[max(0, len(w.buf)-tailSize):]
	at, outcome := findEnd(tail, w.written <= tailSize, w.start.isDocument())
	if outcome == Injected && !w.resp.decision.taken.CompareAndSwap(free, byMiddleware) {
		outcome = Rendered
	}
	snippet := w.snippet
	if outcome != Injected {
		at = len(tail)
		snippet = nil
		if w.declared >= 0 && w.declared == w.written {
			snippet = padding(len(w.snippet)) // the length has been announced
		}
	}
	at += len(w.buf) - len(tail)
	at = max(at, w.sent)
	rest := w.buf[at:]
	if err := w.send(at); err != nil {
		return Unfinished
	}
	for _, b := range [][]byte{snippet, rest} {
		if len(b) > 0 {
			if _, err := w.below.Write(b); err != nil {
				return Unfinished
			}
		}
	}
	return outcome
}

// padding is white space, which changes no document at its end.
func padding(n int) []byte { return bytes.Repeat([]byte{'\n'}, n) }
