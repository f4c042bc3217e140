package middleware_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"html/template"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware"
)

// The matrix runs each handler bare, wrapped for a visitor who is not asked, and
// wrapped for one who is, through real servers. The bare one is the oracle.

// row is one handler of the matrix.
type row struct {
	name    string
	handler func(t *testing.T, wrap func(http.Handler) http.Handler) http.Handler
	method  string
	header  []string // of the request
	want    middleware.Outcome
	plain   []string // of the bare request, where the middleware is to hide a part of header
}

// wrapped is a handler behind the middleware and nothing else.
func wrapped(h http.HandlerFunc) func(*testing.T, func(http.Handler) http.Handler) http.Handler {
	return func(_ *testing.T, wrap func(http.Handler) http.Handler) http.Handler { return wrap(h) }
}

var modified = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func serveContent(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Etag", `"v1"`)
	http.ServeContent(w, r, "page.html", modified, strings.NewReader(page))
}

var rows = []row{
	{name: "template in many small writes", want: injected, handler: wrapped(func(w http.ResponseWriter, r *http.Request) {
		tmpl := template.Must(template.New("").Parse(`<!doctype html><title>{{.}}</title><body>{{range .}}<p>{{.}}</p>{{end}}</body></html>`))
		_ = tmpl.Execute(w, make([]string, 2000))
	})},
	{name: "one Write with Content-Length", want: injected, handler: wrapped(func(w http.ResponseWriter, r *http.Request) {
		as(0, page, "Content-Length", strconv.Itoa(len(page)))(w, r)
	})},
	{name: "WriteHeader and one large Write", want: injected, handler: wrapped(as(200, "<!doctype html><body>"+filler(100_000)+"</body>"))},
	{name: "ServeContent", want: injected, handler: wrapped(serveContent)},
	{name: "ServeContent with Range", want: middleware.OutcomeStatus, header: []string{"Range", "bytes=3-9"}, handler: wrapped(serveContent)},
	{name: "ServeContent with a Range that cannot be", want: middleware.OutcomeStatus, header: []string{"Range", "bytes=30000-"}, handler: wrapped(serveContent)},
	{name: "ServeContent with If-None-Match", want: injected, header: []string{"If-None-Match", `"v1"`}, plain: []string{"If-None-Match", ""}, handler: wrapped(serveContent)},
	{name: "ServeContent with If-None-Match of another", want: injected, header: []string{"If-None-Match", `"v0"`}, handler: wrapped(serveContent)},
	{name: "HEAD of ServeContent", want: middleware.OutcomeHeadOnly, method: http.MethodHead, handler: wrapped(serveContent)},
	{name: "HEAD of a page", want: middleware.OutcomeHeadOnly, method: http.MethodHead, handler: wrapped(respond(page))},
	{name: "FileServer", want: injected, handler: fileServer},
	{name: "JSON", want: middleware.OutcomeNotHTML, handler: wrapped(as(0, `{"html":"</body></html>"}`, "Content-Type", "application/json"))},
	{name: "sniffed text", want: middleware.OutcomeNotHTML, handler: wrapped(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "plain </body></html>") })},
	{name: "sniffed text in pieces", want: middleware.OutcomeNotHTML, handler: wrapped(func(w http.ResponseWriter, _ *http.Request) {
		for range 1000 {
			fmt.Fprint(w, "plain ")
		}
	})},
	{name: "sniffed page in pieces", want: injected, handler: wrapped(func(w http.ResponseWriter, _ *http.Request) {
		for _, c := range page {
			fmt.Fprint(w, string(c))
		}
	})},
	{name: "fragment", want: middleware.OutcomeFragment, handler: wrapped(respond("<li>one</li>"))},
	{name: "server-sent events", want: middleware.OutcomeNotHTML, handler: wrapped(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := range 3 {
			fmt.Fprintf(w, "data: %d</body>\n\n", n)
			_ = http.NewResponseController(w).Flush()
		}
	})},
	{name: "103 Early Hints", want: injected, handler: wrapped(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</x.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusEarlyHints)
		respond(page)(w, r)
	})},
	{name: "103 Early Hints and 404", want: middleware.OutcomeStatus, handler: wrapped(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</x.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, page)
	})},
	{name: "103 Early Hints too late", want: injected, handler: wrapped(func(w http.ResponseWriter, r *http.Request) {
		respond(page)(w, r)
		w.WriteHeader(http.StatusEarlyHints)
	})},
	{name: "nothing", want: middleware.OutcomeNoAnswer, handler: wrapped(func(http.ResponseWriter, *http.Request) {})},
	{name: "200 and nothing", want: middleware.OutcomeEmpty, handler: wrapped(as(200, ""))},
	{name: "204", want: middleware.OutcomeStatus, handler: wrapped(as(204, ""))},
	{name: "206", want: middleware.OutcomeStatus, handler: wrapped(as(206, "part", "Content-Range", "bytes 0-3/9"))},
	{name: "304", want: middleware.OutcomeStatus, handler: wrapped(as(304, "", "Etag", `"v1"`))},
	{name: "redirect", want: middleware.OutcomeStatus, handler: wrapped(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusSeeOther) })},
	{name: "error", want: middleware.OutcomeStatus, handler: wrapped(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusTeapot) })},
	{name: "attachment", want: middleware.OutcomeAttachment, handler: wrapped(as(0, page, "Content-Disposition", "attachment"))},
	{name: "second WriteHeader", want: injected, handler: wrapped(func(w http.ResponseWriter, r *http.Request) {
		respond(page)(w, r)
		w.WriteHeader(http.StatusInternalServerError)
	})},
	{name: "gzip by the handler", want: middleware.OutcomeEncoded, header: []string{"Accept-Encoding", "gzip"}, plain: []string{"Accept-Encoding", "gzip"},
		handler: wrapped(as(0, gzipped(page), "Content-Encoding", "gzip"))},
	{name: "compressor inside", want: injected, header: []string{"Accept-Encoding", "gzip"}, plain: []string{"Accept-Encoding", ""},
		handler: func(_ *testing.T, wrap func(http.Handler) http.Handler) http.Handler {
			return wrap(compressing(respond(page)))
		}},
	{name: "compressor outside", want: injected, header: []string{"Accept-Encoding", "gzip"},
		handler: func(_ *testing.T, wrap func(http.Handler) http.Handler) http.Handler {
			return compressing(wrap(respond(page)))
		}},
	{name: "gzip by the handler under a compressor outside", want: middleware.OutcomeEncoded, header: []string{"Accept-Encoding", "gzip"},
		handler: func(_ *testing.T, wrap func(http.Handler) http.Handler) http.Handler {
			return compressing(wrap(respond(gzipped(page))))
		}},
	{name: "ReverseProxy", want: injected, handler: reverseProxy(respond(page), nil)},
	{name: "ReverseProxy of a large page", want: injected, handler: reverseProxy(respond("<!doctype html><body>"+filler(200_000)+"</body>"), nil)},
	{name: "ReverseProxy of an upstream that compresses", want: injected, header: []string{"Accept-Encoding", "gzip"}, plain: []string{"Accept-Encoding", ""},
		handler: reverseProxy(compressing(respond(page)).ServeHTTP, nil)},
	{name: "ReverseProxy of an upstream that always compresses", want: middleware.OutcomeEncoded, header: []string{"Accept-Encoding", "gzip"}, plain: []string{"Accept-Encoding", "gzip"},
		handler: reverseProxy(as(0, gzipped(page), "Content-Encoding", "gzip", "X-Raw", "1"), &http.Transport{DisableCompression: true})},
	{name: "TimeoutHandler inside", want: injected,
		handler: func(_ *testing.T, wrap func(http.Handler) http.Handler) http.Handler {
			return wrap(http.TimeoutHandler(respond(page), time.Minute, "late"))
		}},
	{name: "TimeoutHandler outside", want: injected,
		handler: func(_ *testing.T, wrap func(http.Handler) http.Handler) http.Handler {
			return http.TimeoutHandler(wrap(respond(page)), time.Minute, "late")
		}},
	{name: "TimeoutHandler that has timed out inside", want: middleware.OutcomeStatus,
		handler: func(_ *testing.T, wrap func(http.Handler) http.Handler) http.Handler {
			return wrap(http.TimeoutHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), time.Millisecond, page))
		}},
	{name: "flushes", want: injected, handler: wrapped(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		rc := http.NewResponseController(w)
		for _, part := range []string{"", "<!doctype html>", "<body><p>x</p>", "</bo", "dy", ">", "\n</html>"} {
			fmt.Fprint(w, part)
			if err := rc.Flush(); err != nil {
				panic(err)
			}
		}
	})},
	{name: "deadlines", want: injected, handler: wrapped(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		for _, err := range []error{rc.SetReadDeadline(time.Now().Add(time.Hour)), rc.SetWriteDeadline(time.Now().Add(time.Hour))} {
			if err != nil {
				panic(err)
			}
		}
		respond(page)(w, r)
	})},
	{name: "announced trailer", want: injected, handler: wrapped(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		respond(page)(w, r)
		w.Header().Set("X-Sum", "1")
	})},
	{name: "trailer by prefix", want: injected, handler: wrapped(func(w http.ResponseWriter, r *http.Request) {
		respond(page)(w, r)
		_ = http.NewResponseController(w).Flush()
		w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
	})},
	{name: "panic before the body", want: middleware.OutcomePanicked, handler: wrapped(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })},
	{name: "panic in the middle of the body", want: middleware.OutcomePanicked, handler: wrapped(func(w http.ResponseWriter, r *http.Request) {
		respond(page[:30])(w, r)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})},
	{name: "panic that is recovered outside", want: middleware.OutcomePanicked,
		handler: func(_ *testing.T, wrap func(http.Handler) http.Handler) http.Handler {
			inner := wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Begun", "1")
				panic("boom")
			}))
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { _ = recover(); http.Error(w, "recovered", http.StatusInternalServerError) }()
				inner.ServeHTTP(w, r)
			})
		}},
	{name: "rendered by the handler itself", want: middleware.OutcomeRendered, handler: wrapped(func(w http.ResponseWriter, r *http.Request) {
		_, _ = middleware.PromptFrom(r.Context()) // and would put it in
		respond(page)(w, r)
	})},
	{name: "mounted twice", want: injected,
		handler: func(_ *testing.T, wrap func(http.Handler) http.Handler) http.Handler {
			return wrap(wrap(respond(page)))
		}},
	{name: "mounted twice around a writer that hides", want: injected,
		handler: func(_ *testing.T, wrap func(http.Handler) http.Handler) http.Handler {
			inner := wrap(respond(page))
			return wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				inner.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
			}))
		}},
	{name: "written by those outside after the end", want: injected,
		handler: func(_ *testing.T, wrap func(http.Handler) http.Handler) http.Handler {
			var kept http.ResponseWriter
			inner := wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				kept = w
				respond(page)(w, r)
			}))
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				inner.ServeHTTP(w, r)
				fmt.Fprint(kept, "<!-- late -->")
			})
		}},
	{name: "error page by those outside after an empty handler", want: middleware.OutcomeNoAnswer,
		handler: func(_ *testing.T, wrap func(http.Handler) http.Handler) http.Handler {
			var kept http.ResponseWriter
			inner := wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { kept = w }))
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				inner.ServeHTTP(w, r)
				kept.WriteHeader(http.StatusNotFound)
				fmt.Fprint(kept, page)
			})
		}},
}

func fileServer(t *testing.T, wrap func(http.Handler) http.Handler) http.Handler {
	dir := t.TempDir()
	file := filepath.Join(dir, "page.html")
	require.NoError(t, os.WriteFile(file, []byte("<!doctype html><body>"+filler(300_000)+"</body></html>"), 0o600))
	require.NoError(t, os.Chtimes(file, modified, modified))
	return wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/page.html"
		http.FileServer(http.Dir(dir)).ServeHTTP(w, r)
	}))
}

func reverseProxy(upstream http.HandlerFunc, via http.RoundTripper) func(*testing.T, func(http.Handler) http.Handler) http.Handler {
	return func(t *testing.T, wrap func(http.Handler) http.Handler) http.Handler {
		srv := httptest.NewServer(upstream)
		t.Cleanup(srv.Close)
		to, err := url.Parse(srv.URL)
		require.NoError(t, err)
		return wrap(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, Transport: via})
	}
}

// compressing announces its encoding before the handler runs, as those of frameworks
// do.
func compressing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := &zipWriter{w, gzip.NewWriter(w)}
		defer z.z.Close()
		next.ServeHTTP(z, r)
	})
}

type zipWriter struct {
	http.ResponseWriter
	z *gzip.Writer
}

func (z *zipWriter) Write(p []byte) (int, error) {
	z.Header().Del("Content-Length")
	return z.z.Write(p)
}
func (z *zipWriter) Unwrap() http.ResponseWriter { return z.ResponseWriter }

// exchange is everything that a client sees of a response.
type exchange struct {
	status  int
	header  http.Header
	body    string
	trailer http.Header
	hints   []textproto.MIMEHeader
	failed  bool
}

func fetch(t *testing.T, srv *httptest.Server, method string, header ...string) (e exchange) {
	t.Helper()
	trace := &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
		e.hints = append(e.hints, h)
		return nil
	}}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), method, srv.URL+"/page", nil)
	require.NoError(t, err)
	req.Header.Set("Accept", "text/html")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	resp, err := srv.Client().Transport.RoundTrip(req)
	if err != nil {
		e.failed = true
		return e
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	e.status, e.header, e.body, e.trailer, e.failed = resp.StatusCode, resp.Header, string(body), resp.Trailer, err != nil
	e.header.Del("Date")
	if e.header.Get("Content-Encoding") == "gzip" && e.header.Get("X-Raw") == "" && e.body != "" {
		z, err := gzip.NewReader(strings.NewReader(e.body))
		require.NoError(t, err)
		plain, err := io.ReadAll(z)
		require.NoError(t, err)
		e.body = string(plain)
		e.header.Del("Content-Length")
	}
	return e
}

func startServer(t *testing.T, h2 bool, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	if h2 {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	tr := srv.Client().Transport.(*http.Transport)
	tr.DisableCompression = true
	if h2 {
		require.True(t, tr.ForceAttemptHTTP2)
		require.IsType(t, &tls.Config{}, tr.TLSClientConfig)
	}
	return srv
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		for _, row := range rows {
			t.Run(fmt.Sprintf("%s/h2=%v", row.name, h2), func(t *testing.T) {
				t.Parallel()
				row.check(t, h2)
			})
		}
	}
}

func (row row) check(t *testing.T, h2 bool) {
	method := row.method
	if method == "" {
		method = http.MethodGet
	}
	i := newInjector(t, middleware.Options{})
	snippet := snippetOf(t, i)
	tag := tagOf(t, i)
	bare := startServer(t, h2, row.handler(t, func(h http.Handler) http.Handler { return h }))
	with := startServer(t, h2, row.handler(t, i.Handler))

	// Not asked: nothing is different.
	want := fetch(t, bare, method, row.header...)
	require.Equal(t, want, fetch(t, with, method, append([]string{userHeader, "nobody"}, row.header...)...))
	require.Empty(t, i.outcomes)

	// Asked: only the snippet and the header policy.
	want = fetch(t, bare, method, append(append([]string{}, row.header...), row.plain...)...)
	got := fetch(t, with, method, row.header...)
	require.Equal(t, row.want.String(), i.last(t).String())
	if row.want == middleware.OutcomeInjected {
		require.Equal(t, 1, strings.Count(got.body, snippet))
	}
	got.body, _ = without(t, got.body, snippet)
	if lines := slices.DeleteFunc(got.header["Set-Cookie"], isHistory); len(lines) == 0 {
		delete(got.header, "Set-Cookie")
	} else {
		got.header["Set-Cookie"] = lines
	}
	switch row.want {
	case middleware.OutcomeInjected, middleware.OutcomeHeadOnly, middleware.OutcomeRendered:
		for _, e := range []*exchange{&want, &got} {
			e.header.Del("Content-Length") // the client has checked it against the body
			for _, name := range []string{"Last-Modified", "Accept-Ranges"} {
				require.Empty(t, got.header.Get(name))
				e.header.Del(name)
			}
			if e.header.Get("Etag") != "" {
				e.header.Set("Etag", strings.Replace(e.header.Get("Etag"), tag, "", 1))
			}
		}
		require.Equal(t, "private, no-cache", got.header.Get("Cache-Control"))
		got.header.Del("Cache-Control")
		got.body = strings.TrimRight(got.body, " ")
	case middleware.OutcomePanicked:
		got.header.Del("Cache-Control") // if it had been flushed
	}
	require.Equal(t, want, got)
}

// isHistory reports whether a Set-Cookie notes that the prompt was shown.
func isHistory(line string) bool {
	return strings.HasPrefix(strings.TrimPrefix(line, "__Host-"), "askonce=")
}

// The head of a page that is flushed early must arrive early.
func TestFlushArrives(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		i := newInjector(t, middleware.Options{})
		arrived := make(chan struct{})
		srv := startServer(t, h2, i.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "<!doctype html><body><p>early</p></bo")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-arrived:
				fmt.Fprint(w, "dy></html>")
			case <-r.Context().Done():
			}
		})))
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
		require.NoError(t, err)
		req.Header.Set("Accept", "text/html")
		resp, err := srv.Client().Do(req)
		require.NoError(t, err)
		const early = "<!doctype html><body><p>early</p>"
		got := make([]byte, len(early))
		_, err = io.ReadFull(resp.Body, got)
		require.NoError(t, err, "all but what may be the closing tags")
		require.Equal(t, early, string(got))
		close(arrived)
		rest, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.True(t, bytes.HasSuffix(rest, []byte("</script></body></html>")), string(rest))
		require.Equal(t, middleware.OutcomeInjected, i.last(t))
	}
}

// A page that is never flushed must begin to arrive no later than net/http would
// let it, which is when its own 2 KB and 4 KB are full.
func TestUnflushedPageBeginsToArrive(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	arrived := make(chan struct{})
	srv := startServer(t, false, i.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "<!doctype html><body>")
		for range 6 << 10 / 64 {
			_, _ = io.WriteString(w, filler(64))
		}
		select {
		case <-arrived:
		case <-r.Context().Done():
		}
		fmt.Fprint(w, closing)
	})))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
	require.NoError(t, err)
	req.Header.Set("Accept", "text/html")
	resp, err := srv.Client().Do(req)
	require.NoError(t, err, "the first bytes must have arrived by now")
	close(arrived)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, middleware.OutcomeInjected, i.last(t))
}
