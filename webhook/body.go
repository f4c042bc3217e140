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

	interruptedFor = time.Second // how long an interrupted Read may take to return
)

// read reads the request's body within its limits. If it returns ResultAccepted,
// the body is whole and the caller must call h.flight.leave.
//
// Another goroutine calls Read. So the handler can give up on a slow body behind
// any ResponseWriter, and with any Body that a middleware has put there.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) (body []byte, result Result) {
	place, displaced := h.flight.enter()
	if place == nil {
		return nil, ResultBusy
	}
	defer func() { h.flight.arrived(place, result == ResultAccepted) }()
	chunks, stop, done := make(chan chunk), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		readChunks(r.Body, chunks, stop)
	}()
	interrupted := false
	defer func() {
		close(stop)
		if interrupted { // a Read may write to the header (http.MaxBytesReader), and so does the answer
			select {
			case <-done:
			case <-time.After(interruptedFor):
			}
		}
	}()
	timeout := time.NewTimer(h.opts.ReadTimeout)
	defer timeout.Stop()
	for {
		select {
		case c := <-chunks:
			body = append(body, c.bytes...)
			switch {
			case len(body) > maxBody:
				return body, ResultTooLarge
			case c.err != nil:
				return body, readResult(c.err)
			}
		case <-timeout.C:
			interrupted = h.interrupt(w, r)
			return body, ResultSlowBody
		case <-displaced:
			interrupted = h.interrupt(w, r)
			return body, ResultBusy
		}
	}
}

// A chunk is the result of one Read.
type chunk struct {
	bytes []byte
	err   error
}

// readChunks sends chunks until the body ends, is too large, or stop is closed. If
// Read hangs, readChunks returns when the connection ends. It does not call Read again
// for a body that is too large, because the answer may be on its way.
func readChunks(body io.Reader, chunks chan<- chunk, stop <-chan struct{}) {
	if body == nil {
		body = http.NoBody
	}
	body = io.LimitReader(body, maxBody+1)
	for {
		buf := make([]byte, 1<<10)
		n, err := guard.Get(func() (int, error) { return body.Read(buf) })
		select {
		case chunks <- chunk{buf[:n], err}:
		case <-stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// readResult returns the result for the error that ended a body.
func readResult(err error) Result {
	var limit *http.MaxBytesError
	switch {
	case err == io.EOF:
		return ResultAccepted
	case errors.Is(err, os.ErrDeadlineExceeded): // the server's ReadTimeout
		return ResultSlowBody
	case errors.As(err, &limit): // from an http.MaxBytesHandler around the Handler
		return ResultTooLarge
	case errors.Is(err, http.ErrBodyReadAfterClose):
		return ResultBodyConsumed
	}
	return ResultAbortedBody
}

// interrupt ends a Read that hangs by setting a read deadline in the past. If the
// ResponseWriter cannot set one and the server has no ReadTimeout, the sender keeps
// its connection, and interrupt logs a warning once.
func (h *Handler) interrupt(w http.ResponseWriter, r *http.Request) bool {
	err := http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
	server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
	if err != nil && server != nil && server.ReadTimeout == 0 && h.endlessReads.changed(true) {
		h.log.WarnContext(r.Context(), "askonce: a middleware's ResponseWriter has no Unwrap method, so slow senders keep their connections: set http.Server.ReadTimeout, or mount the webhook outside that middleware", "writer", fmt.Sprintf("%T", w))
	}
	return err == nil
}

// inFlight bounds the bodies that are held at once, from the first byte until
// the response. When there are too many, a new one displaces the one that has
// been arriving for the longest: a slow sender can keep out only other slow
// senders. A body that comes in one piece arrives before 256 newer ones can
// displace it.
type inFlight struct {
	mu       sync.Mutex
	arriving list.List // of chan struct{}, the oldest first
	whole    int       // bodies that have arrived and are being recorded
}

// enter adds a body and returns its place. The channel is closed when the body is
// displaced. The place is nil if there is no room and every body has arrived.
func (f *inFlight) enter() (place *list.Element, displaced <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.whole+f.arriving.Len() >= maxBodies {
		oldest := f.arriving.Front()
		if oldest == nil {
			return nil, nil
		}
		close(f.arriving.Remove(oldest).(chan struct{}))
	}
	c := make(chan struct{})
	return f.arriving.PushBack(c), c
}

// arrived removes a body from its place. A whole body counts until leave is called.
func (f *inFlight) arrived(place *list.Element, whole bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.arriving.Remove(place) // a no-op if it was displaced
	if whole {
		f.whole++
	}
}

// leave makes room for another body.
func (f *inFlight) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.whole--
}
