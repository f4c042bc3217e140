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

// A body is the body of one request. A goroutine of its own reads it, so that
// the handler can give up on a slow sender: not every ResponseWriter can set a
// read deadline, because a middleware's often lacks Unwrap.
type body struct {
	chunk     [smallBody]byte // what Read writes to
	small     [smallBody]byte // where most bodies fit
	ended     chan Result     // why the reading ended
	displaced chan struct{}   // a newer body has taken the place

	mu      sync.Mutex
	bytes   []byte
	givenUp bool

	// Guarded by inFlight.mu.
	holds    bool          // a place
	arriving *list.Element // among those that can be displaced
}

var bodies = sync.Pool{New: func() any { return new(body) }}

func newBody() *body {
	b := bodies.Get().(*body)
	b.bytes = b.small[:0]
	b.ended, b.displaced = make(chan Result, 1), make(chan struct{}, 1)
	return b
}

// release makes b's memory available again, unless it is still being read.
func (b *body) release() {
	if !b.givenUp {
		b.bytes = nil
		bodies.Put(b)
	}
}

// read reads the request's body within its limits. It returns ResultAccepted if
// b.bytes is all of it.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, b *body) Result {
	if r.Body == nil || r.Body == http.NoBody {
		return ResultAccepted
	}
	if !h.flight.enter(b) {
		return ResultBusy
	}
	if h.received.changed(true) {
		h.checkWriter(w, r)
	}
	go b.fill(r.Body, h.opts.MaxBody)
	timeout := time.NewTimer(h.opts.ReadTimeout)
	defer timeout.Stop()
	result := ResultSlowBody
	select {
	case result = <-b.ended:
		h.flight.arrived(b)
		return result
	case <-b.displaced:
		result = ResultBusy
	case <-timeout.C:
		h.flight.arrived(b)
	}
	b.giveUp()
	// Where this works it ends the pending Read. Elsewhere the Read ends with the
	// connection, which the response closes.
	_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
	return result
}

// fill reads until the end, an error, the limit, or giveUp.
func (b *body) fill(r io.Reader, limit int64) {
	for {
		n, err := guard.Get(func() (int, error) { return r.Read(b.chunk[:]) })
		b.mu.Lock()
		if b.givenUp {
			b.mu.Unlock()
			return
		}
		b.bytes = append(b.bytes, b.chunk[:n]...)
		size := int64(len(b.bytes))
		b.mu.Unlock()
		switch {
		case size > limit:
			b.ended <- ResultTooLarge
			return
		case err == io.EOF:
			b.ended <- ResultAccepted
			return
		case err != nil:
			b.ended <- unread(err)
			return
		}
	}
}

// giveUp keeps nothing of a body whose Read may hang for long.
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

// checkWriter warns if a sender that stops in mid-body keeps its connection:
// the handler gives up on it, but nothing ends the server's own read.
func (h *Handler) checkWriter(w http.ResponseWriter, r *http.Request) {
	server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if server == nil || server.ReadTimeout > 0 || canEndReads(w) {
		return
	}
	h.log.WarnContext(r.Context(), "askonce: a middleware's ResponseWriter has no Unwrap method, so slow senders keep their connections: set http.Server.ReadTimeout, or mount the webhook outside that middleware", "writer", fmt.Sprintf("%T", w))
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

// enter takes a place for b. It fails only if every place belongs to a body that
// has arrived and is being recorded.
func (f *inFlight) enter(b *body) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == maxBodies {
		oldest := f.arriving.Front()
		if oldest == nil {
			return false
		}
		slow := oldest.Value.(*body)
		f.settle(slow)
		slow.holds = false
		slow.displaced <- struct{}{}
		f.n--
	}
	f.n++
	b.holds, b.arriving = true, f.arriving.PushBack(b)
	return true
}

// settle removes b from the bodies that can be displaced.
func (f *inFlight) settle(b *body) {
	if b.arriving != nil {
		f.arriving.Remove(b.arriving)
		b.arriving = nil
	}
}

// arrived lets b keep its place until leave.
func (f *inFlight) arrived(b *body) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle(b)
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
