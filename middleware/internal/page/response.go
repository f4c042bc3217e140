package page

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
)

// A Snippet is what goes into one page.
type Snippet interface {
	// Fits reports whether a page with this header can have the snippet. The header
	// must not be changed.
	Fits(h http.Header) bool
	// Bytes returns the snippet, once Fits has returned true. The language is the
	// lang attribute of the page's html element, or "" if the page has none or its
	// beginning has left before it was written.
	Bytes(language string) []byte
	// Tag is what the entity tag of a page with this snippet ends with, inside of the
	// quotes.
	Tag() string
	// Carry changes the header of a page that is about to leave with the snippet.
	Carry(h http.Header)
}

// A Response is one response that may get a snippet. It is used by one handler, like
// the [http.ResponseWriter] that it stands for.
type Response struct {
	original *http.Request
	request  *http.Request // a copy of it, for the handler
	writer   writer
	snippet  Snippet
	finished bool
	tooLate  atomic.Bool // the header has left as one that a shared cache may keep

	// Middlewares that are mounted twice share one snippet and the claim of the
	// outermost.
	claim *claim
	own   claim
}

// Init prepares r for the response that w writes to the request. The request's copy
// gets the context ctx. If outer is not nil, both share one snippet.
func (p *Response) Init(ctx context.Context, w http.ResponseWriter, r *http.Request, s Snippet, outer *Response) {
	p.original, p.snippet = r, s
	p.claim = &p.own
	if outer != nil {
		p.claim = outer.claim
	}
	p.writer.below, p.writer.resp = w, p
	if e := w.Header()["Content-Encoding"]; len(e) > 0 {
		p.writer.encoding = e[0]
	}
	p.request = r.WithContext(ctx)
	p.prepareHeader(r.Header)
}

// Writer returns what the handler writes to.
func (p *Response) Writer() http.ResponseWriter { return &p.writer }

// Request returns the request for the handler.
func (p *Response) Request() *http.Request { return p.request }

// Claim takes the snippet's place for the app, which renders it itself: nothing is
// injected then. It returns false if the snippet is in the page already, or if a
// header has left that lets a shared cache keep the page.
func (p *Response) Claim() bool {
	return p.claim.by(byApp) || !p.tooLate.Load() && p.claim.take(byApp)
}

// Finish places the snippet at the end of the page. If the handler has panicked,
// what was held back leaves as it is instead. From now on the writer passes
// everything through. A second call changes nothing and returns false.
func (p *Response) Finish(panicked bool) (o Outcome, first bool) {
	if p.finished {
		return OutcomeNoAnswer, false
	}
	p.finished = true
	if form := p.request.MultipartForm; form != nil {
		p.original.MultipartForm = form // net/http removes the uploads of the request that it has made
	}
	o = p.writer.finish(panicked)
	p.tooLate.Store(true)
	if p.claim.by(byWriter) && !panicked {
		o = OutcomeInjected // perhaps by a response within this one
	}
	return o, true
}

// IsBelow reports whether the writer of p is somewhere below w and still at work.
func (p *Response) IsBelow(w http.ResponseWriter) bool {
	for {
		if w == http.ResponseWriter(&p.writer) {
			return !p.finished
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
}

// prepareHeader hides from the handler what would keep the snippet out: the
// validators of a copy without it, which would be answered with 304, and the wish for
// compression, unless an outer compressor has announced itself and needs to see it.
// The header is never changed in place, because others hold it.
func (p *Response) prepareHeader(h http.Header) {
	_, accept := h["Accept-Encoding"]
	accept = accept && p.writer.encoding == ""
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
		own := ownValidators(h["If-None-Match"], p.snippet.Tag())
		delete(h, "If-None-Match")
		if own != "" {
			h["If-None-Match"] = []string{own}
			p.writer.revalidates = true
		}
	}
	p.request.Header = h
}

// ownValidators returns the entity tags of pages that carry this very snippet, as
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

// claim says who has taken the snippet's place in a request.
type claim struct{ owner atomic.Uint32 }

const (
	nobody uint32 = iota
	byApp
	byWriter
)

func (c *claim) take(owner uint32) bool { return c.owner.CompareAndSwap(nobody, owner) }
func (c *claim) by(owner uint32) bool   { return c.owner.Load() == owner }
func (c *claim) release()               { c.owner.Store(nobody) }
