package middleware_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware"
)

// bareWriter has no optional methods.
type bareWriter struct{ http.ResponseWriter }

// Methods that the writer below does not have return http.ErrNotSupported, and those
// that it has are found by Unwrap.
func TestOptionalInterfaces(t *testing.T) {
	t.Parallel()
	m := newMiddleware(t, askEveryone{}, "ada")
	w := serve(m, bareWriter{httptest.NewRecorder()}, pageRequest(), func(w http.ResponseWriter, _ *http.Request) {
		_, _, err := w.(http.Hijacker).Hijack()
		require.ErrorIs(t, err, http.ErrNotSupported)
	})
	_, _, err := w.(http.Hijacker).Hijack()
	require.ErrorIs(t, err, http.ErrNotSupported)
	require.ErrorIs(t, w.(http.Pusher).Push("/x", nil), http.ErrNotSupported)
	require.ErrorIs(t, w.(interface{ FlushError() error }).FlushError(), http.ErrNotSupported)
	require.ErrorIs(t, http.NewResponseController(w).SetReadDeadline(modified), http.ErrNotSupported)
	require.ErrorIs(t, http.NewResponseController(w).EnableFullDuplex(), http.ErrNotSupported)
	require.NotPanics(t, w.(http.Flusher).Flush)

	below := &ableWriter{ResponseWriter: httptest.NewRecorder()}
	serve(m, unwrapping{below}, pageRequest(), func(w http.ResponseWriter, _ *http.Request) {
		require.NoError(t, w.(http.Pusher).Push("/x", nil))
		require.Equal(t, []string{"/x"}, below.pushed)
		require.NoError(t, http.NewResponseController(w).Flush())
		require.Equal(t, 1, below.flushed)
	})
}

// serve serves one request as an adapter does, and returns the writer that do had.
func serve(m interface {
	Serve(http.ResponseWriter, *http.Request, func() string, func(http.ResponseWriter, *http.Request) error) error
}, w http.ResponseWriter, r *http.Request, do http.HandlerFunc) (had http.ResponseWriter) {
	_ = m.Serve(w, r, nil, func(w http.ResponseWriter, r *http.Request) error {
		had = w
		do(w, r)
		return nil
	})
	return had
}

type unwrapping struct{ http.ResponseWriter }

func (u unwrapping) Unwrap() http.ResponseWriter { return u.ResponseWriter }

type ableWriter struct {
	http.ResponseWriter
	pushed  []string
	flushed int
}

func (a *ableWriter) Push(target string, _ *http.PushOptions) error {
	a.pushed = append(a.pushed, target)
	return nil
}
func (a *ableWriter) FlushError() error { a.flushed++; return nil }

func TestCloseNotifyEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	m := newMiddleware(t, askEveryone{}, "ada")
	ctx, cancel := context.WithCancel(context.Background())
	serve(m, bareWriter{httptest.NewRecorder()}, pageRequest().WithContext(ctx), func(w http.ResponseWriter, _ *http.Request) {
		gone := w.(interface{ CloseNotify() <-chan bool }).CloseNotify()
		select {
		case <-gone:
			t.Error("the client is still there")
		default:
		}
		cancel()
		require.True(t, <-gone)
	})
}

func TestHijack(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(http.ResponseWriter){
		"at once":       func(http.ResponseWriter) {},
		"header closed": func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInjector(t, middleware.Options{})
			done := make(chan error, 1)
			srv := startServer(t, false, i.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				before(w)
				conn, rw, err := w.(http.Hijacker).Hijack()
				if err != nil {
					done <- err
					return
				}
				defer conn.Close()
				_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nmine</body></html>")
				done <- rw.Flush()
				_, err = fmt.Fprint(w, page)
				if !errors.Is(err, http.ErrHijacked) {
					panic("a write after Hijack must fail as net/http's does")
				}
			})))
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n")
			require.NoError(t, err)
			got, err := io.ReadAll(bufio.NewReader(conn))
			require.NoError(t, err)
			require.NoError(t, <-done)
			require.True(t, strings.HasSuffix(string(got), "mine</body></html>"), string(got))
			require.NotContains(t, string(got), "<aside")
			srv.Close() // waits for the handler
			require.Equal(t, middleware.OutcomeHijacked, i.last(t))
		})
	}
}

// HTTP/2 has no Hijack; after the attempt the page is served as usual.
func TestHijackNotSupported(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	srv := startServer(t, true, i.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _, err := w.(http.Hijacker).Hijack()
		if !errors.Is(err, http.ErrNotSupported) {
			panic(err)
		}
		respond(page)(w, r)
	})))
	e := fetch(t, srv, http.MethodGet)
	require.Contains(t, e.body, "<aside")
	require.Equal(t, middleware.OutcomeInjected, i.last(t))
}

// A page that goes on after a Hijack that failed in its middle is not the panic of a handler.
func TestHijackNotSupportedMidway(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	rec, outcome := i.serve(t, pageRequest(), func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "<!doctype html>")
		_, _, err := w.(http.Hijacker).Hijack()
		if !errors.Is(err, http.ErrNotSupported) {
			panic(err)
		}
		respond(page)(w, r)
	})
	require.Equal(t, "<!doctype html>"+page, rec.Body.String())
	require.Equal(t, middleware.OutcomeUnfinished, outcome)
}

// Serve is what adapters are built on.
func TestServe(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	for what, r := range map[string]*http.Request{"anonymous": pageRequest(userHeader, "nobody"), "not a page": pageRequest("Accept", "*/*")} {
		rec := httptest.NewRecorder()
		w := serve(i, rec, r, func(_ http.ResponseWriter, got *http.Request) { require.Same(t, r, got, what) })
		require.Same(t, rec, w, what)
	}

	rec := httptest.NewRecorder()
	r := pageRequest()
	var inner *http.Request
	w := serve(i, rec, r, func(w http.ResponseWriter, got *http.Request) {
		inner = got
		require.NotSame(t, r, got)
		_, ok := middleware.PromptFrom(r.Context())
		require.False(t, ok, "the request that came is not changed")
		again := serve(i, w, got, func(_ http.ResponseWriter, again *http.Request) { require.Same(t, got, again, "once is enough") })
		require.Same(t, w, again)
		respond(page)(w, got)
	})
	require.Equal(t, middleware.OutcomeInjected, i.last(t))
	whole := rec.Body.String()
	require.Contains(t, whole, "<aside")

	n, err := io.WriteString(w, "late</body></html>")
	require.NoError(t, err)
	require.Equal(t, len("late</body></html>"), n)
	require.Equal(t, whole+"late</body></html>", rec.Body.String(), "the writer is transparent now, and nobody else's")
	_, ok := middleware.PromptFrom(inner.Context())
	require.False(t, ok)

	failure := errors.New("of the handler")
	err = i.Serve(httptest.NewRecorder(), pageRequest(), nil, func(http.ResponseWriter, *http.Request) error { return failure })
	require.ErrorIs(t, err, failure)
}

// The user func of an adapter replaces the app's, and is called once.
func TestServeAsksTheAdapterForTheUser(t *testing.T) {
	t.Parallel()
	m := newMiddleware(t, askEveryone{}, "")
	asked := 0
	rec := httptest.NewRecorder()
	require.NoError(t, m.Serve(rec, pageRequest(), func() string { asked++; return "ada" }, func(w http.ResponseWriter, r *http.Request) error {
		respond(page)(w, r)
		return nil
	}))
	require.Contains(t, rec.Body.String(), "<aside")
	require.Equal(t, 1, asked)

	rec = httptest.NewRecorder()
	require.NoError(t, m.Serve(rec, pageRequest(), func() string { panic("of the app") }, func(w http.ResponseWriter, r *http.Request) error {
		respond(page)(w, r)
		return nil
	}))
	require.Equal(t, page, rec.Body.String(), "a panic there means nobody")
}

// A framework may run its chain again, or render a part of the page through it into its
// own writer.
func TestRequestWithinARequest(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	var h http.Handler
	h = i.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/part" {
			_, _ = io.WriteString(w, "<p>part</p>")
			return
		}
		part := httptest.NewRecorder()
		inner := r.Clone(r.Context())
		inner.URL.Path = "/part"
		h.ServeHTTP(part, inner)
		_, _ = io.WriteString(w, "<!doctype html><body>"+part.Body.String()+"</body>")
	}))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, pageRequest())
	require.Equal(t, middleware.OutcomeInjected, i.last(t))
	require.Equal(t, 1, strings.Count(rec.Body.String(), "<aside"))
	require.True(t, strings.HasPrefix(rec.Body.String(), "<!doctype html><body><p>part</p><aside"), rec.Body)
}

// If the client is gone, nothing counts as a showing.
func TestClientGone(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	for _, size := range []int{10, 100_000} {
		i.Handler(respond("<!doctype html><body>"+filler(size)+"</body>")).ServeHTTP(&brokenWriter{header: http.Header{}}, pageRequest())
		require.Equal(t, middleware.OutcomeUnfinished, i.last(t))
	}
}

type brokenWriter struct{ header http.Header }

func (b *brokenWriter) Header() http.Header       { return b.header }
func (b *brokenWriter) WriteHeader(int)           {}
func (b *brokenWriter) Write([]byte) (int, error) { return 0, net.ErrClosed }

// A limited source is read to its limit and no further, as http.ServeContent needs for
// multi-part ranges.
func TestReadFromKeepsTheLimit(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	whole := "<!doctype html><body>" + filler(20_000) + "</body>"
	source := strings.NewReader(whole + whole)
	rec, outcome := i.serve(t, pageRequest(), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
		limited := &io.LimitedReader{R: source, N: int64(len(whole))}
		n, err := w.(io.ReaderFrom).ReadFrom(limited)
		require.NoError(t, err)
		require.Equal(t, int64(len(whole)), n)
		require.Zero(t, limited.N)
	})
	require.Equal(t, middleware.OutcomeInjected, outcome)
	require.Equal(t, len(whole), source.Len(), "the rest is not ours to read")
	rest, _ := without(t, rec.Body.String(), snippetOf(t, i))
	require.Equal(t, whole, rest)
}

// A file is sent by sendfile, except for its tail: the writer below gets the file
// itself, as net/http expects.
func TestFileGoesBelowAsItIs(t *testing.T) {
	t.Parallel()
	whole := "<!doctype html><body>" + filler(100_000) + closing
	name := filepath.Join(t.TempDir(), "page.html")
	require.NoError(t, os.WriteFile(name, []byte(whole), 0o600))
	i := newInjector(t, middleware.Options{})
	below := &readerSpy{ResponseRecorder: httptest.NewRecorder()}
	i.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, name)
	})).ServeHTTP(below, pageRequest())
	require.Equal(t, middleware.OutcomeInjected, i.last(t))
	require.Equal(t, 1, below.files, "one call, and of the file")
	require.Greater(t, below.n, int64(len(whole)-2100), "all but the beginning and the tail")
	rest, _ := without(t, below.Body.String(), snippetOf(t, i))
	require.Equal(t, whole, rest)
}

// readerSpy checks that it reads from a file or a part of one, as net/http does.
type readerSpy struct {
	*httptest.ResponseRecorder
	files int
	n     int64
}

func (s *readerSpy) ReadFrom(src io.Reader) (int64, error) {
	direct := src
	if limited, ok := src.(*io.LimitedReader); ok {
		direct = limited.R
	}
	n, err := io.Copy(s.ResponseRecorder.Body, src)
	if _, ok := direct.(*os.File); ok {
		s.files++
		s.n += n
	}
	return n, err
}
