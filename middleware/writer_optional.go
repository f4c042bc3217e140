package middleware

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
)

// What an http.ResponseWriter may do besides. Frameworks assert these on the
// writer itself and do not look below it, so Unwrap alone would not do. What
// the writer below cannot do answers an error that matches
// http.ErrNotSupported.

// copySize is how much of a reader is copied at a time where it must be looked at.
const copySize = 32 << 10

// ReadFrom implements io.ReaderFrom. All but the tail goes to the writer below
// in one piece where the length is known, so that a file still leaves by
// sendfile.
func (w *writer) ReadFrom(src io.Reader) (n int64, err error) {
	if w.state != passing && !(w.state == holding && w.start.known()) {
		n, err = w.readHead(src)
		if err != nil || n == 0 {
			return n, ignoreEOF(err)
		}
	}
	switch w.state {
	case passing:
		m, err := io.Copy(w.below, src)
		return n + m, err
	case holding:
		m, err := w.readBody(src)
		return n + m, err
	}
	m, err := io.Copy(justWriter{w}, src) // pending: fewer bytes than it takes to decide
	return n + m, err
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// readHead reads as much as it takes to decide and to know a document by its
// beginning.
func (w *writer) readHead(src io.Reader) (int64, error) {
	var head [sniffSize]byte
	n, err := io.ReadFull(src, head[:])
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	if n > 0 {
		if _, werr := w.Write(head[:n]); werr != nil {
			return int64(n), werr
		}
	}
	return int64(n), err
}

func (w *writer) readBody(src io.Reader) (n int64, err error) {
	if lr, ok := src.(*io.LimitedReader); ok && lr.N > tailSize && w.fits(lr.N) {
		if err := w.send(len(w.buf)); err != nil {
			return 0, err
		}
		body := &io.LimitedReader{R: lr.R, N: lr.N - tailSize}
		n, err = io.Copy(w.below, body)
		lr.N -= n
		w.written += n
		w.buf, w.sent = w.buf[:0], 0
		if err != nil {
			return n, err
		}
	}
	m, err := io.CopyBuffer(justWriter{w}, justReader{src}, make([]byte, copySize))
	return n + m, err
}

func (w *writer) fits(n int64) bool { return w.declared < 0 || w.written+n <= w.declared }

type justWriter struct{ io.Writer }

type justReader struct{ io.Reader }

// FlushError is what http.ResponseController calls. Everything leaves but what
// may yet turn out to be the closing tags of the page.
func (w *writer) FlushError() error {
	switch w.state {
	case undecided, pending:
		if w.state == undecided {
			w.close(http.StatusOK)
		}
		w.decide(w.buf, true)
	}
	if w.state == holding {
		if err := w.send(len(w.buf) - closingTags(w.buf)); err != nil {
			return err
		}
	}
	return http.NewResponseController(w.below).Flush()
}

// Flush implements http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.below).Hijack()
	if err == nil {
		w.release()
		w.state, w.outcome = passing, Hijacked
	}
	return conn, rw, err
}

// Push implements http.Pusher.
func (w *writer) Push(target string, opts *http.PushOptions) error {
	for below := w.below; ; {
		if p, ok := below.(http.Pusher); ok {
			return p.Push(target, opts)
		}
		u, ok := below.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return errPush
		}
		below = u.Unwrap()
	}
}

var errPush = errors.Join(errors.New("middleware: push"), http.ErrNotSupported)

// CloseNotify implements the deprecated http.CloseNotifier, which Gin asserts.
func (w *writer) CloseNotify() <-chan bool {
	if n, ok := w.below.(interface{ CloseNotify() <-chan bool }); ok {
		return n.CloseNotify()
	}
	gone := make(chan bool, 1)
	ctx := w.resp.Context
	go func() { // ends with the request
		<-ctx.Done()
		gone <- true
	}()
	return gone
}
