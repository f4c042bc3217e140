package matrix

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/internal/page"
	"github.com/stretchr/testify/require"
)

// What stands in the middleware's place.
type role int

const (
	bare   role = iota // nothing
	hiding             // what hides from the handler what the middleware hides, and does nothing else
	asking             // the middleware
)

type mount int

const (
	native mount = iota // in the framework's own chain
	twice               // in the chain, and again below it
	around              // around the whole engine, by net/http
)

type compressor int

const (
	none compressor = iota
	outside
	inside
)

var (
	mountNames      = [...]string{"native", "twice", "around"}
	compressorNames = [...]string{"none", "outside", "inside"}
)

// setup is one application's.
type setup struct {
	role       role
	mount      mount
	compressor compressor
	site       *site
}

// in reports whether something stands in the framework's own chain.
func (s setup) in(r role) bool { return s.role == r && s.mount != around }

func (s setup) again() bool { return s.role == asking && s.mount == twice }

// framework builds the application.
type framework struct {
	name  string
	build func(t *testing.T, s setup) http.Handler
}

var frameworks = []framework{
	{"net/http", netHTTP}, {"chi", chiApp}, {"gin", ginApp}, {"echo v4", echo4App}, {"echo v5", echo5App},
}

func build(t *testing.T, f framework, s setup) http.Handler {
	h := f.build(t, s)
	if s.mount != around {
		return h
	}
	switch s.role {
	case asking:
		return newMiddleware(t).Handler(h)
	case hiding:
		return hide(h)
	}
	return h
}

// decider asks Ada, and nobody else.
type decider struct{}

func (decider) Decide(_ context.Context, v gate.Visitor) gate.Decision {
	if v.UserID != "ada" {
		return gate.Decision{Reason: gate.ReasonHeldOut}
	}
	return gate.Decision{Reason: gate.ReasonEligible, Prompt: gate.Prompt{
		StudyID: "s1", StudyName: "Matrix", InterviewLink: "https://interviews.example/i/a", UserID: v.UserID,
	}}
}

func (d decider) Confirm(ctx context.Context, v gate.Visitor) gate.Decision { return d.Decide(ctx, v) }

func newMiddleware(t *testing.T) *middleware.Middleware {
	m, err := middleware.New(decider{}, func(r *http.Request) string { return r.Header.Get("X-User") }, nil)
	require.NoError(t, err)
	return m
}

// hidden is r as the middleware shows it to a handler whose user is asked, if
// the request can get a prompt.
func hidden(h http.Header, r *http.Request) *http.Request {
	if r.Header.Get("X-User") != "ada" || !page.Wanted(r) {
		return r
	}
	r = r.Clone(r.Context())
	if h.Get("Content-Encoding") == "" {
		r.Header.Del("Accept-Encoding")
	}
	r.Header.Del("If-None-Match")
	r.Header.Del("If-Modified-Since")
	return r
}

func hide(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, hidden(w.Header(), r)) })
}

// The pages: one that fits every buffer, and one that fits none.
var (
	smallPage = "<!doctype html>\n<html><head><title>Small</title></head><body>\n<p>Hello.</p>\n</body></html>\n"
	largePage = "<!doctype html>\n<html><head><title>Large</title></head><body>\n" +
		strings.Repeat("<p>All work and no play makes Jack a dull boy.</p>\n", 400) + "</body>\n</html>\n"
	pieces   = []string{"<!doctype html><html><body><p>one</p>", "<p>two</p></bo", "dy></html>"}
	markers  = []string{"<p>one</p>", "<p>two</p>"}
	pageTmpl = template.Must(template.New("page").Parse(smallPage[:len(smallPage)-len("</body></html>\n")] + "<p>{{.}}</p></body></html>\n"))
)

const (
	htmlType  = "text/html; charset=utf-8"
	ownPrompt = `<aside class="own">Would you?</aside>`
)

// ownPage is the page of an app that renders the prompt itself.
func ownPage(p middleware.Content, ok bool) string {
	if !ok {
		return "<!doctype html><html><body><p>own</p></body></html>"
	}
	return "<!doctype html><html><body><p>own</p>" + ownPrompt + "</body></html>"
}

func compressed(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.Bytes()
}

// site is what all applications serve: files, and a server behind a proxy.
type site struct {
	dir   string
	proxy http.Handler
}

func newSite(t *testing.T) *site {
	dir := t.TempDir()
	at := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	for name, content := range map[string]string{"page.html": largePage, "app.js": "document.title += '</body>';\n"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		require.NoError(t, os.Chtimes(path, at, at))
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := []byte(largePage)
		w.Header().Set("Content-Type", htmlType)
		if strings.HasSuffix(r.URL.Path, "/negotiating") {
			w.Header().Set("Vary", "Accept-Encoding")
			if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				w.Header().Set("Content-Encoding", "gzip")
				body = compressed(largePage)
			}
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body))) // or the proxy flushes whatever it has read so far
		_, _ = w.Write(body)
	}))
	t.Cleanup(upstream.Close)
	target, err := url.Parse(upstream.URL)
	require.NoError(t, err)
	return &site{dir: dir, proxy: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}}
}

func (s *site) file(name string) string { return filepath.Join(s.dir, name) }

// controls makes the calls of http.ResponseController that change no byte.
func controls(w http.ResponseWriter) string {
	c := http.NewResponseController(w)
	far := time.Now().Add(time.Hour)
	return fmt.Sprint(c.SetReadDeadline(far), c.SetWriteDeadline(far), c.EnableFullDuplex())
}

// hijack takes the connection over and answers by hand.
func hijack(w http.ResponseWriter, r *http.Request) {
	h, ok := w.(http.Hijacker)
	if !ok {
		http.Error(w, "no hijacker", http.StatusNotImplemented)
		return
	}
	conn, rw, err := h.Hijack()
	if err != nil {
		http.Error(w, "cannot hijack", http.StatusNotImplemented)
		return
	}
	defer conn.Close()
	_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 14\r\nConnection: close\r\n\r\n<html></html>\n")
	_ = rw.Flush()
	note(r, "hijacked", "yes")
}
