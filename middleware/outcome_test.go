package middleware_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware"
)

const page = "<!doctype html><html><head><title>x</title></head><body><p>Hello</p></body></html>\n"

// as returns a handler that writes a body with these fields of the header; "" removes
// one.
func as(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for i := 0; i < len(header); i += 2 {
			w.Header()[header[i]] = []string{header[i+1]}
		}
		if status != 0 {
			w.WriteHeader(status)
		}
		_, _ = io.WriteString(w, body)
	}
}

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, s)
	_ = z.Close()
	return b.String()
}

// A response without the prompt is unchanged, whatever the reason: all of its bytes and
// all of its header.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    middleware.Outcome
	}{
		{"nothing written", func(http.ResponseWriter, *http.Request) {}, middleware.OutcomeNoAnswer},
		{"page", as(0, page), middleware.OutcomeInjected},
		{"page with an explicit 200", as(200, page), middleware.OutcomeInjected},
		{"Content-Type in capitals", as(0, page, "Content-Type", `Text/HTML;charset="UTF-8"`), middleware.OutcomeInjected},
		{"Content-Type with garbage", as(0, page, "Content-Type", `text/html; x; charset`), middleware.OutcomeInjected},
		{"legacy charset", as(0, page, "Content-Type", `text/html; charset=Shift_JIS`), middleware.OutcomeInjected},
		{"identity encoding", as(0, page, "Content-Encoding", "identity"), middleware.OutcomeInjected},
		{"inline disposition", as(0, page, "Content-Disposition", "inline; filename=x.html"), middleware.OutcomeInjected},
		{"404", as(404, page), middleware.OutcomeStatus},
		{"500", as(500, page), middleware.OutcomeStatus},
		{"201", as(201, page), middleware.OutcomeStatus},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }, middleware.OutcomeStatus},
		{"204", as(204, ""), middleware.OutcomeStatus},
		{"304", as(304, ""), middleware.OutcomeStatus},
		{"206", as(206, page[:10], "Content-Range", "bytes 0-9/99"), middleware.OutcomeStatus},
		{"range with a 200", as(200, page, "Content-Range", "bytes 0-9/99"), middleware.OutcomePartial},
		{"JSON", as(0, `{"a":1}`, "Content-Type", "application/json"), middleware.OutcomeNotHTML},
		{"XHTML", as(0, page, "Content-Type", "application/xhtml+xml"), middleware.OutcomeNotHTML},
		{"a type that begins like HTML", as(0, page, "Content-Type", "text/htmlx"), middleware.OutcomeNotHTML},
		{"Turbo stream", as(0, page, "Content-Type", "text/vnd.turbo-stream.html"), middleware.OutcomeNotHTML},
		{"script with an end tag in it", as(0, "x('</body>')", "Content-Type", "text/javascript"), middleware.OutcomeNotHTML},
		{"multipart stream", as(0, page, "Content-Type", "multipart/x-mixed-replace; boundary=x"), middleware.OutcomeNotHTML},
		{"sniffed as text", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello </body></html>") }, middleware.OutcomeNotHTML},
		{"sniffing forbidden", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, page)
		}, middleware.OutcomeNotHTML},
		{"two types", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{"text/html", "text/plain"}
			_, _ = io.WriteString(w, page)
		}, middleware.OutcomeNotHTML},
		{"gzip", as(0, gzipped(page), "Content-Encoding", "gzip"), middleware.OutcomeEncoded},
		{"br", as(0, "\x01\x02", "Content-Encoding", "br"), middleware.OutcomeEncoded},
		{"UTF-16 by charset", as(0, page, "Content-Type", "text/html; charset=UTF-16LE"), middleware.OutcomeCharset},
		{"UTF-16 by byte order mark", as(0, "\xff\xfe<\x00p\x00>\x00"), middleware.OutcomeCharset},
		{"big-endian UTF-16 by byte order mark", as(0, "\xfe\xff\x00<\x00p\x00>"), middleware.OutcomeCharset},
		{"ISO-2022-JP", as(0, page, "Content-Type", "text/html; charset=iso-2022-jp"), middleware.OutcomeCharset},
		{"attachment", as(0, page, "Content-Disposition", `Attachment; filename="x.html"`), middleware.OutcomeAttachment},
		{"no-transform", as(0, page, "Cache-Control", "max-age=60, No-Transform"), middleware.OutcomeNoTransform},
		{"signed", as(0, page, "Signature", "sig1=:x:"), middleware.OutcomeNoTransform},
		{"200 without a body", as(200, ""), middleware.OutcomeEmpty},
		{"Content-Length 0", as(200, "", "Content-Length", "0"), middleware.OutcomeEmpty},
		{"fragment", as(0, "<li>one</li>"), middleware.OutcomeFragment},
		{"cut off in a tag", as(0, page[:len(page)-12]+"<p cl"), middleware.OutcomeUnfinished},
		{"long document without end tags", as(0, "<!doctype html>"+filler(3000)), middleware.OutcomeInjected},
		{"body without an end tag", as(0, "<!doctype html><body><p>x"), middleware.OutcomeInjected},
		{"doctype without a space", as(0, "<!doctypehtml><p>x"), middleware.OutcomeInjected},
		{"doctype with a line feed", as(0, "<!DOCTYPE\nhtml><p>x"), middleware.OutcomeInjected},
		{"XML declaration before the doctype", as(0, "<?xml version='1.0'?><!doctype html><p>x"), middleware.OutcomeInjected},
		{"another doctype", as(0, "<!doctype svg><p>x"), middleware.OutcomeFragment},
		{"much white space behind the page", as(0, page+strings.Repeat(" \n", 2000)), middleware.OutcomeInjected},
		{"a long comment behind the page", as(0, page+"<!-- "+strings.Repeat("cache ", 2000)+"-->"), middleware.OutcomeInjected},
		{"long list without a document", as(0, strings.Repeat("<li>x</li>", 1000)), middleware.OutcomeFragment},
		{"long text without a document", as(0, "<p>"+strings.Repeat("OK ", 1000)), middleware.OutcomeFragment},
		{"list that ends as a page does", as(0, "<li>x</li></body></html>"), middleware.OutcomeFragment},
		{"long list that ends as a page does", as(0, strings.Repeat("<li>x</li>", 1000)+"</body></html>"), middleware.OutcomeFragment},
		{"JSON that ends as a page does", as(0, `{"html":"`+strings.Repeat("x", 1000)+"</body></html>"), middleware.OutcomeFragment},
		{"feed", as(0, `<?xml version="1.0"?><rss>`+strings.Repeat("<item></item>", 1000)+"</rss>"), middleware.OutcomeFragment},
		{"long list in one piece with its length", as(0, strings.Repeat("<li>x</li>", 1000), "Content-Length", "10000"), middleware.OutcomeFragment},
		{"long comment before the doctype", as(0, "<!-- "+strings.Repeat("license ", 500)+"--><!doctype html><p>x</p></body></html>"), middleware.OutcomeInjected},
		{"long comment before a fragment", as(0, "<!-- "+strings.Repeat("license ", 500)+"--><p>x</p>"), middleware.OutcomeFragment},
		{"doctype across the first kilobyte", as(0, strings.Repeat(" ", 1020)+"<!doctype html><p>x</p></body></html>"), middleware.OutcomeInjected},
		{"long AMP", as(0, "<!doctype html><html amp><body>"+filler(10_000)+"</body></html>"), middleware.OutcomeAMP},
		{"AMP", as(0, "<!doctype html><html amp lang=en><body></body></html>"), middleware.OutcomeAMP},
		{"AMP by its sign", as(0, "<!doctype html><html \u26a1><body></body></html>"), middleware.OutcomeAMP},
		{"AMP for mails", as(0, "<!doctype html><html \u26a14email><body></body></html>"), middleware.OutcomeAMP},
		{"no AMP", as(0, "<!doctype html><html class=amp data-amp><body></body></html>"), middleware.OutcomeInjected},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := newInjector(t, middleware.Options{})
			bare := httptest.NewRecorder()
			tt.handler(bare, pageRequest())
			rec, outcome := i.serve(t, pageRequest(), tt.handler)
			require.Equal(t, tt.want.String(), outcome.String())
			if outcome == middleware.OutcomeInjected {
				require.Contains(t, rec.Body.String(), "<aside")
				return
			}
			require.Equal(t, bare.Body.String(), rec.Body.String())
			require.Equal(t, bare.Code, rec.Code)
			require.Equal(t, bare.Result().Header, rec.Result().Header)
		})
	}
}

func TestOutcomePanicked(t *testing.T) {
	t.Parallel()
	for _, value := range []any{"boom", http.ErrAbortHandler} {
		for _, written := range []string{"", "<!doc", page, "<!doctype html>" + filler(10_000) + page} {
			for _, typed := range []bool{false, true} { // still sniffing, and holding back already
				i := newInjector(t, middleware.Options{})
				rec := httptest.NewRecorder()
				h := i.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if typed {
						w.Header().Set("Content-Type", "text/html")
					}
					_, _ = io.WriteString(w, written)
					panic(value)
				}))
				require.PanicsWithValue(t, value, func() { h.ServeHTTP(rec, pageRequest()) })
				require.Equal(t, middleware.OutcomePanicked, i.last(t))
				require.Equal(t, written, rec.Body.String(), "what was held back leaves as it is")
			}
		}
	}
}

// If a handler panics after writing a whole page and the panic is recovered, the client
// gets the whole page with the announced length.
func TestPanickedBehindAnnouncedLength(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"small": page, "large": "<!doctype html>" + filler(20_000) + page} {
		for _, missing := range []int{0, 1} {
			t.Run(fmt.Sprintf("%s, %d bytes missing", name, missing), func(t *testing.T) {
				t.Parallel()
				i := newInjector(t, middleware.Options{})
				h := i.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "text/html")
					w.Header().Set("Content-Length", strconv.Itoa(len(body)))
					_, _ = io.WriteString(w, body[:len(body)-missing])
					panic("boom")
				}))
				srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer func() { _ = recover() }()
					h.ServeHTTP(w, r)
				}))
				defer srv.Close()
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
				require.NoError(t, err)
				r.Header = pageRequest().Header
				resp, err := srv.Client().Do(r)
				require.NoError(t, err)
				defer resp.Body.Close()
				got, err := io.ReadAll(resp.Body)
				if missing > 0 {
					require.ErrorIs(t, err, io.ErrUnexpectedEOF, "as without the middleware")
					require.Equal(t, body[:len(body)-missing], string(got))
				} else {
					require.NoError(t, err)
					require.Equal(t, body, strings.TrimRight(string(got), " "))
				}
				require.Equal(t, middleware.OutcomePanicked, i.last(t))
			})
		}
	}
}

// A goroutine of the handler, such as that of an http.TimeoutHandler, may call PromptFrom
// while the response ends. The race detector watches.
func TestPromptFromConcurrently(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	again := make(chan bool)
	_, outcome := i.serve(t, pageRequest(), func(w http.ResponseWriter, r *http.Request) {
		_, _ = middleware.PromptFrom(r.Context())
		ask := func() bool { _, ok := middleware.PromptFrom(r.Context()); return ok }
		go func() { again <- ask() }()
		respond(page)(w, r)
	})
	require.Equal(t, middleware.OutcomeRendered, outcome)
	require.True(t, <-again)
}

func TestOutcomeRendered(t *testing.T) {
	t.Parallel()
	prompt := func(w http.ResponseWriter, r *http.Request) string {
		p, ok := middleware.PromptFrom(r.Context())
		if !ok {
			return "no prompt"
		}
		return `<a href="` + p.StartURL + `">` + p.StudyName + `</a>`
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		private bool
	}{
		{"before the header", func(w http.ResponseWriter, r *http.Request) {
			own := prompt(w, r)
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<!doctype html><body>"+own+"</body>")
		}, true},
		{"between the header and the first byte", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, "<!doctype html><body>"+prompt(w, r)+"</body>")
		}, true},
		{"in the middle of the page", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "<!doctype html><body>"+strings.Repeat(" ", 6000))
			_, _ = io.WriteString(w, prompt(w, r)+"</body>")
		}, true},
		{"in a compressed page", func(w http.ResponseWriter, r *http.Request) {
			own := prompt(w, r)
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Encoding", "test")
			_, _ = io.WriteString(w, own)
		}, true},
		{"in an error page", func(w http.ResponseWriter, r *http.Request) {
			own := prompt(w, r)
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, own)
		}, true},
		{"asked twice", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "<!doctype html>"+prompt(w, r)+prompt(w, r))
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := newInjector(t, middleware.Options{})
			rec, outcome := i.serve(t, pageRequest(), tt.handler)
			require.Equal(t, middleware.OutcomeRendered, outcome)
			require.Contains(t, rec.Body.String(), `<a href="/askonce/start?study=study-1&from=template">Onboarding</a>`)
			require.NotContains(t, rec.Body.String(), "<aside")
			require.Equal(t, "private, no-cache", rec.Header().Get("Cache-Control"))
		})
	}

	t.Run("too late", func(t *testing.T) {
		t.Parallel()
		i := newInjector(t, middleware.Options{})
		rec, outcome := i.serve(t, pageRequest(), func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Cache-Control", "public")
			_, _ = io.WriteString(w, "begun ")
			_, _ = io.WriteString(w, prompt(w, r))
		})
		require.Equal(t, middleware.OutcomeNotHTML, outcome)
		require.Equal(t, "begun no prompt", rec.Body.String(), "a public header has left")
	})
	t.Run("nobody to ask", func(t *testing.T) {
		t.Parallel()
		i := newInjector(t, middleware.Options{})
		rec := httptest.NewRecorder()
		i.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, prompt(w, r))
		})).ServeHTTP(rec, pageRequest(userHeader, "nobody"))
		require.Equal(t, "no prompt", rec.Body.String())
		require.Empty(t, i.outcomes)
	})
}

func TestOutcomeString(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for o := middleware.OutcomeNoAnswer; o <= middleware.OutcomePolicy; o++ {
		require.Regexp(t, `^[a-z_]+$`, o.String())
		require.False(t, seen[o.String()], o)
		seen[o.String()] = true
	}
	require.Equal(t, "unknown", (middleware.OutcomePolicy + 1).String())
}

// A page that announces its length has that length, with the prompt and without.
func TestContentLength(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	snippet := snippetOf(t, i)
	declared := func(n int, body string) http.HandlerFunc {
		return as(0, body, "Content-Length", strconv.Itoa(n))
	}

	rec, outcome := i.serve(t, pageRequest(), declared(len(page), page))
	require.Equal(t, middleware.OutcomeInjected, outcome)
	require.Equal(t, strconv.Itoa(len(page)+len(snippet)), rec.Header().Get("Content-Length"))
	require.Equal(t, len(page)+len(snippet), rec.Body.Len())

	const cut = "<!doctype html><html><p>cut<b"
	rec, outcome = i.serve(t, pageRequest(), declared(len(cut), cut))
	require.Equal(t, middleware.OutcomeUnfinished, outcome)
	require.Equal(t, cut, rec.Body.String())
	require.Equal(t, strconv.Itoa(len(cut)), rec.Header().Get("Content-Length"), "nothing was announced before the end was known")

	long := "<!doctype html>" + filler(10_000) + "<p>cut<b"
	rec, outcome = i.serve(t, pageRequest(), declared(len(long), long))
	require.Equal(t, middleware.OutcomeUnfinished, outcome)
	require.Equal(t, long+strings.Repeat(" ", len(snippet)), rec.Body.String(), "padded, because the length has been announced")

	rec, outcome = i.serve(t, pageRequest(), declared(len(page)+1, page))
	require.Equal(t, middleware.OutcomeUnfinished, outcome, "less than announced is no whole page")
	require.Equal(t, page, rec.Body.String())

	var err error
	_, outcome = i.serve(t, pageRequest(), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		_, _ = io.WriteString(w, page)
		_, err = io.WriteString(w, "more")
	})
	require.ErrorIs(t, err, http.ErrContentLength)
	require.Equal(t, middleware.OutcomeInjected, outcome)
}
