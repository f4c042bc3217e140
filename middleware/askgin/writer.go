package askgin

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/askonce/askonce/middleware"
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

// finish ends the response as the handler left it.
func (w *writer) finish(resp *middleware.Response, panicked bool) {
	if w.set && !w.wrote && !panicked {
		w.core.WriteHeader(w.Status()) // no body, as for HEAD
	}
	resp.Finish(panicked)
	if w.wrote && !w.ResponseWriter.Written() {
		w.ResponseWriter.WriteHeaderNow() // even an empty write sends the head in Gin
	}
}

// Unwrap is for http.ResponseController, and for the middleware to find itself.
func (w *writer) Unwrap() http.ResponseWriter { return w.core }

// below is the same writer as the middleware sees it: Gin's, which notes
// whether the status has come through. A head that is due leaves with it, or
// what the handler has done to the header since would go along.
type below writer

func (b *below) WriteHeader(code int) {
	b.headed = true
	b.ResponseWriter.WriteHeader(code)
	if b.due {
		b.ResponseWriter.WriteHeaderNow()
	}
}

func (b *below) Unwrap() http.ResponseWriter { return b.ResponseWriter }
