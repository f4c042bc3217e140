package webhook

import (
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
	w            http.ResponseWriter
	older, newer *body
	holds        bool // one of the places
	arriving     bool // in the list of those that can make way
	displaced    bool
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

// read reads the body within its limits.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, b *body, stoppable bool) (Reason, bool) {
	if !h.flight.enter(b, w, stoppable) {
		return Busy, false
	}
	reason, ok := b.fill(r.Body, h.opts.MaxBody)
	switch displaced := h.flight.arrived(b); {
	case ok && stoppable:
		_ = setReadDeadline(w, time.Time{}) // or the server notices a hung-up client too early
	case displaced && reason == SlowBody:
		reason = Busy
	}
	return reason, ok
}

func setReadDeadline(w http.ResponseWriter, t time.Time) error {
	return http.NewResponseController(w).SetReadDeadline(t)
}

func (b *body) fill(r io.Reader, limit int64) (Reason, bool) {
	if r == nil {
		return 0, true
	}
	for {
		if len(b.bytes) == cap(b.bytes) {
			b.bytes = append(b.bytes, 0)[:len(b.bytes)]
		}
		n, err := r.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case int64(len(b.bytes)) > limit:
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

// inFlight bounds the bodies that are held at once, from the first byte until
// the answer. Where there are too many, the one that has been arriving for the
// longest makes way for the new one: whoever sends slowly can keep out nobody
// but those who send slowly too.
type inFlight struct {
	mu             sync.Mutex
	n              int
	oldest, newest *body // of those that are arriving
}

// enter takes a place for b. It fails only when every place belongs to a body
// that is being recorded, or cannot be stopped.
func (f *inFlight) enter(b *body, w http.ResponseWriter, stoppable bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == maxBodies {
		if f.oldest == nil {
			return false
		}
		f.displace(f.oldest)
	}
	f.n++
	b.holds = true
	if !stoppable {
		return true
	}
	b.w, b.arriving, b.older = w, true, f.newest
	if f.newest != nil {
		f.newest.newer = b
	} else {
		f.oldest = b
	}
	f.newest = b
	return true
}

// displace takes b's place and makes its pending Read fail.
func (f *inFlight) displace(b *body) {
	f.unlink(b)
	b.displaced, b.holds = true, false
	f.n--
	_ = setReadDeadline(b.w, time.Unix(1, 0)) // it worked before; if not now, its own deadline ends it
}

func (f *inFlight) unlink(b *body) {
	if b.older != nil {
		b.older.newer = b.newer
	} else {
		f.oldest = b.newer
	}
	if b.newer != nil {
		b.newer.older = b.older
	} else {
		f.newest = b.older
	}
	b.older, b.newer, b.arriving = nil, nil, false
}

// arrived makes b keep its place until leave, and reports whether it has lost
// it already.
func (f *inFlight) arrived(b *body) (displaced bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b.arriving {
		f.unlink(b)
	}
	return b.displaced
}

// leave gives the place back, if b has one.
func (f *inFlight) leave(b *body) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b.arriving {
		f.unlink(b)
	}
	if b.holds {
		b.holds = false
		f.n--
	}
}
