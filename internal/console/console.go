// Package console serves the operator's pages: studies, people, interviews, the queue
// and deliveries, rendered on the server and without JavaScript. Package askonce
// exports it.
//
// The last element of a request's path names the page, and everything else is in the
// query. So the console works below any prefix, with and without [http.StripPrefix]
// and behind any router, and its links are relative: "queue", "interview?id=…".
//
// A page loads its parts at the same time and waits [patience] for the store and the
// provider. It shows the parts that it got, and says of the others why they are
// missing.
package console

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
)

// Parts are what the console shows. All but Middleware and Logger are required.
type Parts struct {
	Gates      *gate.Group
	Webhook    *webhook.Handler
	Store      store.Store
	Middleware *middleware.Middleware
	Logger     *slog.Logger // defaults to slog.Default()
}

const maxForm = 64 << 10 // bytes

type console struct {
	Parts
	allow    func(*http.Request) bool
	started  time.Time
	pages    http.Handler
	panicked atomic.Bool   // a panic of allow has been logged
	calls    chan struct{} // holds an item for each call in flight
}

// New returns the console. It answers a request that allow does not accept with a plain
// 404. A nil allow or a missing part panics.
func New(p Parts, allow func(*http.Request) bool) http.Handler {
	switch {
	case p.Gates == nil:
		panic("console: New: Gates is nil")
	case p.Webhook == nil:
		panic("console: New: Webhook is nil")
	case p.Store == nil:
		panic("console: New: Store is nil")
	case allow == nil:
		panic("console: New: allow is nil")
	}
	p.Logger = cmp.Or(p.Logger, slog.Default())
	c := &console{Parts: p, allow: allow, started: time.Now(), calls: make(chan struct{}, maxCalls)}
	c.pages = http.NewCrossOriginProtection().Handler(c.routes())
	return c
}

// routes returns the handler of all pages and actions, whose paths have one element.
func (c *console) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /style.css", c.style)
	mux.HandleFunc("GET /{$}", c.overview)
	mux.HandleFunc("POST /pause", c.pause)
	mux.HandleFunc("GET /people", c.people)
	mux.HandleFunc("POST /people", c.people)
	mux.HandleFunc("POST /reset", c.reset)
	mux.HandleFunc("POST /erase", c.erase)
	mux.HandleFunc("POST /preview", c.preview)
	mux.HandleFunc("GET /interviews", c.interviews)
	mux.HandleFunc("GET /interview", c.interview)
	mux.HandleFunc("GET /transcript", c.download)
	mux.HandleFunc("POST /delete-transcript", c.deleteTranscript)
	mux.HandleFunc("GET /export", c.export)
	mux.HandleFunc("GET /queue", c.queue)
	mux.HandleFunc("POST /requeue", c.requeue)
	mux.HandleFunc("POST /requeue-all", c.requeueAll)
	mux.HandleFunc("POST /delete-letter", c.deleteLetter)
	mux.HandleFunc("GET /deliveries", c.deliveries)
	return mux
}

func (c *console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store") // caches may keep a 404
	if !c.allowed(r) {
		http.NotFound(w, r)
		return
	}
	h.Set("Cache-Control", "no-store, no-transform") // keeps the middleware from adding a prompt
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	path := r.URL.Path[max(0, strings.LastIndexByte(r.URL.Path, '/')):]
	switch path {
	case "":
		c.addSlash(w, r)
		return
	case "/.", "/..": // http.ServeMux would redirect
		http.NotFound(w, r)
		return
	}
	inner := *r
	inner.URL = &url.URL{Path: path, RawQuery: r.URL.RawQuery}
	if r.Body != nil {
		inner.Body = http.MaxBytesReader(w, r.Body, maxForm)
	}
	c.pages.ServeHTTP(w, &inner)
}

// allowed calls the app's check. If that panics, the request is refused.
func (c *console) allowed(r *http.Request) bool {
	ok, err := guard.Get(func() (bool, error) { return c.allow(r), nil })
	if err != nil && c.panicked.CompareAndSwap(false, true) {
		c.Logger.ErrorContext(r.Context(), "askonce: the console's check panicked, nobody is let in", "err", err, guard.Stack(err))
	}
	return ok
}

// addSlash redirects from the console's own path without its final slash, where
// relative links would lead out of the console. http.StripPrefix leaves an empty path
// there.
func (c *console) addSlash(w http.ResponseWriter, r *http.Request) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	name := path[strings.LastIndexByte(path, '/')+1:]
	if name == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Location", "./"+name+"/") // http.Redirect would make it absolute
	w.WriteHeader(http.StatusMovedPermanently)
}
