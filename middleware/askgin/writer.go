package askgin

import (
	"bufio"
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

// writer is the gin.ResponseWriter above the middleware's own. Gin sets a status long
// before it is meant: before the Content-Type in every render, 404 and then 200 for a
// static file, -1 for a redirect. So a status goes straight to the Gin writer below, as
// it would without the prompt, and to the middleware with the first byte.
//
// Header, Status, CloseNotify and Pusher are those of the writer below.
type writer struct {
	gin.ResponseWriter
	core   core
	used   bool // a handler has seen it
	size   int
	set    bool // a status was set by the handler
	wrote  bool // something was written, though it may be held back
	due    bool // without the prompt, the head would have left
	headed bool // the middleware has set the status below
}

func (w *writer) WriteHeader(code int) {
	if !w.wrote {
		w.set = true
		w.ResponseWriter.WriteHeader(code)
	}
}

// begin passes the status to the middleware before the first byte. Only an
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

// WriteHeaderNow sends the head unless the middleware needs more of the page to know
// what goes into it. The adapter itself never sends it before a byte, because
// gin-contrib/gzip may still change it.
func (w *writer) WriteHeaderNow() {
	w.begin()
	w.due = true
	if w.headed {
		w.ResponseWriter.WriteHeaderNow()
	}
}

func (w *writer) Write(p []byte) (int, error) {
	w.begin()
	n, err := w.core.Write(p)
	w.size += n
	w.due = true
	return n, err
}

func (w *writer) WriteString(s string) (int, error) {
	w.begin()
	n, err := w.core.WriteString(s)
	w.size += n
	w.due = true
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

func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.core.Hijack() }

func (w *writer) use(inner http.ResponseWriter) { w.core, w.used = inner.(core), true }

// end ends the response as the handlers left it.
func (w *writer) end() {
	if w.set && !w.wrote {
		w.core.WriteHeader(w.Status()) // no body, as for HEAD
	}
}

// finish ends the response below, when the prompt is placed.
func (w *writer) finish() {
	if w.wrote && !w.ResponseWriter.Written() {
		w.ResponseWriter.WriteHeaderNow() // even an empty write sends the head in Gin
	}
}

// Unwrap is for http.ResponseController, and lets the middleware find itself.
func (w *writer) Unwrap() http.ResponseWriter { return w.core }

// below is the same writer as the middleware sees it: Gin's, which notes whether the
// status has come through. A head that is due leaves with it; otherwise it would leave
// with what the handler has done to the header since.
type below writer

func (b *below) WriteHeader(code int) {
	b.headed = true
	b.ResponseWriter.WriteHeader(code)
	if b.due {
		b.ResponseWriter.WriteHeaderNow()
	}
}

func (b *below) Unwrap() http.ResponseWriter { return b.ResponseWriter }
