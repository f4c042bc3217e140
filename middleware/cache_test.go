package middleware_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware"
)

// sharedCache is a small shared cache of RFC 9111: it stores responses (section 3),
// reuses fresh ones (4.2), validates stale ones with its own entity tag or date (4.3)
// and answers conditional requests.
type sharedCache struct {
	origin http.Handler
	now    time.Time
	stored map[string]*storedResponse
	reused bool // the latest answer was made without the origin
}

type storedResponse struct {
	header http.Header
	body   string
	at     time.Time
	vary   string // the request's value of what Vary names
}

func (c *sharedCache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.reused = false
	s := c.stored[r.URL.Path]
	if s != nil && s.vary != varyKey(s.header, r) {
		s = nil
	}
	if s != nil && c.now.Sub(s.at) < lifetime(s.header) {
		c.reused = true
		s.answer(w, r)
		return
	}
	inner := r.Clone(r.Context())
	if s != nil {
		inner.Header.Del("If-None-Match")
		inner.Header.Del("If-Modified-Since")
		if tag := s.header.Get("Etag"); tag != "" {
			inner.Header.Set("If-None-Match", tag)
		}
		if date := s.header.Get("Last-Modified"); date != "" {
			inner.Header.Set("If-Modified-Since", date)
		}
	}
	rec := httptest.NewRecorder()
	c.origin.ServeHTTP(rec, inner)
	resp := rec.Result()
	mayStore := !hasAny(resp.Header, "private", "no-store") && r.Method == http.MethodGet
	if rec.Code == http.StatusNotModified && s != nil {
		for name, values := range resp.Header {
			s.header[name] = values
		}
		s.at = c.now
		s.answer(w, r)
		return
	}
	if rec.Code == http.StatusOK && mayStore && (lifetime(resp.Header) > 0 || resp.Header.Get("Etag") != "" || resp.Header.Get("Last-Modified") != "") {
		c.stored[r.URL.Path] = &storedResponse{resp.Header, rec.Body.String(), c.now, varyKey(resp.Header, r)}
	}
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	_, _ = io.WriteString(w, rec.Body.String())
}

func (s *storedResponse) answer(w http.ResponseWriter, r *http.Request) {
	for name, values := range s.header {
		w.Header()[name] = values
	}
	if tag := s.header.Get("Etag"); tag != "" && r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = io.WriteString(w, s.body)
}

func varyKey(h http.Header, r *http.Request) string { return r.Header.Get(h.Get("Vary")) }

func hasAny(h http.Header, directives ...string) bool {
	for _, d := range directives {
		if strings.Contains(h.Get("Cache-Control"), d) {
			return true
		}
	}
	return false
}

func lifetime(h http.Header) time.Duration {
	for _, name := range []string{"s-maxage=", "max-age="} {
		for _, d := range strings.Split(h.Get("Cache-Control"), ", ") {
			if v, ok := strings.CutPrefix(d, name); ok {
				n, _ := strconv.Atoi(v)
				return time.Duration(n) * time.Second
			}
		}
	}
	return 0
}

// browserCache is the cache of one visitor's browser, which always validates.
type browserCache struct {
	tag, date, body string
}

func (b *browserCache) get(cache http.Handler, user string) string {
	r := pageRequest(userHeader, user, "Sec-Fetch-Dest", "document")
	if b.tag != "" {
		r.Header.Set("If-None-Match", b.tag)
	}
	if b.date != "" {
		r.Header.Set("If-Modified-Since", b.date)
	}
	rec := httptest.NewRecorder()
	cache.ServeHTTP(rec, r)
	if rec.Code == http.StatusNotModified {
		return b.body
	}
	b.body = rec.Body.String()
	b.tag, b.date = rec.Header().Get("Etag"), rec.Header().Get("Last-Modified")
	return b.body
}

// Behind a shared cache, no user gets another's prompt. A user who is asked gets the
// prompt if the request reaches the app, whatever copies of the plain page exist. (The
// cache alone serves a plain page that the app has declared public while it is fresh;
// no middleware can change that.)
func TestSharedCache(t *testing.T) {
	t.Parallel()
	for _, control := range []string{"", "public, max-age=60", "s-maxage=60", "max-age=0, must-revalidate", "no-cache", "private, max-age=60"} {
		for _, validators := range []string{"both", "tag", "weak", "date", "none"} {
			for _, vary := range []string{"", "Accept-Encoding", userHeader} {
				t.Run(fmt.Sprintf("%q %s %q", control, validators, vary), func(t *testing.T) {
					t.Parallel()
					i := newInjector(t, middleware.Options{})
					snippet := snippetOf(t, i)
					cache := &sharedCache{now: modified.Add(time.Hour), stored: map[string]*storedResponse{}}
					cache.origin = i.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						h := w.Header()
						if control != "" {
							h.Set("Cache-Control", control)
						}
						if vary != "" {
							h.Set("Vary", vary)
						}
						at := time.Time{}
						switch validators {
						case "both":
							at = modified
							h.Set("Etag", `"v1"`)
						case "tag":
							h.Set("Etag", `"v1"`)
						case "weak":
							h.Set("Etag", `W/"v1"`)
						case "date":
							at = modified
						}
						http.ServeContent(w, r, "page.html", at, strings.NewReader(page))
					}))
					browsers := map[string]*browserCache{"nobody": {}, "bert": {}, "carl": {}}
					rnd := rand.New(rand.NewPCG(1, uint64(len(control))))
					for range 60 {
						user := []string{"nobody", "bert", "carl"}[rnd.IntN(3)]
						cache.now = cache.now.Add(time.Duration(rnd.IntN(40)) * time.Second)
						got := browsers[user].get(cache, user)
						rest, at := without(t, got, snippet)
						require.Equal(t, page, rest)
						switch {
						case user == "nobody":
							require.Equal(t, -1, at, "a prompt that is another's")
						case !cache.reused:
							require.GreaterOrEqual(t, at, 0, "the prompt is hidden by a plain copy")
						}
					}
					// Once nobody asks any more, the browser's copy with the prompt is no longer good.
					cache.now = cache.now.Add(time.Hour)
					require.Equal(t, page, browsers["bert"].get(cache, "nobody"))
				})
			}
		}
	}
}
