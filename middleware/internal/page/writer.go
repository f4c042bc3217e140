package page

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// writer is the http.ResponseWriter of a response that may get the snippet. Its state
// only moves forward:
//
//	undecided   nothing has been written
//	pending     the status is set, and the header is closed and allows the snippet;
//	            the first bytes of the body decide
//	holding     the body allows the snippet too: everything but the tail passes
//	discarding  the same for HEAD: the header is that of the page, without a body
//	passing     the snippet is placed, or has no place: writes go to the writer below
//
// The writer is not pooled, because error pages and late goroutines may keep it and must
// still reach the writer below. Its buffer is pooled.
type writer struct {
	below       http.ResponseWriter
	resp        *Response
	encoding    string // Content-Encoding before the handler ran
	revalidates bool   // the handler was given validators of pages with this snippet

	state     state
	outcome   Outcome
	status    int     // once it is no longer undecided
	sniff     bool    // pending: net/http would determine the Content-Type from the body
	closed    bool    // WriteHeader must be called below before the next byte
	snapshot  []field // the header at the first byte
	committed bool    // holding: the header has left

	buf      []byte // pending: what was written; holding: what is held back, after its first sent bytes
	pooled   *buffer
	sent     int
	head     []byte // the beginning of the page, once buf no longer has it
	start    opening
	declared int64 // Content-Length of the handler, -1 for none
	written  int64
	snippet  []byte
	values   [2]string // the values of two header fields, so that they need no allocation
}

// field is one field of a header.
type field struct {
	name   string
	values []string
}

type state uint8

const (
	undecided state = iota
	pending
	holding
	discarding
	passing
)

const (
	tailSize   = 1 << 10          // the part of the page that is read at its end, and so held back
	bufferSize = 4<<10 + tailSize // how much is collected before a part is sent: enough to fill net/http's buffer
	sniffSize  = 512              // what http.DetectContentType reads
	markSize   = 2                // what identifies a UTF-16 byte order mark, or gzip
)

// buffer is the memory of one response. The body has room for the snippet, which leaves
// with the end of the page in one Write.
type buffer struct {
	body   [bufferSize + 6<<10]byte
	head   [headSize]byte
	fields [16]field
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// Header implements http.ResponseWriter.
func (w *writer) Header() http.Header { return w.below.Header() }

// Unwrap returns the writer below, for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.below }

// WriteHeader implements http.ResponseWriter. Informational statuses pass and
// decide nothing (RFC 9110, section 15.2).
func (w *writer) WriteHeader(status int) {
	switch {
	case w.state == holding && !w.committed && status >= 200: // a second call has no effect, and the first status has yet to leave
	case status < 200 && status != http.StatusSwitchingProtocols, w.state > pending:
		w.below.WriteHeader(status) // net/http complains about a second one
	case w.state == undecided:
		w.closed = true
		w.close(status)
		if w.state == pending {
			w.keepHeader()
		}
	}
}

// close fixes the status, as net/http does at the first byte, and gives up if the header
// alone rules the snippet out.
func (w *writer) close(status int) {
	w.state, w.status = pending, status
	h := w.Header()
	_, typed := h["Content-Type"] // nil forbids net/http to determine it
	w.sniff = !typed && len(h["Transfer-Encoding"]) == 0
	if w.outcome = w.refusal(h); w.outcome != OutcomeNoAnswer {
		w.pass()
	}
}

// keepHeader copies the header at the first byte of the body, because net/http would not
// send later changes to it.
func (w *writer) keepHeader() {
	if w.state > holding || w.snapshot != nil {
		return
	}
	w.take()
	w.snapshot = w.pooled.fields[:0]
	for name, values := range w.Header() {
		w.snapshot = append(w.snapshot, field{name, values})
	}
}

// cause is what makes the writer decide.
type cause uint8

const (
	byBytes cause = iota // a Write
	byFlush
	byEnd
)

// decide leaves the pending state by head, the first bytes of the body. It returns false
// if more bytes are needed and may still come.
func (w *writer) decide(head []byte, why cause) bool {
	if why == byBytes && len(head) < w.wanted() {
		w.keepHeader()
		return false
	}
	h := w.Header()
	later := w.restoreHeader(h)
	if w.outcome = w.refusalByBody(head, why); w.outcome == OutcomeNoAnswer {
		w.hold(h, head)
	} else {
		w.pass()
	}
	maps.Copy(h, later)
	return true
}

// wanted returns how many bytes it takes to decide.
func (w *writer) wanted() int {
	if w.sniff {
		return sniffSize
	}
	return markSize
}

// hold begins to hold the tail back: the page gets the snippet unless its end rules it
// out. The header waits as long as the buffer has room.
func (w *writer) hold(h http.Header, head []byte) {
	w.snapshot = nil
	if w.sniff {
		h.Set("Content-Type", http.DetectContentType(head))
	}
	if w.resp.request.Method == http.MethodHead {
		delete(h, "Content-Length") // that of the page is not known
		w.personalize(h)
		w.state, w.outcome = discarding, OutcomeHeadOnly
		w.below.WriteHeader(w.status)
		w.release()
		return
	}
	if !w.resp.snippet.Fits(h) {
		w.outcome = OutcomePolicy
		w.pass()
		return
	}
	w.declared = -1
	if n, declared := contentLength(h); declared {
		w.declared = n
	}
	w.state = holding
	w.keepHeader()
	w.written = int64(len(w.buf))
}

// commit sends the header of a page that is being held. With personal, the page carries
// the snippet or the app's own rendering of it; with injected, it is the former.
func (w *writer) commit(personal, injected bool) {
	if w.committed {
		return
	}
	w.committed = true
	h := w.Header()
	later := w.restoreHeader(h)
	if injected {
		w.snippet = w.resp.snippet.Bytes(w.start.language)
	}
	if injected && w.declared >= 0 {
		w.values[1] = strconv.FormatInt(w.declared+int64(len(w.snippet)), 10)
		h["Content-Length"] = w.values[1:2:2]
	}
	if personal {
		w.carry(h)
	}
	w.below.WriteHeader(w.status)
	maps.Copy(h, later)
}

// begin commits to the snippet before the end of the page is known, because the page
// continues with p and the buffer cannot hold it. It returns false if the beginning rules
// the snippet out; the response passes then.
func begin[T string | []byte](w *writer, p T) bool {
	if w.committed {
		return true
	}
	w.head = append(w.pooled.head[:0], w.beginning()...)
	w.head = append(w.head, p[:min(len(p), headSize-len(w.head))]...)
	w.start = open(w.head)
	if w.resp.claim.by(byApp) {
		w.outcome = OutcomeRendered
	} else if len(w.head) == headSize { // a Flush may come before that much is known
		w.outcome = w.start.refusal()
	}
	if w.outcome == OutcomeNoAnswer {
		w.commit(true, true)
		return true
	}
	w.pass()
	return false
}

// beginning returns the first headSize bytes of the page, or fewer if no more have come.
func (w *writer) beginning() []byte {
	if w.head != nil {
		return w.head
	}
	return w.buf[:min(len(w.buf), headSize)]
}

// pass gives up on the snippet: it writes what has come so far, and later writes go
// straight to the writer below.
func (w *writer) pass() {
	h := w.Header()
	later := w.restoreHeader(h)
	if w.outcome == OutcomeRendered || w.status == http.StatusNotModified && w.revalidates {
		w.carry(h)
	}
	w.state = passing
	if w.closed {
		w.below.WriteHeader(w.status)
	}
	maps.Copy(h, later)
	if len(w.buf) > 0 {
		_, _ = w.below.Write(w.buf) // the next Write returns the same error
	}
	w.release()
	if w.outcome != OutcomeRendered {
		w.resp.tooLate.Store(true)
	}
}

// Write implements io.Writer. It returns the length of p: what is held back
// counts as written.
func (w *writer) Write(p []byte) (int, error) {
	if w.collects(len(p)) {
		w.buf = append(w.buf, p...)
		return len(p), nil
	}
	return write(w, p)
}

// WriteString implements io.StringWriter.
func (w *writer) WriteString(s string) (int, error) {
	if w.collects(len(s)) {
		w.buf = append(w.buf, s...)
		return len(s), nil
	}
	return write(w, s)
}

// collects counts n more bytes and reports whether they need only be appended. That is
// the case of most writes of a template, which are short.
func (w *writer) collects(n int) bool {
	if w.state != holding || w.declared >= 0 || len(w.buf)+n > bufferSize || w.committed && len(w.head) < headSize {
		return false
	}
	w.written += int64(n)
	return true
}

func write[T string | []byte](w *writer, p T) (int, error) {
	if w.state == undecided {
		w.close(http.StatusOK)
	}
	if w.state == pending {
		w.take()
		first := p[:min(len(p), max(0, w.wanted()-len(w.buf)))]
		if !w.decide(append(w.buf, first...), byBytes) {
			w.buf = append(w.buf, p...) // all of it was first
			return len(p), nil
		}
	}
	switch w.state {
	case holding:
		return holdBack(w, p)
	case discarding:
		return len(p), nil
	}
	return writeTo(w.below, p)
}

// holdBack appends p to the buffer. Without room there, it sends all but the last
// tailSize bytes.
func holdBack[T string | []byte](w *writer, p T) (int, error) {
	if w.declared >= 0 && int64(len(p)) > w.declared-w.written {
		return 0, http.ErrContentLength // net/http would count the snippet's bytes as the handler's
	}
	w.written += int64(len(p))
	w.take()
	if w.committed && len(w.head) < headSize {
		w.head = append(w.head, p[:min(len(p), headSize-len(w.head))]...)
	}
	if len(w.buf)+len(p) <= bufferSize {
		w.buf = append(w.buf, p...)
		return len(p), nil
	}
	if !begin(w, p) {
		return writeTo(w.below, p)
	}
	if len(p) < tailSize {
		cut := len(w.buf) + len(p) - tailSize
		err := w.send(cut)
		n := copy(w.buf, w.buf[cut:])
		w.buf, w.sent = append(w.buf[:n], p...), max(0, w.sent-cut)
		return len(p), err
	}
	if err := w.send(len(w.buf)); err != nil {
		return 0, err
	}
	cut := len(p) - tailSize
	if n, err := writeTo(w.below, p[:cut]); err != nil {
		return n, err
	}
	w.buf, w.sent = append(w.buf[:0], p[cut:]...), 0
	return len(p), nil
}

func writeTo[T string | []byte](w io.Writer, p T) (int, error) {
	switch p := any(p).(type) {
	case string:
		return io.WriteString(w, p)
	case []byte:
		return w.Write(p)
	}
	return 0, nil
}

// send sends the buffer's first n bytes, except those that have been sent.
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
		w.buf = w.pooled.body[:0]
	}
}

func (w *writer) release() {
	if w.pooled != nil {
		clear(w.pooled.fields[:])
		buffers.Put(w.pooled)
		w.pooled, w.buf, w.head, w.snapshot = nil, nil, nil, nil
	}
}

// finish ends the response and returns what became of the snippet.
func (w *writer) finish(panicked bool) Outcome {
	defer w.release()
	if w.state == pending {
		if panicked {
			w.pass()
		} else {
			w.decide(w.buf, byEnd)
		}
	}
	was := w.state
	w.state = passing
	switch {
	case panicked:
		if was == holding {
			w.pad()
			w.commit(false, false)
			_ = w.send(len(w.buf)) // the panic matters more than this error
		}
		return OutcomePanicked
	case was == holding:
		return w.place()
	}
	return w.outcome
}

// pad appends spaces to a page that was announced with the snippet's length and ends
// without the snippet.
func (w *writer) pad() {
	if w.committed && w.declared == w.written {
		w.buf = append(w.buf, bytes.Repeat([]byte{' '}, len(w.snippet))...)
	}
}

// place puts the snippet where the end of the page says.
func (w *writer) place() Outcome {
	at, outcome := w.end()
	if outcome == OutcomeInjected && !w.resp.claim.take(byWriter) {
		outcome = OutcomeRendered
	}
	if outcome != OutcomeInjected {
		w.pad()
	}
	if at < w.sent {
		at = len(w.buf) // a Flush has sent the closing tags: after them is as good
	}
	injected := outcome == OutcomeInjected
	w.commit(injected || outcome == OutcomeRendered, injected)
	if injected {
		w.buf = slices.Insert(w.buf, at, w.snippet...)
	}
	err := w.send(len(w.buf))
	if err != nil && injected {
		w.resp.claim.release()
		return OutcomeUnfinished
	}
	return outcome
}

// end returns where in buf the snippet goes, and why it does not if it does not.
func (w *writer) end() (at int, outcome Outcome) {
	w.start = open(w.beginning())
	whole := w.written == int64(len(w.buf))
	begin := max(0, len(w.buf)-tailSize)
	at, ok := endOf(w.buf[begin:], whole && begin == 0)
	if at += begin; whole && begin > 0 && (!ok || at == len(w.buf)) { // in doubt, it is read from its beginning
		at, ok = endOf(w.buf, true)
	}
	switch {
	case w.written == 0:
		return at, OutcomeEmpty
	case len(w.buf) == 0, w.declared >= 0 && w.written != w.declared:
		return at, OutcomeUnfinished // the handler wrote less than it declared, or the client has gone
	case w.start.refusal() != OutcomeNoAnswer:
		return at, w.start.refusal()
	case !ok:
		return at, OutcomeUnfinished
	case at == len(w.buf) && !w.start.document:
		return at, OutcomeFragment
	}
	return at, OutcomeInjected
}
