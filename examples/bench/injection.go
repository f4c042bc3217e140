package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/gohugoio/hugo/transform"
	"github.com/gohugoio/hugo/transform/livereloadinject"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/askonce/askonce/examples/bench/report"
)

// injection compares what it costs to put something into a page, without a
// network.
func injection(_ context.Context, e effort) (report.Part, error) {
	p := report.Part{
		Title: "Injection",
		Text: "A handler that writes a page, alone and with the prompt put into it, into a response that goes nowhere but through one copy. \"User is asked\" is the\n" +
			"dear case: every request counts a showing, for which a cookie is sealed; that is most of its fixed cost, and happens once per user and day. So at 4 KB\n" +
			"`LastIndex` is quicker: it is what most hand-written injectors do, which collect the page and search it. From 64 KB on it is not, and it takes text of\n" +
			"a user's for the end of the page. hugo's live reload searches for the head, and is meant for development. x/net/html is right, as askonce is.",
	}
	for _, s := range []struct {
		name string
		size int
	}{{"4 KB", 4 << 10}, {"64 KB", 64 << 10}, {"1 MB", 1 << 20}} {
		body := page(s.size)
		for _, w := range []struct {
			name    string
			handler http.Handler
		}{{"one Write", writeWhole(body)}, {"64-byte Writes", writePieces(body, 64)}} {
			asked, err := wrap(w.handler, "ada")
			if err != nil {
				return p, err
			}
			done, err := wrap(w.handler, "bob")
			if err != nil {
				return p, err
			}
			g := compare(e, s.name+", "+w.name,
				contender{name: "the handler alone", run: serve(w.handler)},
				contender{name: "askonce, user has completed", run: serve(done), ours: true},
				contender{name: "askonce, user is asked", run: serve(asked), ours: true},
				contender{name: "buffer and LastIndex", run: serve(buffered(w.handler, lastIndex))},
				contender{name: "hugo livereloadinject", run: serve(buffered(w.handler, hugo()))},
				contender{name: "x/net/html Parse and Render", run: serve(buffered(w.handler, parse))},
			)
			g.Chart = s.size == 64<<10
			p.Groups = append(p.Groups, g)
		}
	}
	return p, nil
}

// snippet is about as long as a prompt.
var snippet = bytes.Repeat([]byte("<p>prompt</p>"), 60)

// buffered collects the page and sends it on through change.
func buffered(next http.Handler, change func(w io.Writer, page *bytes.Buffer)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &collector{ResponseWriter: w}
		next.ServeHTTP(c, r)
		w.Header().Del("Content-Length")
		change(w, &c.page)
	})
}

type collector struct {
	http.ResponseWriter
	page bytes.Buffer
}

func (c *collector) Write(p []byte) (int, error) { return c.page.Write(p) }

func lastIndex(w io.Writer, page *bytes.Buffer) {
	b := page.Bytes()
	at := bytes.LastIndex(b, []byte("</body>"))
	if at < 0 {
		at = len(b)
	}
	for _, part := range [][]byte{b[:at], snippet, b[at:]} {
		_, _ = w.Write(part)
	}
}

func parse(w io.Writer, page *bytes.Buffer) {
	doc, err := html.Parse(page)
	if err != nil {
		return
	}
	for n := range doc.Descendants() {
		if n.DataAtom == atom.Body {
			n.AppendChild(&html.Node{Type: html.RawNode, Data: string(snippet)})
			break
		}
	}
	_ = html.Render(w, doc)
}

func hugo() func(io.Writer, *bytes.Buffer) {
	inject := livereloadinject.New(&url.URL{Scheme: "http", Host: "localhost:1313", Path: "/"})
	return func(w io.Writer, page *bytes.Buffer) { _ = inject(fromTo{page, w}) }
}

type fromTo struct {
	from *bytes.Buffer
	to   io.Writer
}

func (f fromTo) From() transform.BytesReader { return f.from }
func (f fromTo) To() io.Writer               { return f.to }
