package webhook

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/askonce/askonce/internal/guard"
)

const (
	smallBody = 4 << 10 // a documented event has about 600 bytes
	maxBodies = 256     // in flight at once
)

// A body is the body of one request, in memory that is used again.
type body struct {
	chunk [smallBody]byte // what Read writes to
	small [smallBody]byte // where most bodies fit

	mu      sync.Mutex
	bytes   []byte
	givenUp bool

	// Guarded by inFlight.mu.
	holds     bool          // a place
	arriving  *list.Element // among those that can be interrupted
	interrupt func()        // makes the handler stop waiting for the body
	because   Result        // it was interrupted, and ResultAccepted if not
}

var bodies = sync.Pool{New: func() any { return new(body) }}

func newBody() *body {
	b := bodies.Get().(*body)
	b.bytes, b.because = b.small[:0], ResultAccepted
	return b
}

// release makes b's memory available again, unless it is still being read.
func (b *body) release() {
	if !b.givenUp {
		b.bytes, b.interrupt = nil, nil
		bodies.Put(b)
	}
}

// read reads the request's body within its limits. It returns ResultAccepted if
// b.bytes is all of it.
//
// A slow body is interrupted by a read deadline in the past, which leaves the
// server's own deadlines alone. Where the ResponseWriter cannot set one, because
// a middleware's has no Unwrap, a goroutine of its own reads the body and is left
// behind; it ends with the connection. It costs 4 % of an empty request's time,
// so it is not there for all.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, b *body) Result {
	if r.Body == nil || r.Body == http.NoBody {
		return ResultAccepted
	}
	canInterrupt := canEndReads(w)
	if h.received.changed(true) && !canInterrupt {
		h.warnOfWriter(w, r)
	}
	ended := make(chan Result, 2) // for fill and for interrupt
	interrupt := func() { ended <- ResultSlowBody }
	if canInterrupt {
		interrupt = func() { _ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) }
	}
	place := h.flight.enter(b, interrupt)
	if place == nil {
		return ResultBusy
	}
	timeout := time.AfterFunc(h.opts.ReadTimeout, func() { h.flight.tooSlow(place) })
	defer timeout.Stop()
	var result Result
	if canInterrupt {
		result = b.fill(r.Body, h.opts.MaxBody)
	} else {
		go func() { ended <- b.fill(r.Body, h.opts.MaxBody) }()
		result = <-ended
	}
	because := h.flight.arrived(b)
	if because == ResultAccepted || result == ResultAccepted {
		return result
	}
	if !canInterrupt {
		b.giveUp()
	}
	return because
}

// fill reads until the end, an error, the limit, or giveUp.
func (b *body) fill(r io.Reader, limit int64) Result {
	for {
		n, err := guard.Get(func() (int, error) { return r.Read(b.chunk[:]) })
		size, kept := b.keep(n)
		switch {
		case !kept:
			return ResultSlowBody
		case size > limit:
			return ResultTooLarge
		case err == io.EOF:
			return ResultAccepted
		case err != nil:
			return unread(err)
		}
	}
}

// keep appends what was read, unless the handler has given up on it.
func (b *body) keep(n int) (size int64, kept bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.givenUp {
		b.bytes = append(b.bytes, b.chunk[:n]...)
	}
	return int64(len(b.bytes)), !b.givenUp
}

// giveUp drops the bytes of a body whose Read may hang for long.
func (b *body) giveUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.givenUp, b.bytes = true, nil
}

// unread says why a body did not come to its end.
func unread(err error) Result {
	var limit *http.MaxBytesError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ResultSlowBody
	case errors.As(err, &limit): // of an http.MaxBytesHandler around the Handler
		return ResultTooLarge
	case errors.Is(err, http.ErrBodyReadAfterClose):
		return ResultBodyConsumed
	}
	return ResultAbortedBody
}

// warnOfWriter warns if a sender that stops in mid-body keeps its connection:
// the handler gives up on it, but nothing ends the server's own read.
func (h *Handler) warnOfWriter(w http.ResponseWriter, r *http.Request) {
	if server, _ := r.Context().Value(http.ServerContextKey).(*http.Server); server != nil && server.ReadTimeout == 0 {
		h.log.WarnContext(r.Context(), "askonce: a middleware's ResponseWriter has no Unwrap method, so slow senders keep their connections: set http.Server.ReadTimeout, or mount the webhook outside that middleware", "writer", fmt.Sprintf("%T", w))
	}
}

func canEndReads(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case interface{ SetReadDeadline(time.Time) error }:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}

// inFlight bounds the bodies that are held at once, from the first byte until
// the response. When there are too many, a new one displaces the one that has
// been arriving for the longest: a slow sender can keep out only other slow
// senders. A body that comes in one piece is there before 256 newer ones can
// displace it.
type inFlight struct {
	mu       sync.Mutex
	n        int
	arriving list.List // of *body, the oldest first
}

// enter takes a place for b. It returns nil if every place belongs to a body that
// has arrived and is being recorded.
func (f *inFlight) enter(b *body, interrupt func()) *list.Element {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == maxBodies {
		oldest := f.arriving.Front()
		if oldest == nil {
			return nil
		}
		f.stop(oldest, ResultBusy)
		oldest.Value.(*body).holds = false
		f.n--
	}
	f.n++
	b.holds, b.interrupt, b.arriving = true, interrupt, f.arriving.PushBack(b)
	return b.arriving
}

// stop interrupts a body that is arriving.
func (f *inFlight) stop(place *list.Element, because Result) {
	b := place.Value.(*body)
	f.settle(b)
	b.because = because
	b.interrupt()
}

// tooSlow interrupts the body that came to the place, if it is still arriving.
func (f *inFlight) tooSlow(place *list.Element) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if place.Value.(*body).arriving == place {
		f.stop(place, ResultSlowBody)
	}
}

// settle removes b from the bodies that can be interrupted.
func (f *inFlight) settle(b *body) {
	if b.arriving != nil {
		f.arriving.Remove(b.arriving)
		b.arriving = nil
	}
}

// arrived lets b keep its place until leave. It returns why b was interrupted, or
// ResultAccepted.
func (f *inFlight) arrived(b *body) Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle(b)
	return b.because
}

// leave gives the place back, if b has one.
func (f *inFlight) leave(b *body) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle(b)
	if b.holds {
		b.holds = false
		f.n--
	}
}
