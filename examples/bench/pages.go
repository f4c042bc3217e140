package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
)

// page returns an HTML document of about size bytes.
func page(size int) []byte {
	const head, foot = "<!doctype html>\n<html lang=\"en\"><head><title>Orders</title></head>\n<body>\n<table>\n", "</table>\n</body>\n</html>\n"
	var b bytes.Buffer
	b.WriteString(head)
	for n := 0; b.Len() < size-len(foot)-80; n++ {
		fmt.Fprintf(&b, "<tr class=\"row\"><td>%d</td><td><a href=\"/orders/%d\">Order &amp; more</a></td></tr>\n", n, n)
	}
	b.WriteString(foot)
	return b.Bytes()
}

// writeWhole serves the page in one Write, with its length.
func writeWhole(body []byte) http.Handler {
	length := []string{strconv.Itoa(len(body))}
	kind := []string{"text/html; charset=utf-8"}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Content-Type"], h["Content-Length"] = kind, length
		_, _ = w.Write(body)
	})
}

// writePieces serves the page like a template, in many small Writes.
func writePieces(body []byte, piece int) http.Handler {
	kind := []string{"text/html; charset=utf-8"}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = kind
		writeAll(w, body, piece)
	})
}

func writeAll(w io.Writer, rest []byte, piece int) {
	for ; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
		_, _ = w.Write(rest[:min(piece, len(rest))])
	}
}

// writePrompt serves the page with the prompt in it, written by hand where the
// page ends: the least that a page with a prompt can cost.
func writePrompt(body []byte, piece int) (http.Handler, error) {
	h, err := wrap(writeWhole(body), "ada")
	if err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request())
	end := bytes.LastIndex(body, []byte("</body>"))
	prompt := w.Body.Bytes()[end : w.Body.Len()-(len(body)-end)]
	if len(prompt) == 0 {
		return nil, errors.New("the page got no prompt")
	}
	header := w.Header()
	if piece > 0 {
		header.Del("Content-Length")
	}
	whole := w.Body.Bytes()
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		if piece == 0 {
			_, _ = w.Write(whole)
			return
		}
		writeAll(w, body[:end], piece)
		_, _ = w.Write(prompt)
		writeAll(w, body[end:], piece)
	}), nil
}

// study is a provider of one study that always answers.
type study struct{ userjourneys.Study }

func (s study) FindStudy(context.Context, string) (userjourneys.Study, error) { return s.Study, nil }

var openStudy = study{userjourneys.Study{
	ID: "e5f6a7b8-1234-56cd-ef78-222222222222", Name: "Onboarding Feedback", InterviewLink: "https://app.userjourneys.ai/i/abc",
	AcceptingResponses: true, SupportedLanguages: []string{"en"},
}}

// newGate returns a gate that has cached its study.
func newGate(done store.Store) (*gate.Gate, error) {
	g, err := gate.New(openStudy, openStudy.ID, done, &gate.Options{MaxShowings: -1, ShowingPause: -1})
	if err != nil {
		return nil, err
	}
	return g, g.Warm(context.Background())
}

// wrap wraps h in the whole middleware, with a real gate and store. Ada is asked, and Bob
// has completed.
func wrap(h http.Handler, user string) (http.Handler, error) {
	done := store.NewCached(memstore.New(), nil) // as in front of a database
	_, err := done.Record(context.Background(), store.Completion{
		Key: store.Key{StudyID: openStudy.ID, UserID: "bob"}, InterviewID: "i1", CompletedAt: time.Now(),
	})
	if err != nil {
		return nil, err
	}
	g, err := newGate(done)
	if err != nil {
		return nil, err
	}
	m, err := middleware.New(g, func(*http.Request) string { return user }, nil)
	if err != nil {
		return nil, err
	}
	return m.Handler(h), nil
}

// request returns a browser's request for a page.
func request() *http.Request {
	r, err := http.NewRequest(http.MethodGet, "http://app.example/orders", nil)
	if err != nil {
		panic(err) // the URL is a constant
	}
	r.Header = http.Header{
		"Accept":         {"text/html,application/xhtml+xml,*/*;q=0.8"},
		"Sec-Fetch-Dest": {"document"},
		"User-Agent":     {"bench"},
	}
	return r
}

// discard is a response that copies its body once, as any connection must, and drops it.
// It has the optional methods of net/http's own.
type discard struct {
	header http.Header
	n      int
	buf    [32 << 10]byte
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		rest = rest[copy(d.buf[:], rest):]
	}
	d.n += len(p)
	return len(p), nil
}
func (d *discard) WriteString(s string) (int, error) {
	for rest := s; len(rest) > 0; {
		rest = rest[copy(d.buf[:], rest):]
	}
	d.n += len(s)
	return len(s), nil
}
func (d *discard) ReadFrom(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) }

// serve runs h n times in this process.
func serve(h http.Handler, r *http.Request) func(n int) {
	return func(n int) {
		d := &discard{header: http.Header{}}
		for range n {
			clear(d.header)
			h.ServeHTTP(d, r)
		}
	}
}
