package webhook

import (
	"container/list"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	smallBody = 4 << 10 // a documented event has about 600 bytes
	maxBodies = 256     // in flight at once
)

// body is a request's body in a buffer that is used again. It grows as bytes
// come, never as a header announces them.
type body struct {
	small [smallBody]byte
	bytes []byte

	// What follows is for inFlight.
	w         http.ResponseWriter
	holds     bool          // one of the places
	arriving  *list.Element // its place among those that can make way
	displaced bool
}

var bodies = sync.Pool{New: func() any { return new(body) }}

func newBody() *body {
	b := bodies.Get().(*body)
	b.bytes = b.small[:0]
	return b
}

func (b *body) release() {
	b.bytes, b.w, b.displaced = nil, nil, false
	bodies.Put(b)
}

// read reads the body within its limits: Accepted means that it is all there.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, b *body, stoppable bool) Result {
	if !h.flight.enter(b, w, stoppable) {
		return ResultBusy
	}
	reason := b.fill(r.Body, h.opts.MaxBody)
	displaced := h.flight.arrived(b)
	switch {
	case reason == ResultAccepted && stoppable:
		_ = setReadDeadline(w, time.Time{}) // or the server notices a hung-up client too early
	case reason == ResultSlowBody && displaced:
		reason = ResultBusy
	}
	return reason
}

func setReadDeadline(w http.ResponseWriter, t time.Time) error {
	return http.NewResponseController(w).SetReadDeadline(t)
}

func (b *body) fill(r io.Reader, limit int64) Result {
	if r == nil {
		return ResultAccepted
	}
	for {
		if len(b.bytes) == cap(b.bytes) {
			b.bytes = append(b.bytes, 0)[:len(b.bytes)]
		}
		n, err := r.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case int64(len(b.bytes)) > limit:
			return ResultTooLarge
		case err == io.EOF:
			return ResultAccepted
		case err != nil:
			return unread(err)
		}
	}
}

// unread says why a body did not come to its end.
func unread(err error) Result {
	var limit *http.MaxBytesError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ResultSlowBody
	case errors.As(err, &limit): // of http.MaxBytesHandler around the handler
		return ResultTooLarge
	case errors.Is(err, http.ErrBodyReadAfterClose):
		return ResultBodyConsumed
	}
	return ResultAbortedBody
}

// inFlight bounds the bodies that are held at once, from the first byte until
// the answer. Where there are too many, the one that has been arriving for the
// longest makes way for the new one: whoever sends slowly can keep out nobody
// but those who send slowly too. A body that comes in one piece is there before
// 256 newer ones can have pushed it out.
type inFlight struct {
	mu       sync.Mutex
	n        int
	arriving list.List // of *body, the oldest first
}

// enter takes a place for b. It fails only when every place belongs to a body
// that is being recorded, or cannot be stopped.
func (f *inFlight) enter(b *body, w http.ResponseWriter, stoppable bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == maxBodies && !f.makeWay() {
		return false
	}
	f.n++
	b.holds = true
	if stoppable {
		b.w, b.arriving = w, f.arriving.PushBack(b)
	}
	return true
}

// makeWay takes the place of the oldest body that is arriving, and makes its
// pending Read fail.
func (f *inFlight) makeWay() bool {
	oldest := f.arriving.Front()
	if oldest == nil {
		return false
	}
	b := oldest.Value.(*body)
	f.settle(b)
	b.displaced, b.holds = true, false
	f.n--
	_ = setReadDeadline(b.w, time.Unix(1, 0)) // it worked before; if not now, its own deadline ends it
	return true
}

// settle takes b from those that can be made to make way.
func (f *inFlight) settle(b *body) {
	if b.arriving != nil {
		f.arriving.Remove(b.arriving)
		b.arriving = nil
	}
}

// arrived makes b keep its place until leave, and reports whether it has lost
// it already.
func (f *inFlight) arrived(b *body) (displaced bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle(b)
	return b.displaced
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
