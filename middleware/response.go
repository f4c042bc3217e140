package middleware

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware/internal/prompt"
)

// decision is what there is to place into one response, and for whom.
type decision struct {
	prompt   gate.Prompt
	rendered *prompt.Prompt
	user     string
	history  gate.History // before this showing
}

// Who has the prompt of a request.
const (
	free = iota
	byApp
	byMiddleware
)

// PromptFrom returns the prompt of the request with this context, for an app
// that renders it in its own template; nothing is injected then. It is false
// when there is nobody to ask, when the prompt is in the page already, and when
// the header of a response without prompt has left: ask before the first byte.
// The prompt's URL is what its link should point to, in a new tab with
// rel="noopener". It takes any context.Context, a framework's included.
func PromptFrom(ctx context.Context) (gate.Prompt, bool) {
	r := responseFrom(ctx)
	if r == nil {
		return gate.Prompt{}, false
	}
	taken := &r.root.taken
	if !r.tooLate.Load() && taken.CompareAndSwap(free, byApp) || taken.Load() == byApp {
		return r.root.prompt, true
	}
	return gate.Prompt{}, false
}

type contextKey struct{}

// ContextKey is for adapters of frameworks whose own context does not pass Value
// on to the request's. What the context of Response.Request holds under this key,
// such an adapter keeps in the framework's under the same key, so that PromptFrom
// finds it there.
const ContextKey = "github.com/askonce/askonce/middleware"

func responseFrom(ctx context.Context) *Response {
	if r, ok := ctx.Value(contextKey{}).(*Response); ok {
		return r
	}
	r, _ := ctx.Value(ContextKey).(*Response)
	return r
}

// Response is one response that may get the prompt. It is used by one handler,
// like the http.ResponseWriter that it stands for.
type Response struct {
	context.Context // the request's, with the Response in it
	m               *Middleware
	original        *http.Request
	request         *http.Request // a copy of it, for the handler
	writer          writer
	finished        bool

	// Middlewares that are mounted twice share one decision and one prompt: the
	// outermost Response's, which is its own root.
	root *Response
	decision
	taken   atomic.Uint32 // free, byApp or byMiddleware
	tooLate atomic.Bool   // the header has left without "private"
	counted bool          // the showing is in the header
}

func newResponse(m *Middleware, w http.ResponseWriter, r *http.Request, outer *Response, d decision) *Response {
	resp := &Response{Context: r.Context(), m: m, original: r, decision: d, writer: writer{below: w}}
	resp.root, resp.writer.resp = resp, resp
	if outer != nil {
		resp.root = outer.root
	}
	if e := w.Header()["Content-Encoding"]; len(e) > 0 {
		resp.writer.encoding = e[0]
	}
	resp.request = r.WithContext(resp)
	resp.prepareHeader(r.Header)
	return resp
}

// Value makes the Response its own request's context: one allocation for both.
func (r *Response) Value(key any) any {
	if key == (contextKey{}) || key == ContextKey {
		return r
	}
	return r.Context.Value(key)
}

// Writer is what the handler shall write to.
func (r *Response) Writer() http.ResponseWriter { return &r.writer }

// Request is what the handler shall be given.
func (r *Response) Request() *http.Request { return r.request }

// Finish places the prompt at the end of the page; if the handler has panicked,
// what was held back leaves as it is instead. It may be called more than once;
// from the first call on the writer passes everything through.
func (r *Response) Finish(panicked bool) {
	if r.finished {
		return
	}
	r.finished = true
	if form := r.request.MultipartForm; form != nil {
		r.original.MultipartForm = form // net/http removes the files of uploads from the request that it has made
	}
	outcome := r.writer.finish(panicked)
	r.tooLate.Store(true)
	if r.root != r || r.m.opts.OnPrompt == nil {
		return
	}
	if r.taken.Load() == byMiddleware && !panicked {
		outcome = OutcomeInjected // perhaps by a middleware within this one
	}
	r.m.opts.OnPrompt(r.request, outcome)
}

// isBelow reports whether outer's writer stands somewhere below w and is still
// at work.
func isBelow(outer *Response, w http.ResponseWriter) bool {
	for {
		if w == http.ResponseWriter(&outer.writer) {
			return !outer.finished
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
}

// prepareHeader hides from the handler what would keep the prompt out: the
// validators of a copy without this prompt, which would be answered 304, and
// the wish for compression, unless an outer compressor has announced itself and
// needs to see it. The header is never changed in place: others hold it.
func (r *Response) prepareHeader(h http.Header) {
	_, accept := h["Accept-Encoding"]
	accept = accept && r.writer.encoding == ""
	_, match := h["If-None-Match"]
	_, since := h["If-Modified-Since"]
	if !accept && !match && !since {
		return
	}
	h = maps.Clone(h)
	if accept {
		delete(h, "Accept-Encoding")
	}
	delete(h, "If-Modified-Since")
	if match {
		own := ownValidators(h["If-None-Match"], r.root.rendered.Tag())
		delete(h, "If-None-Match")
		if own != "" {
			h["If-None-Match"] = []string{own}
			r.writer.revalidates = true
		}
	}
	r.request.Header = h
}

// ownValidators keeps the entity tags of pages that carry this very prompt, as
// the handler knows them.
func ownValidators(values []string, tag string) string {
	var own []string
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			part = strings.TrimSpace(part)
			if plain, ok := strings.CutSuffix(part, tag+`"`); ok {
				own = append(own, plain+`"`)
			}
		}
	}
	return strings.Join(own, ", ")
}
