package page

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
)

// The optional interfaces of an http.ResponseWriter. Frameworks assert them on the
// writer itself and do not look below it, so Unwrap alone is not enough. What the
// writer below does not support returns an error that matches http.ErrNotSupported.

// ReadFrom implements [io.ReaderFrom]. If the handler has declared the length, all
// but the beginning and the tail goes to the writer below in one piece, so that a
// file still leaves by sendfile.
func (w *writer) ReadFrom(src io.Reader) (n int64, err error) {
	chunk := buffers.Get().(*buffer)
	defer buffers.Put(chunk)
	for size := sniffSize; ; size = w.readSize() { // net/http begins with as much, too
		switch w.state {
		case passing:
			m, err := io.Copy(w.below, src)
			return n + m, err
		case discarding:
			m, err := io.Copy(io.Discard, src)
			return n + m, err
		case holding:
			m, err := w.sendDirectly(src)
			if n += m; err != nil {
				return n, err
			}
		}
		m, err := src.Read(chunk.body[:size])
		if m > 0 {
			n += int64(m)
			if _, werr := w.Write(chunk.body[:m]); werr != nil {
				return n, werr
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// readSize is how much ReadFrom reads at a time: of a large page whose length is known
// only what it takes to see how it begins.
func (w *writer) readSize() int {
	if w.declared > bufferSize && w.written < headSize {
		return headSize - int(w.written)
	}
	return bufferSize
}

// sendDirectly lets bytes of src pass that cannot be in the tail because the
// handler has declared that more will come. When they do not, the response is
// broken anyway.
func (w *writer) sendDirectly(src io.Reader) (n int64, err error) {
	limit := w.declared - w.written - tailSize
	if limit <= 0 || w.written < headSize {
		return 0, nil
	}
	if !begin(w, "") {
		return 0, nil // ReadFrom goes on with the state that this has led to
	}
	body := &io.LimitedReader{R: src, N: limit}
	limited, _ := src.(*io.LimitedReader)
	if limited != nil { // net/http and the system below look through one of these, not two
		body.R, body.N = limited.R, min(limit, limited.N)
	}
	if err := w.send(len(w.buf)); err != nil {
		return 0, err
	}
	w.buf, w.sent = w.buf[:0], 0
	n, err = io.Copy(w.below, body)
	if limited != nil {
		limited.N -= n
	}
	w.written += n
	return n, err
}

// FlushError is what http.ResponseController calls. Everything leaves but what
// may yet turn out to be the closing tags of the page.
func (w *writer) FlushError() error {
	if w.state == undecided {
		w.close(http.StatusOK)
	}
	if w.state == pending {
		w.closed = true
		w.decide(w.buf, byFlush)
	}
	if w.state == holding {
		w.take()
		if begin(w, "") {
			if err := w.send(len(w.buf) - closingTags(w.buf)); err != nil {
				return err
			}
		}
	}
	return http.NewResponseController(w.below).Flush()
}

// Flush implements http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker. What was written before leaves before.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.state == pending {
		w.decide(w.buf, byFlush)
	}
	if w.state == holding {
		w.commit(false, false)
		if err := w.send(len(w.buf)); err != nil {
			return nil, nil, err
		}
	}
	conn, rw, err := http.NewResponseController(w.below).Hijack()
	if err == nil {
		w.release()
		w.state, w.outcome = passing, OutcomeHijacked
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
			return fmt.Errorf("page: push: %w", http.ErrNotSupported)
		}
		below = u.Unwrap()
	}
}

// CloseNotify implements the deprecated http.CloseNotifier, which Gin asserts.
func (w *writer) CloseNotify() <-chan bool {
	if n, ok := w.below.(interface{ CloseNotify() <-chan bool }); ok {
		return n.CloseNotify()
	}
	gone := make(chan bool, 1)
	ctx := w.resp.request.Context()
	go func() { // ends with the request
		<-ctx.Done()
		gone <- true
	}()
	return gone
}
