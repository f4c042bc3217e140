package page

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
)

// A Snippet is what is injected into one page.
type Snippet interface {
	// Render returns the snippet, or false if a page with this header cannot have it. It
	// must not change the header. The language is the lang attribute of the page's html
	// element, or "" if there is none or if it is not known when the header is sent. Before
	// a 304 for a cached page with the snippet, the result is not used.
	Render(h http.Header, language string) (snippet []byte, ok bool)

	// Tag returns what is appended to the entity tag of a page with this snippet.
	Tag() string

	// Carry changes the header of a page with the snippet, just before it is sent. It is
	// called after Render, unless the app renders the snippet.
	Carry(h http.Header)
}

// A Response is the [http.ResponseWriter] of one response that may get a snippet. Like any
// ResponseWriter, it is not safe for concurrent use; only Claim and IsClaimed are. Its state
// only moves forward:
//
//	undecided   Nothing has been written.
//	collecting  The header allows the snippet. Header and body wait in the buffer.
//	streaming   The header of a page with the snippet has been sent. So is the body, except
//	            for its tail.
//	discarding  The same for HEAD: the header has been sent, and the body is dropped.
//	passing     There will be no snippet. Everything goes to the underlying writer.
//	finished    The handler has returned. Everything goes to the underlying writer.
//
// The first write or WriteHeader begins the response: it collects if the header allows the
// snippet, and passes if not. Once the buffer is full, the handler flushes or the handler
// returns, decide sends the header; the response then streams, discards or passes. Finish
// completes a response that streams.
//
// Responses are not pooled, because error pages and goroutines that outlive the handler
// may still write to them. Only their buffers are pooled.
type Response struct {
	http.ResponseWriter // the underlying one

	// Request is the request to call the handler with.
	Request *http.Request

	original    *http.Request
	snippet     Snippet
	encoding    string // the Content-Encoding that an outer compressor set before the handler ran
	revalidates bool   // the browser has sent the entity tag of a page with this snippet

	root    *Response     // the outermost response of the request, which keeps the owner
	owner   atomic.Uint32 // who renders the snippet: nobody, byApp or byWriter
	tooLate atomic.Bool   // a header that lets shared caches keep the page has been sent

	state    state
	outcome  Outcome
	status   int
	explicit bool    // WriteHeader must be called, because the handler has or the header was restored
	sniff    bool    // there is no Content-Type: net/http would detect it
	declared int64   // the handler's Content-Length, noLength or invalidLength
	snapshot []field // the header as it was at the first write or WriteHeader

	pooled *buffer
	head   []byte    // the first bytes of the page, up to headSize
	buf    []byte    // the last bytes of the page, at least tailSize unless it is shorter
	gone   int64     // the size of the page before buf
	sent   int       // how many bytes of buf have been sent
	at     int       // where in buf the snippet goes; set when the page has ended
	code   []byte    // the snippet; set when the header is sent
	values [2]string // the values of two header fields, to save their allocation
}

type state uint8

const (
	undecided state = iota
	collecting
	streaming
	discarding
	passing
	finished
)

const (
	noLength      = -1
	invalidLength = -2
)

// The owners of the snippet.
const (
	nobody uint32 = iota
	byApp
	byWriter
)

// moment says when the header is sent.
type moment uint8

const (
	midway    moment = iota // the page may go on
	atEnd                   // the handler has returned
	abandoned               // the handler has panicked or hijacks the connection
)

const (
	tailSize   = 1 << 10          // the end of the page, which is read and so held back
	bufferSize = 4<<10 + tailSize // writes of 4 KB fill net/http's own buffer
)

// buffer is the memory of one response. Its body has room for the snippet too, so that the
// snippet and the end of the page are sent with one Write.
type buffer struct {
	body   [bufferSize + 6<<10]byte
	head   [headSize]byte
	fields [16]field
}

// field is one field of a header.
type field struct {
	name   string
	values []string
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// Init prepares p to write the response to r through w. The handler's request gets the
// context ctx. If the request already has a Response, outer is its outermost one, and the
// snippet appears in one of them only.
func (p *Response) Init(ctx context.Context, w http.ResponseWriter, r *http.Request, s Snippet, outer *Response) {
	p.ResponseWriter, p.original, p.snippet, p.root = w, r, s, p
	if outer != nil {
		p.root = outer
	}
	p.encoding = w.Header().Get("Content-Encoding")
	p.Request = r.WithContext(ctx)
	p.hideFromHandler(r.Header)
}

// Claim makes the app the owner of the snippet: the app renders it itself, and nothing is
// injected. Claim returns false if the snippet has been injected, or if a header that lets
// shared caches keep the page has been sent.
func (p *Response) Claim() bool {
	return p.IsClaimed() || !p.tooLate.Load() && p.root.owner.CompareAndSwap(nobody, byApp)
}

// IsClaimed reports whether the app is the owner of the snippet. It is safe for concurrent
// use.
func (p *Response) IsClaimed() bool { return p.root.owner.Load() == byApp }

// IsBelow reports whether what is written to w still goes through p, which has not finished.
func (p *Response) IsBelow(w http.ResponseWriter) bool {
	for {
		if w == http.ResponseWriter(p) {
			return p.state != finished
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
}

// Unwrap returns the underlying writer, for [http.ResponseController].
func (p *Response) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// WriteHeader implements [http.ResponseWriter]. Informational statuses are sent at once
// and begin nothing (RFC 9110, section 15.2).
func (p *Response) WriteHeader(status int) {
	switch {
	case p.state == collecting: // superfluous
	case status < 200 && status != http.StatusSwitchingProtocols, p.state > collecting:
		p.ResponseWriter.WriteHeader(status) // net/http logs a superfluous one
	default:
		p.explicit = true
		p.begin(status)
	}
}

// begin fixes the status and the header, as net/http does at the first write or
// WriteHeader.
func (p *Response) begin(status int) {
	h := p.Header()
	_, typed := h["Content-Type"] // a nil value forbids net/http to detect it
	p.status, p.sniff = status, !typed && len(h["Transfer-Encoding"]) == 0
	p.declared = noLength
	if v := h["Content-Length"]; len(v) > 0 {
		n, err := strconv.ParseInt(v[0], 10, 62)
		if p.declared = n; err != nil || n < 0 || len(v) > 1 {
			p.declared = invalidLength
		}
	}
	if p.outcome = p.refusal(h); p.outcome != OutcomeNoAnswer {
		p.pass()
		return
	}
	p.state = collecting
	p.pooled = buffers.Get().(*buffer)
	p.buf, p.head, p.snapshot = p.pooled.body[:0], p.pooled.head[:0], p.pooled.fields[:0]
	for name, values := range h {
		p.snapshot = append(p.snapshot, field{name, values})
	}
}

// Write implements [io.Writer]. What is held back counts as written.
func (p *Response) Write(b []byte) (int, error) {
	return write(p, b)
}

// WriteString implements [io.StringWriter].
func (p *Response) WriteString(s string) (int, error) {
	return write(p, s)
}

func write[T string | []byte](p *Response, b T) (int, error) {
	if len(p.head) == headSize && p.declared < 0 && len(p.buf)+len(b) <= bufferSize {
		p.buf = append(p.buf, b...) // as most of the short writes of a template
		return len(b), nil
	}
	if p.state == undecided {
		p.begin(http.StatusOK)
	}
	if p.state == collecting || p.state == streaming {
		if p.declared >= 0 && p.gone+int64(len(p.buf)+len(b)) > p.declared {
			return 0, http.ErrContentLength // net/http cannot tell: it expects the snippet as well
		}
		p.head = append(p.head, b[:min(len(b), headSize-len(p.head))]...)
		full := len(p.buf)+len(b) > bufferSize
		if p.state == collecting && (full || p.isCompressed()) {
			p.decide(midway)
		} else if !full {
			p.buf = append(p.buf, b...)
			return len(b), nil
		}
	}
	switch p.state {
	case streaming:
		return stream(p, b)
	case discarding:
		return len(b), nil
	}
	return writeTo(p.ResponseWriter, b)
}

// stream sends everything but the last tailSize bytes of buf and b.
func stream[T string | []byte](p *Response, b T) (int, error) {
	n := len(p.buf) + len(b) - tailSize
	p.gone += int64(n)
	fromBuf := min(n, len(p.buf))
	if err := p.send(fromBuf); err != nil {
		return 0, err
	}
	p.buf, p.sent = p.buf[:copy(p.buf, p.buf[fromBuf:])], max(0, p.sent-fromBuf)
	fromB := n - fromBuf
	if fromB > 0 {
		if n, err := writeTo(p.ResponseWriter, b[:fromB]); err != nil {
			return n, err
		}
	}
	p.buf = append(p.buf, b[fromB:]...)
	return len(b), nil
}

func writeTo[T string | []byte](w io.Writer, b T) (int, error) {
	switch b := any(b).(type) {
	case string:
		return io.WriteString(w, b)
	case []byte:
		return w.Write(b)
	}
	return 0, nil
}

// send sends the first n bytes of buf, unless they have been sent already.
func (p *Response) send(n int) error {
	if n <= p.sent {
		return nil
	}
	_, err := p.ResponseWriter.Write(p.buf[p.sent:n])
	p.sent = n
	return err
}

// decide leaves the collecting state. It sends the header with the changes for the snippet,
// unless what was collected shows that the page cannot have it.
func (p *Response) decide(when moment) {
	h := p.Header()
	later := p.restoreHeader(h)
	o := readOpening(p.head)
	if p.outcome = p.bodyRefusal(when); p.outcome == OutcomeNoAnswer {
		var ok bool
		if p.code, ok = p.snippet.Render(h, o.language); !ok {
			p.outcome = OutcomePolicy
		}
	}
	switch {
	case p.outcome != OutcomeNoAnswer:
	case when == atEnd:
		p.outcome = p.place(o)
	case len(p.head) == headSize: // an early Flush may come before the whole beginning
		p.outcome = o.refusal
	}
	switch p.outcome {
	case OutcomeNoAnswer, OutcomeInjected, OutcomeHeadOnly:
		p.announce(h)
	default:
		p.pass()
	}
	maps.Copy(h, later)
}

// announce sends the header of a page with the snippet.
func (p *Response) announce(h http.Header) {
	if p.sniff {
		h.Set("Content-Type", http.DetectContentType(p.head))
	}
	p.personalize(h)
	if p.Request.Method == http.MethodHead {
		p.state, p.outcome = discarding, OutcomeHeadOnly
		delete(h, "Content-Length") // it depends on the page, which HEAD does not have
		p.release()
	} else {
		p.state = streaming
		if p.declared >= 0 {
			p.values[1] = strconv.FormatInt(p.declared+int64(len(p.code)), 10)
			h["Content-Length"] = p.values[1:2:2]
		}
		p.snippet.Carry(h)
	}
	p.ResponseWriter.WriteHeader(p.status)
}

// pass gives up on the snippet: it sends what was collected, and later writes go straight to
// the underlying writer.
func (p *Response) pass() {
	p.state = passing
	h := p.Header()
	isCached := p.status == http.StatusNotModified && p.revalidates // by the browser, with the snippet
	if isCached {
		_, _ = p.snippet.Render(h, "") // for Carry
	}
	if isCached || p.outcome == OutcomeRendered {
		p.personalize(h)
		p.snippet.Carry(h)
	}
	if p.explicit {
		p.ResponseWriter.WriteHeader(p.status)
	}
	if len(p.buf) > 0 {
		_, _ = p.ResponseWriter.Write(p.buf) // the next Write returns the error again
	}
	p.release()
	if p.outcome != OutcomeRendered {
		p.tooLate.Store(true)
	}
}

// Finish must be called once, when the handler has returned. It injects the snippet at the
// end of the page. If the handler has panicked, it sends what was held back instead.
func (p *Response) Finish(panicked bool) Outcome {
	if form := p.Request.MultipartForm; form != nil {
		p.original.MultipartForm = form // net/http removes the uploaded files of the original only
	}
	switch {
	case p.state == collecting && panicked:
		p.decide(abandoned)
	case p.state == collecting:
		p.decide(atEnd)
	case p.state == streaming && !panicked:
		p.outcome = p.place(readOpening(p.head))
	}
	if p.state == streaming { // the header has announced the snippet
		switch {
		case p.outcome == OutcomeInjected:
			if p.at < p.sent {
				p.at = len(p.buf) // a Flush has sent the closing tags: after them will do
			}
			p.buf = slices.Insert(p.buf, p.at, p.code...)
		case p.declared == p.gone+int64(len(p.buf)): // the announced length includes the snippet
			p.buf = append(p.buf, bytes.Repeat([]byte{' '}, len(p.code))...)
		}
		if err := p.send(len(p.buf)); err != nil && p.outcome == OutcomeInjected {
			p.root.owner.Store(nobody)
			p.outcome = OutcomeUnfinished
		}
	}
	p.state = finished
	p.release()
	p.tooLate.Store(true)
	switch {
	case panicked:
		return OutcomePanicked
	case p.root.owner.Load() == byWriter:
		return OutcomeInjected // perhaps by an inner response
	}
	return p.outcome
}

// place sets where in buf the snippet goes. It returns OutcomeInjected and makes the writer
// the owner of the snippet, or it returns why the page does not get it.
func (p *Response) place(o opening) Outcome {
	whole := p.gone == 0
	begin := max(0, len(p.buf)-tailSize)
	at, ok := endOf(p.buf[begin:], whole && begin == 0)
	p.at = begin + at
	if whole && begin > 0 && (!ok || p.at == len(p.buf)) { // in doubt, read all of it
		p.at, ok = endOf(p.buf, true)
	}
	switch written := p.gone + int64(len(p.buf)); {
	case written == 0:
		return OutcomeEmpty
	case len(p.buf) == 0, p.declared >= 0 && written != p.declared:
		return OutcomeUnfinished // the handler wrote less than it declared, or the client has gone
	case o.refusal != OutcomeNoAnswer:
		return o.refusal
	case !ok:
		return OutcomeUnfinished
	case p.at == len(p.buf) && !o.document:
		return OutcomeFragment
	case !p.root.owner.CompareAndSwap(nobody, byWriter):
		return OutcomeRendered
	}
	return OutcomeInjected
}

// restoreHeader reverts and returns the changes that the handler has made to the header
// since the snapshot. They must not be sent, because net/http would not have sent them. The
// caller puts them back after WriteHeader, because they may be trailers.
func (p *Response) restoreHeader(h http.Header) (later http.Header) {
	changed := len(h) != len(p.snapshot)
	for _, f := range p.snapshot {
		values, ok := h[f.name]
		changed = changed || !ok || !slices.Equal(values, f.values)
	}
	if !changed {
		return nil
	}
	p.explicit = true
	later = maps.Clone(h)
	clear(h)
	for _, f := range p.snapshot {
		h[f.name] = f.values
		if slices.Equal(later[f.name], f.values) {
			delete(later, f.name)
		}
	}
	return later
}

func (p *Response) release() {
	if p.pooled != nil {
		clear(p.pooled.fields[:])
		buffers.Put(p.pooled)
		p.pooled, p.buf, p.head, p.snapshot = nil, nil, nil, nil
	}
}
