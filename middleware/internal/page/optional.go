package page

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
)

// This file has the optional interfaces of an [http.ResponseWriter]. Frameworks assert them
// on the writer that they are given, so Unwrap is not enough. What the underlying writer
// does not support returns an error that matches [http.ErrNotSupported].

// ReadFrom implements [io.ReaderFrom]. If the handler has declared the length of a large
// page, everything but the beginning and the tail is copied straight to the underlying
// writer, so that the kernel can still copy a file to the connection (sendfile).
func (p *Response) ReadFrom(src io.Reader) (n int64, err error) {
	chunk := buffers.Get().(*buffer)
	defer buffers.Put(chunk)
	for {
		size := bufferSize
		switch {
		case p.state >= passing:
			m, err := io.Copy(p.ResponseWriter, src)
			return n + m, err
		case p.state == discarding:
			m, err := io.Copy(io.Discard, src)
			return n + m, err
		case len(p.head) < headSize:
			size = headSize - len(p.head)
		case p.declared > bufferSize:
			m, err := p.sendDirectly(src)
			if n += m; err != nil {
				return n, err
			}
		}
		m, err := src.Read(chunk.body[:size])
		if m > 0 {
			n += int64(m)
			if _, werr := p.Write(chunk.body[:m]); werr != nil {
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

// sendDirectly copies to the underlying writer what cannot be in the tail of the page,
// because the handler has declared more bytes after it. If they do not come, the response
// is broken anyway.
func (p *Response) sendDirectly(src io.Reader) (n int64, err error) {
	limit := p.declared - p.gone - int64(len(p.buf)) - tailSize
	if limit <= 0 {
		return 0, nil
	}
	if p.state == collecting {
		p.decide(midway)
	}
	if p.state != streaming {
		return 0, nil
	}
	if err := p.send(len(p.buf)); err != nil {
		return 0, err
	}
	p.gone, p.buf, p.sent = p.gone+int64(len(p.buf)), p.buf[:0], 0
	body := &io.LimitedReader{R: src, N: limit}
	limited, _ := src.(*io.LimitedReader)
	if limited != nil { // net/http uses sendfile through one LimitedReader, not through two
		body.R, body.N = limited.R, min(limit, limited.N)
	}
	n, err = io.Copy(p.ResponseWriter, body)
	if limited != nil {
		limited.N -= n
	}
	p.gone += n
	return n, err
}

// FlushError implements the Flush of [http.ResponseController]. It sends everything but what
// may be the closing tags of the page.
func (p *Response) FlushError() error {
	if p.state == undecided {
		p.begin(http.StatusOK)
	}
	if p.state == collecting {
		p.decide(midway)
	}
	if p.state == streaming {
		if err := p.send(len(p.buf) - closingTags(p.buf)); err != nil {
			return err
		}
	}
	return http.NewResponseController(p.ResponseWriter).Flush()
}

// Flush implements [http.Flusher].
func (p *Response) Flush() { _ = p.FlushError() }

// Hijack implements [http.Hijacker]. It first sends what was held back.
func (p *Response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	switch p.state {
	case collecting:
		p.decide(abandoned)
	case streaming:
		if err := p.send(len(p.buf)); err != nil {
			return nil, nil, err
		}
	}
	conn, rw, err := http.NewResponseController(p.ResponseWriter).Hijack()
	if err == nil {
		p.state, p.outcome = passing, OutcomeHijacked
		p.release()
	}
	return conn, rw, err
}

// Push implements [http.Pusher].
func (p *Response) Push(target string, opts *http.PushOptions) error {
	for below := p.ResponseWriter; ; {
		if pusher, ok := below.(http.Pusher); ok {
			return pusher.Push(target, opts)
		}
		u, ok := below.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return fmt.Errorf("page: push: %w", http.ErrNotSupported)
		}
		below = u.Unwrap()
	}
}

// CloseNotify implements the deprecated [http.CloseNotifier], which Gin asserts.
func (p *Response) CloseNotify() <-chan bool {
	if n, ok := p.ResponseWriter.(interface{ CloseNotify() <-chan bool }); ok {
		return n.CloseNotify()
	}
	gone := make(chan bool, 1)
	ctx := p.Request.Context()
	go func() { // ends with the request
		<-ctx.Done()
		gone <- true
	}()
	return gone
}
