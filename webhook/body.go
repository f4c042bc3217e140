package webhook

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/askonce/askonce/internal/guard"
)

const (
	maxBody   = 64 << 10 // bytes; a documented event has about 600
	maxBodies = 256      // in flight at once
)

// read reads the request's body within its limits. If it returns ResultAccepted,
// the body is whole and the caller must call h.flight.leave.
//
// It reads on the handler's goroutine, as middlewares expect: their Read may change
// the response's header (http.MaxBytesReader), or append to a copy of the body. A
// Read that hangs is interrupted through the connection's read deadline. Only where
// that cannot be set does another goroutine read, which the handler can leave behind.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) ([]byte, Result) {
	interrupted := make(chan struct{})
	a := &arrival{interrupt: func() {
		close(interrupted)
		h.limitReads(w, r, time.Unix(1, 0))
	}}
	if !h.flight.enter(a) {
		return nil, ResultBusy
	}
	timeout := time.AfterFunc(h.opts.ReadTimeout, func() {
		h.flight.mu.Lock()
		defer h.flight.mu.Unlock()
		h.flight.drop(a, ResultSlowBody)
	})
	defer timeout.Stop()
	readAll := func() ([]byte, error) {
		if r.Body == nil {
			return nil, nil
		}
		return io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	}
	var body []byte
	var err error
	if hasReadDeadline(w) {
		body, err = guard.Get(readAll)
	} else {
		body, err = untilClosed(interrupted, readAll)
	}
	return body, h.flight.arrived(a, readResult(body, err))
}

// hasReadTimeout reports whether the server has a ReadTimeout, as far as is known.
func hasReadTimeout(r *http.Request) bool {
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	return !ok || server.ReadTimeout > 0
}

// hasReadDeadline reports whether [http.ResponseController] can set a read deadline
// through w.
func hasReadDeadline(w http.ResponseWriter) bool {
	for {
		switch u := w.(type) {
		case interface{ SetReadDeadline(time.Time) error }:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = u.Unwrap()
		default:
			return false
		}
	}
}

// untilClosed calls readAll on another goroutine, and leaves it behind once done is
// closed.
func untilClosed(done <-chan struct{}, readAll func() ([]byte, error)) (body []byte, err error) {
	whole := make(chan struct{})
	var got []byte
	var gotErr error
	go func() {
		defer close(whole)
		got, gotErr = guard.Get(readAll)
	}()
	select {
	case <-whole:
		return got, gotErr
	case <-done:
		return nil, os.ErrDeadlineExceeded
	}
}

// readResult returns the result for a body and the error that ended it.
func readResult(body []byte, err error) Result {
	var limit *http.MaxBytesError
	switch {
	case len(body) > maxBody, errors.As(err, &limit): // from an http.MaxBytesHandler around the Handler
		return ResultTooLarge
	case err == nil:
		return ResultAccepted
	case errors.Is(err, os.ErrDeadlineExceeded): // the server's ReadTimeout
		return ResultSlowBody
	case errors.Is(err, http.ErrBodyReadAfterClose):
		return ResultBodyConsumed
	}
	return ResultAbortedBody
}

// limitReads makes Reads of the body fail from then on, this package's and those of
// net/http after the response. If the ResponseWriter cannot do that and the server
// has no ReadTimeout, limitReads logs a warning once.
func (h *Handler) limitReads(w http.ResponseWriter, r *http.Request, from time.Time) {
	err := guard.Do(func() error { return http.NewResponseController(w).SetReadDeadline(from) })
	if err != nil && !hasReadTimeout(r) && h.logged.add("endless reads") {
		h.log.WarnContext(r.Context(), "askonce: a middleware's ResponseWriter has no Unwrap method, so slow senders keep their connections: set http.Server.ReadTimeout, or mount the webhook outside that middleware", "writer", fmt.Sprintf("%T", w))
	}
}

// inFlight bounds the bodies that are held at once, from the first byte until
// the response. When there are too many, a new one displaces the one that has
// been arriving for the longest: a slow sender can keep out only other slow
// senders. A body that comes in one piece arrives before 256 newer ones can
// displace it.
type inFlight struct {
	mu       sync.Mutex
	arriving []*arrival // the oldest first
	whole    int        // bodies that have arrived and are being recorded
}

// An arrival is a body that is being read.
type arrival struct {
	interrupt func()
	dropped   Result // the reason, if the body was dropped
}

// enter adds a body. It returns false if there is no room and every other body has
// arrived.
func (f *inFlight) enter(a *arrival) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.whole+len(f.arriving) >= maxBodies {
		if len(f.arriving) == 0 {
			return false
		}
		f.drop(f.arriving[0], ResultBusy)
	}
	f.arriving = append(f.arriving, a)
	return true
}

// drop interrupts a body unless it has arrived. The caller holds mu, so that the
// handler, and with it the ResponseWriter, is still in use.
func (f *inFlight) drop(a *arrival, reason Result) {
	if f.remove(a) {
		a.dropped = reason
		a.interrupt()
	}
}

// remove reports whether the body was arriving. The caller holds mu.
func (f *inFlight) remove(a *arrival) bool {
	i := slices.Index(f.arriving, a)
	if i >= 0 {
		f.arriving = slices.Delete(f.arriving, i, i+1)
	}
	return i >= 0
}

// arrived ends an arrival with its result, or with the reason if it was dropped. An
// accepted body counts until leave is called.
func (f *inFlight) arrived(a *arrival, result Result) Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.remove(a) {
		return a.dropped
	}
	if result == ResultAccepted {
		f.whole++
	}
	return result
}

// leave makes room for another body.
func (f *inFlight) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.whole--
}
