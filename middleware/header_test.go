package middleware_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/internal/pagetest"
)

// tagOf returns what the middleware appends to entity tags.
func tagOf(t *testing.T, i *injector) string {
	t.Helper()
	rec, outcome := i.serve(t, pageRequest(), as(0, page, "Etag", `"v1"`))
	require.Equal(t, middleware.OutcomeInjected, outcome)
	require.Regexp(t, `^"v1-askonce\.[A-Za-z0-9_-]{8}"$`, rec.Header().Get("Etag"))
	return rec.Header().Get("Etag")[len(`"v1`) : len(rec.Header().Get("Etag"))-1]
}

func TestHeaderOfInjectedPage(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	tag := tagOf(t, i)
	tests := []struct {
		name, field, sent, want string
	}{
		{"strong entity tag", "Etag", `"v1"`, `"v1` + tag + `"`},
		{"weak entity tag", "Etag", `W/"v1"`, `W/"v1` + tag + `"`},
		{"empty entity tag", "Etag", `""`, `"` + tag + `"`},
		{"not an entity tag", "Etag", `v1`, ""},
		{"half an entity tag", "Etag", `"`, ""},
		{"Last-Modified", "Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT", ""},
		{"Accept-Ranges", "Accept-Ranges", "bytes", ""},
		{"Content-MD5", "Content-Md5", "x", ""},
		{"Digest", "Digest", "sha-256=x", ""},
		{"Content-Digest", "Content-Digest", "sha-256=:x:", ""},
		{"Repr-Digest", "Repr-Digest", "sha-256=:x:", ""},
		{"Surrogate-Control", "Surrogate-Control", "max-age=60", ""},
		{"CDN-Cache-Control", "Cdn-Cache-Control", "max-age=60", ""},
		{"Cloudflare's", "Cloudflare-Cdn-Cache-Control", "max-age=60", ""},
		{"nginx's", "X-Accel-Expires", "60", ""},
		// A browser that reuses the page shows the prompt again after "No thanks". With no-cache it
		// validates the page first, whatever its freshness.
		{"no Cache-Control", "Cache-Control", "", "private, no-cache"},
		{"public", "Cache-Control", "public, max-age=60", "private, no-cache, max-age=60"},
		{"s-maxage", "Cache-Control", "S-MaxAge=600, max-age=60, must-revalidate", "private, no-cache, max-age=60, must-revalidate"},
		{"stale", "Cache-Control", "max-age=1, stale-while-revalidate=600", "private, no-cache, max-age=1, stale-while-revalidate=600"},
		{"private already", "Cache-Control", "private,no-cache", "private, no-cache"},
		{"no-cache for a field", "Cache-Control", `no-cache="Set-Cookie"`, "private, no-cache"},
		{"no-cache for two fields", "Cache-Control", `no-cache="Set-Cookie, Set-Cookie2", no-store`, "private, no-cache, no-store"},
		{"an extension stays", "Cache-Control", "max-age=60, x-app=1", "private, no-cache, max-age=60, x-app=1"},
		{"no-store stays", "Cache-Control", "no-store", "private, no-cache, no-store"},
		{"Vary is not touched", "Vary", "Accept-Language", "Accept-Language"},
		{"Expires stays", "Expires", "0", "0"},
		{"cookies stay", "Set-Cookie", "a=b", "a=b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := newInjector(t, middleware.Options{})
			rec, outcome := i.serve(t, pageRequest(), func(w http.ResponseWriter, _ *http.Request) {
				if tt.sent != "" {
					w.Header().Set(tt.field, tt.sent)
				}
				_, _ = io.WriteString(w, page)
			})
			require.Equal(t, middleware.OutcomeInjected, outcome)
			require.Equal(t, tt.want, rec.Header().Get(tt.field))
			require.Equal(t, "text/html; charset=utf-8", rec.Header().Get("Content-Type"), "sniffed as net/http would have")
		})
	}
}

// The handler does not see the fields of the request that would keep the prompt out.
func TestHeaderOfInnerRequest(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	tag := tagOf(t, i)
	tests := []struct{ name, field, sent, want string }{
		{"validator of the plain page", "If-None-Match", `"v1"`, ""},
		{"any validator", "If-None-Match", `*`, ""},
		{"our own", "If-None-Match", `"v1` + tag + `"`, `"v1"`},
		{"our own, weak, among others", "If-None-Match", `"v0", W/"v1` + tag + `", "v2"`, `W/"v1"`},
		{"one of another prompt", "If-None-Match", `"v1-askonce.AAAAAAAA"`, ""},
		{"date", "If-Modified-Since", "Wed, 21 Oct 2015 07:28:00 GMT", ""},
		{"compression", "Accept-Encoding", "gzip", ""},
		{"If-Range stays", "If-Range", `"v1"`, `"v1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := newInjector(t, middleware.Options{})
			r := pageRequest(tt.field, tt.sent)
			_, _ = i.serve(t, r, func(w http.ResponseWriter, inner *http.Request) {
				require.Equal(t, tt.want, inner.Header.Get(tt.field))
				require.NotContains(t, inner.Header[tt.field], "")
				_, _ = io.WriteString(w, page)
			})
			require.Equal(t, tt.sent, r.Header.Get(tt.field), "the request of others is not changed")
		})
	}
}

func TestNotModifiedKeepsOurTag(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	tag := tagOf(t, i)
	policy := ""
	serve := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"v1"`)
		w.Header().Set("Cache-Control", "public, max-age=5")
		w.Header().Set("Content-Security-Policy", policy)
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, page)
	}
	rec, outcome := i.serve(t, pageRequest("If-None-Match", `"v1`+tag+`"`), serve)
	require.Equal(t, middleware.OutcomeStatus, outcome)
	require.Equal(t, http.StatusNotModified, rec.Code)
	require.Equal(t, `"v1`+tag+`"`, rec.Header().Get("Etag"))
	require.Equal(t, "private, no-cache, max-age=5", rec.Header().Get("Cache-Control"))
	require.Empty(t, rec.Header()["Set-Cookie"], "the cached page itself reports what is seen")

	policy = "script-src 'none'"
	rec, _ = i.serve(t, pageRequest("If-None-Match", `"v1`+tag+`"`), serve)
	require.Equal(t, http.StatusNotModified, rec.Code)
	require.NotEmpty(t, rec.Header()["Set-Cookie"], "nothing reports it")

	rec, outcome = i.serve(t, pageRequest("If-None-Match", `"v1"`), serve)
	require.Equal(t, middleware.OutcomeInjected, outcome, "who has the plain page gets the prompt and no 304")
	require.Equal(t, http.StatusOK, rec.Code)
}

// HEAD is answered with the header of GET, except for the length (RFC 9110, 9.3.2).
func TestHeadHasTheHeaderOfGet(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"body written": as(0, page, "Etag", `"v1"`, "Cache-Control", "public"),
		"header only": func(w http.ResponseWriter, r *http.Request) {
			as(200, "", "Etag", `"v1"`, "Content-Length", "99")(w, r)
		},
		"flushed":        func(w http.ResponseWriter, r *http.Request) { as(200, page)(w, r); w.(http.Flusher).Flush() },
		"not for us":     as(404, page),
		"another type":   as(0, "{}", "Content-Type", "application/json"),
		"nothing at all": func(http.ResponseWriter, *http.Request) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInjector(t, middleware.Options{})
			get := httptest.NewRecorder()
			body := h
			if name == "header only" {
				body = as(200, page, "Etag", `"v1"`)
			}
			i.Handler(body).ServeHTTP(get, pageRequest())
			want := i.last(t)
			r := pageRequest()
			r.Method = http.MethodHead
			head, outcome := i.serve(t, r, h)
			if want == middleware.OutcomeInjected {
				require.Equal(t, middleware.OutcomeHeadOnly, outcome)
				require.Empty(t, head.Body.String())
			} else {
				require.Equal(t, want, outcome)
			}
			g := get.Result().Header
			g.Del("Content-Length")
			g.Del("Set-Cookie") // HEAD shows nothing that would have to be noted
			require.Equal(t, g, head.Result().Header)
			require.Equal(t, get.Code, head.Code)
		})
	}
}

// Fields that net/http would not have sent are not sent, and trailers are.
func TestHeaderChangedAfterItWasClosed(t *testing.T) {
	t.Parallel()
	for name, finish := range map[string]func(http.ResponseWriter){
		"body":   func(w http.ResponseWriter) { _, _ = io.WriteString(w, page) },
		"text":   func(w http.ResponseWriter) { _, _ = io.WriteString(w, "text") },
		"flush":  func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"nobody": func(http.ResponseWriter) {},
	} {
		for _, closeBy := range []string{"WriteHeader", "empty write"} {
			t.Run(name+" after "+closeBy, func(t *testing.T) {
				t.Parallel()
				i := newInjector(t, middleware.Options{})
				handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("X-Early", "1")
					w.Header().Set("Trailer", "X-Trailer")
					if closeBy == "WriteHeader" {
						w.WriteHeader(http.StatusOK)
					} else {
						_, _ = w.Write(nil)
					}
					w.Header().Set("X-Late", "1")
					w.Header().Set("X-Early", "2")
					finish(w)
					w.Header().Set("X-Trailer", "end")
				})
				srv := httptest.NewServer(i.Handler(handler))
				defer srv.Close()
				for _, user := range []string{"", "nobody"} { // asked, and as it is without us
					req, err := http.NewRequest(http.MethodGet, srv.URL, nil)
					require.NoError(t, err)
					req.Header.Set("Accept", "text/html")
					req.Header.Set(userHeader, user)
					resp, err := srv.Client().Do(req)
					require.NoError(t, err)
					_, err = io.Copy(io.Discard, resp.Body)
					require.NoError(t, err)
					require.NoError(t, resp.Body.Close())
					require.Equal(t, "1", resp.Header.Get("X-Early"))
					require.Empty(t, resp.Header.Get("X-Late"))
					require.Equal(t, "end", resp.Trailer.Get("X-Trailer"))
				}
			})
		}
	}
}

func TestContentSecurityPolicy(t *testing.T) {
	t.Parallel()
	const (
		none   = 0
		script = 1
		style  = 2
		both   = script | style
	)
	tests := []struct {
		name     string
		policies []string
		allowed  int
		nonce    string
	}{
		{"none", nil, both, ""},
		{"self", []string{"default-src 'self'"}, both, ""},
		{"any", []string{"script-src *; style-src *"}, both, ""},
		{"by scheme", []string{"default-src https:"}, both, ""},
		{"nothing about scripts", []string{"frame-ancestors 'none'; img-src x"}, both, ""},
		{"nothing allowed", []string{"default-src 'none'"}, none, ""},
		{"scripts only", []string{"default-src 'none'; script-src 'self'; connect-src 'self'"}, none, ""},
		{"no way to answer", []string{"default-src 'none'; style-src 'self'; form-action 'none'"}, none, ""},
		{"no way to answer without a form", []string{"default-src 'none'; script-src 'self'; style-src 'self'; form-action 'none'"}, none, ""},
		{"by script alone", []string{"default-src 'self'; form-action 'none'"}, both, ""},
		{"a sandbox without the origin", []string{"sandbox allow-scripts allow-popups"}, none, ""},
		{"a sandbox without popups", []string{"sandbox allow-scripts allow-same-origin"}, none, ""},
		{"a sandbox with all that it takes", []string{"sandbox allow-scripts allow-same-origin allow-popups allow-forms"}, both, ""},
		{"a sandbox without scripts", []string{"sandbox allow-same-origin allow-popups allow-forms"}, style, ""},
		{"the app's host", []string{"default-src https://app.example"}, both, ""},
		{"the app's host without a scheme", []string{"default-src APP.example"}, both, ""},
		{"the app's host and port", []string{"default-src app.example:443"}, both, ""},
		{"the app's host and any port", []string{"default-src http://app.example:*"}, both, ""},
		{"the app's host and another port", []string{"default-src app.example:8443"}, none, ""},
		{"all hosts below", []string{"default-src *.example"}, both, ""},
		{"all hosts below the app's", []string{"default-src *.app.example"}, none, ""},
		{"a longer name", []string{"default-src example"}, none, ""},
		{"another scheme", []string{"default-src wss://app.example data: blob:"}, none, ""},
		{"the prompt's path", []string{"default-src app.example/askonce/"}, both, ""},
		{"a path that is a file", []string{"default-src app.example/askonce"}, none, ""},
		{"another path", []string{"default-src app.example/static/"}, none, ""},
		{"an escaped path", []string{"default-src app.example/ask%6Fnce/"}, both, ""},
		{"strict-dynamic does not matter to styles", []string{"style-src 'self' 'strict-dynamic'"}, both, ""},
		{"the element's directive goes first", []string{"script-src 'none'; script-src-elem 'self'; style-src 'self'"}, both, ""},
		{"the first of two counts", []string{"script-src 'none'; script-src 'self'"}, style, ""},
		{"nonce", []string{"default-src 'nonce-abc123=='"}, both, "abc123=="},
		{"nonce for scripts", []string{"script-src 'nonce-abc'; style-src 'self'"}, both, "abc"},
		{"nonce and self", []string{"script-src 'self' 'nonce-abc'"}, both, "abc"},
		{"strict-dynamic with a nonce", []string{"script-src 'self' 'strict-dynamic' 'Nonce-abc'"}, both, "abc"},
		{"strict-dynamic without", []string{"script-src 'self' 'strict-dynamic'"}, style, ""},
		{"hashes only", []string{"script-src 'sha256-abc'; style-src 'self'"}, style, ""},
		{"other hosts only", []string{"script-src cdn.example; style-src 'self'"}, style, ""},
		{"every header counts", []string{"script-src 'self'", "script-src 'none'"}, style, ""},
		{"every policy of one header counts", []string{"script-src 'self', script-src 'none'"}, style, ""},
		{"two nonces for one element", []string{"script-src 'nonce-a'", "script-src 'nonce-b'"}, style, ""},
		{"two nonces of which one is needed", []string{"script-src 'self' 'nonce-a'", "script-src 'nonce-b'"}, both, "b"},
		{"a nonce that breaks out", []string{`script-src 'nonce-"><img>'; style-src 'self'`}, style, ""},
		{"an empty nonce", []string{`script-src 'nonce-'; style-src 'self'`}, style, ""},
	}
	for _, tt := range tests {
		for _, field := range []string{"Content-Security-Policy", "Content-Security-Policy-Report-Only"} {
			t.Run(tt.name+" "+field, func(t *testing.T) {
				t.Parallel()
				i := newInjector(t, middleware.Options{})
				r := pageRequest()
				r.Host = "app.example"
				rec, outcome := i.serve(t, r, func(w http.ResponseWriter, _ *http.Request) {
					w.Header()[field] = tt.policies
					_, _ = io.WriteString(w, page)
				})
				reportOnly := strings.HasSuffix(field, "Only")
				if tt.allowed == none && !reportOnly {
					require.Equal(t, middleware.OutcomePolicy, outcome)
					require.Equal(t, page, rec.Body.String())
					require.Empty(t, rec.Header()["Set-Cookie"], "it costs nothing")
					return
				}
				require.Equal(t, middleware.OutcomeInjected, outcome)
				got := none
				for n := range pagetest.Parse(t, rec.Body.String(), true).Descendants() {
					if n.Data == "script" {
						got |= script
						if !reportOnly || tt.allowed == both {
							require.Equal(t, tt.nonce, pagetest.Attribute(n, "nonce"))
						}
					}
					if n.Data == "link" {
						got |= style
					}
				}
				if reportOnly {
					require.Equal(t, both, got, "a report blocks nothing")
					return
				}
				require.Equal(t, tt.allowed, got, rec.Body)
			})
		}
	}
}
