package askgin

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"
)

// core is the part of the middleware's writer that is used here.
type core interface {
	http.ResponseWriter
	http.Flusher
	http.Hijacker
	io.StringWriter
}

// writer is the gin.ResponseWriter that stands above the middleware's own. Gin
// sets a status long before it is meant: before the Content-Type in every
// render, 404 and then 200 for a static file, -1 for a redirect. So a status
// goes straight to the Gin writer below, as it would without the prompt, and
// the middleware hears of it at the first byte.
//
// Header, Status, CloseNotify and Pusher are those of the writer below.
type writer struct {
	gin.ResponseWriter
	core   core
	wrote  bool // something was written, though it may be held back
	size   int
	headed bool // the middleware has set the status below
}

func (w *writer) WriteHeader(code int) {
	if !w.wrote {
		w.ResponseWriter.WriteHeader(code)
	}
}

// begin tells the middleware the status before the first byte. Only an
// informational one has to leave at once.
func (w *writer) begin() {
	if w.wrote {
		return
	}
	w.wrote = true
	status := w.Status()
	w.core.WriteHeader(status)
	if status < http.StatusOK && w.headed {
		w.ResponseWriter.WriteHeaderNow()
	}
}

// WriteHeaderNow sends the head unless the middleware needs the first bytes to
// know what goes into it. Of itself the adapter never sends it before a byte:
// gin-contrib/gzip may yet change its mind.
func (w *writer) WriteHeaderNow() {
	w.begin()
	if w.headed {
		w.ResponseWriter.WriteHeaderNow()
	}
}

func (w *writer) Write(p []byte) (int, error) {
	w.begin()
	n, err := w.core.Write(p)
	w.size += n
	return n, err
}

func (w *writer) WriteString(s string) (int, error) {
	w.begin()
	n, err := w.core.WriteString(s)
	w.size += n
	return n, err
}

func (w *writer) Written() bool { return w.wrote || w.ResponseWriter.Written() }

func (w *writer) Size() int {
	if !w.wrote {
		return w.ResponseWriter.Size()
	}
	return w.size
}

func (w *writer) Flush() {
	w.begin()
	w.core.Flush()
}

var errWritten = errors.New("askgin: hijack: the response body has been written")

// Hijack is refused after a byte of the body, as Gin does it.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.size > 0 {
		return nil, nil, errWritten
	}
	return w.core.Hijack()
}

// Unwrap is for http.ResponseController, and for the middleware to find itself.
func (w *writer) Unwrap() http.ResponseWriter { return w.core }

// below is the same writer as the middleware sees it: Gin's, which notes
// whether the status has come through.
type below writer

func (b *below) WriteHeader(code int) {
	b.headed = true
	b.ResponseWriter.WriteHeader(code)
}

func (b *below) Unwrap() http.ResponseWriter { return b.ResponseWriter }
