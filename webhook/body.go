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
	maxBody   = 64 << 10 // bytes; a documented event has about 600
	maxBodies = 256      // in flight at once
)

// A body is the body of one request.
type body struct {
	mu      sync.Mutex
	bytes   []byte
	givenUp bool

	// Guarded by inFlight.mu.
	counted   bool
	place     *list.Element // among the arriving; nil before and after that
	interrupt func()        // makes the handler stop waiting for the body
	because   Result        // it was interrupted, or ResultAccepted
}

// read reads the request's body within its limits. It returns ResultAccepted if
// b.bytes is all of it.
//
// A slow body is interrupted by a read deadline in the past, which leaves the
// server's own deadlines alone. Where the ResponseWriter cannot set one, because
// a middleware's has no Unwrap, another goroutine reads the body and is left
// behind; it ends with the connection. That costs a few percent of a request's
// time, so not every body is read that way.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, b *body) Result {
	if r.Body == nil || r.Body == http.NoBody {
		return ResultAccepted
	}
	canInterrupt := canEndReads(w)
	ended := make(chan Result, 2) // of fill, and of interrupt
	if canInterrupt {
		b.interrupt = func() { _ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) }
	} else {
		b.interrupt = func() { ended <- ResultSlowBody }
		h.warnOfWriter(w, r)
	}
	if !h.flight.enter(b) {
		return ResultBusy
	}
	timeout := time.AfterFunc(h.opts.ReadTimeout, func() { h.flight.tooSlow(b) })
	defer timeout.Stop()
	var result Result
	if canInterrupt {
		result = b.fill(r.Body)
	} else {
		go func() { ended <- b.fill(r.Body) }()
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

var chunks = sync.Pool{New: func() any { return new([4 << 10]byte) }}

// fill reads until the end, an error, the limit, or giveUp.
func (b *body) fill(r io.Reader) Result {
	chunk := chunks.Get().(*[4 << 10]byte)
	defer chunks.Put(chunk)
	for {
		n, err := guard.Get(func() (int, error) { return r.Read(chunk[:]) })
		size, kept := b.keep(chunk[:n])
		var limit *http.MaxBytesError
		switch {
		case !kept:
			return ResultSlowBody
		case size > maxBody:
			return ResultTooLarge
		case err == nil:
		case err == io.EOF:
			return ResultAccepted
		case errors.Is(err, os.ErrDeadlineExceeded):
			return ResultSlowBody
		case errors.As(err, &limit): // of an http.MaxBytesHandler around the Handler
			return ResultTooLarge
		case errors.Is(err, http.ErrBodyReadAfterClose):
			return ResultBodyConsumed
		default:
			return ResultAbortedBody
		}
	}
}

// keep appends what was read, unless the handler has given up on the body.
func (b *body) keep(chunk []byte) (size int, kept bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.givenUp {
		b.bytes = append(b.bytes, chunk...)
	}
	return len(b.bytes), !b.givenUp
}

// giveUp drops the bytes of a body whose Read may hang for long.
func (b *body) giveUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.givenUp, b.bytes = true, nil
}

// warnOfWriter warns, once, that a sender that stops in mid-body keeps its
// connection: the handler gives up on it, but nothing ends the server's own read.
func (h *Handler) warnOfWriter(w http.ResponseWriter, r *http.Request) {
	server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if server != nil && server.ReadTimeout == 0 && h.endlessReads.changed(true) {
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

// enter counts b. It returns false if there are too many bodies and all of them
// have arrived and are being recorded.
func (f *inFlight) enter(b *body) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == maxBodies {
		oldest := f.arriving.Front()
		if oldest == nil {
			return false
		}
		f.stop(oldest.Value.(*body), ResultBusy)
	}
	f.n++
	b.counted, b.place = true, f.arriving.PushBack(b)
	return true
}

// tooSlow interrupts b if it is still arriving.
func (f *inFlight) tooSlow(b *body) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b.place != nil {
		f.stop(b, ResultSlowBody)
	}
}

// arrived keeps b from being interrupted. It returns why it was, or
// ResultAccepted.
func (f *inFlight) arrived(b *body) Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle(b)
	return b.because
}

// leave makes room for another body.
func (f *inFlight) leave(b *body) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.remove(b)
}

func (f *inFlight) stop(b *body, because Result) {
	f.remove(b)
	b.because = because
	b.interrupt()
}

func (f *inFlight) remove(b *body) {
	f.settle(b)
	if b.counted {
		b.counted = false
		f.n--
	}
}

func (f *inFlight) settle(b *body) {
	if b.place != nil {
		f.arriving.Remove(b.place)
		b.place = nil
	}
}
