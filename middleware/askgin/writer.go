package askgin

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"
)

// core is what this package uses of the middleware's writer.
type core interface {
	http.ResponseWriter
	http.Flusher
	http.Hijacker
	io.StringWriter
}

// writer is a [gin.ResponseWriter] around the middleware's writer. Gin sets a status before
// it is final: before the Content-Type when it renders, 404 and then 200 for a static file,
// -1 for a redirect. So WriteHeader sets the status of Gin's own writer only, as without the
// prompt, and the middleware gets it with the first byte.
//
// Header, Status, CloseNotify and Pusher are those of Gin's own writer.
type writer struct {
	gin.ResponseWriter
	core   core
	used   bool // handlers were given it
	size   int
	set    bool // a handler has set a status
	wrote  bool // a handler has written something; it may be held back
	due    bool // without the prompt, the header would have been sent
	headed bool // the middleware has set the status of Gin's writer
}

func (w *writer) WriteHeader(code int) {
	if !w.wrote {
		w.set = true
		w.ResponseWriter.WriteHeader(code)
	}
}

// begin gives the middleware the status before the first byte. An informational status is
// sent at once.
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

// WriteHeaderNow sends the header, unless the middleware has to see more of the page first.
// Nothing else in this package sends it before the first byte, because gin-contrib/gzip may
// still change it.
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

// end gives the middleware the status of a response without a body, such as one to HEAD.
func (w *writer) end() {
	if w.set && !w.wrote {
		w.core.WriteHeader(w.Status())
	}
}

// finish sends the header, if what was written has not: even an empty write sends it in Gin.
func (w *writer) finish() {
	if w.wrote && !w.ResponseWriter.Written() {
		w.ResponseWriter.WriteHeaderNow()
	}
}

// Unwrap is for [http.ResponseController], and lets the middleware find its own writer.
func (w *writer) Unwrap() http.ResponseWriter { return w.core }

// below is the writer that the middleware writes to: Gin's own. It notes that the
// middleware has set the status. If the header is due, it is sent at once, without later
// changes of the handler.
type below writer

func (b *below) WriteHeader(code int) {
	b.headed = true
	b.ResponseWriter.WriteHeader(code)
	if b.due {
		b.ResponseWriter.WriteHeaderNow()
	}
}

func (b *below) Unwrap() http.ResponseWriter { return b.ResponseWriter }
