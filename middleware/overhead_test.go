package middleware_test

import (
	"bytes"
	"context"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
)

// askNobody decides like a gate in the most common case.
type askNobody struct{ askEveryone }

func (askNobody) Decide(_ context.Context, v gate.Visitor) gate.Decision {
	if v.UserID == "" {
		return gate.Decision{Reason: gate.ReasonAnonymous}
	}
	return gate.Decision{Reason: gate.ReasonHeldOut}
}

// memory is a ResponseWriter that only copies.
type memory struct {
	header http.Header
	body   []byte
}

func newMemory() *memory { return &memory{http.Header{}, make([]byte, 0, 2<<20)} }

func (m *memory) Header() http.Header { return m.header }
func (m *memory) WriteHeader(int)     {}
func (m *memory) Write(p []byte) (int, error) {
	m.body = append(m.body, p...)
	return len(p), nil
}

func (m *memory) reset() {
	clear(m.header)
	m.body = m.body[:0]
}

func newMiddleware(t testing.TB, d gate.Decider, user string) *middleware.Middleware {
	t.Helper()
	keys := [][]byte{bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)} // the same for all, so that they know each other's cookies
	m, err := middleware.New(d, func(*http.Request) string { return user }, &middleware.Options{CookieKeys: keys})
	require.NoError(t, err)
	return m
}

// historyCookie returns the cookie of a user who has seen the prompt.
func historyCookie(t testing.TB, m *middleware.Middleware) string {
	t.Helper()
	c := seen(t, m, nil)
	return c.Name + "=" + c.Value
}

// overheads are requests that get no prompt, and the fixed part of those that do.
func overheads(t testing.TB) []struct {
	name string
	m    *middleware.Middleware
	r    *http.Request
	h    http.HandlerFunc
} {
	asked, notAsked, anonymous := newMiddleware(t, askEveryone{}, "ada"), newMiddleware(t, askNobody{}, "ada"), newMiddleware(t, askNobody{}, "")
	typeHTML, typeJSON := []string{"text/html; charset=utf-8"}, []string{"application/json"}
	small := []byte("<!doctype html><html><head><title>x</title></head><body>" + filler(300) + "</body></html>\n")
	writeSmall := func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = typeHTML
		_, _ = w.Write(small)
	}
	writeJSON := func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = typeJSON
		_, _ = w.Write(small)
	}
	browser := []string{"Accept-Encoding", "gzip, deflate, br, zstd", "User-Agent", "Mozilla/5.0",
		"Accept-Language", "en-GB,en;q=0.9,de;q=0.8", "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none", "Cookie", "session=1"}
	shown := append(slices.Clone(browser), "Cookie", "session=1; "+historyCookie(t, asked))
	post := pageRequest(browser...)
	post.Method = http.MethodPost
	// A page that shows the prompt may also set a sealed cookie. A user gets at most one a
	// day by default, but here every request would: so the writer is measured without it,
	// by prefetched pages, and once with it.
	uncounted := []string{"Sec-Purpose", "prefetch"}
	return []struct {
		name string
		m    *middleware.Middleware
		r    *http.Request
		h    http.HandlerFunc
	}{
		{"not_eligible", asked, pageRequest("Accept", "*/*"), writeJSON},
		{"not_eligible_method", asked, post, writeJSON},
		{"anonymous", anonymous, pageRequest(browser...), writeSmall},
		{"not_asked", notAsked, pageRequest(), writeSmall},
		{"not_asked_browser", notAsked, pageRequest(browser...), writeSmall},
		{"not_asked_browser_history", notAsked, pageRequest(shown...), writeSmall},
		{"asked_not_html", asked, pageRequest(), writeJSON},
		{"asked_not_html_browser", asked, pageRequest(browser...), writeJSON},
		{"asked_small_page_uncounted", asked, pageRequest(uncounted...), writeSmall},
		{"asked_small_page_uncounted_browser", asked, pageRequest(append(uncounted, browser...)...), writeSmall},
		{"asked_small_page_counted", asked, pageRequest(browser...), writeSmall},
	}
}

// Requests that get no prompt allocate nothing.
func TestNoPromptNoAllocations(t *testing.T) {
	for _, o := range overheads(t) {
		if strings.HasPrefix(o.name, "asked") {
			continue
		}
		w := newMemory()
		wrapped := o.m.Handler(o.h)
		require.Zero(t, testing.AllocsPerRun(100, func() { w.reset(); wrapped.ServeHTTP(w, o.r) }), o.name)
	}
}

// Requests that get one allocate little, whatever the size of the page.
func TestPromptAllocations(t *testing.T) {
	limits := map[string]float64{"asked_not_html": 2, "asked_small_page_uncounted": 4}
	for _, o := range overheads(t) {
		limit, ok := limits[o.name]
		if !ok {
			continue
		}
		w := newMemory()
		wrapped := o.m.Handler(o.h)
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() { w.reset(); wrapped.ServeHTTP(w, o.r) }), limit, o.name)
	}
	large := []byte("<!doctype html><body>" + filler(1<<20) + "</body></html>")
	m := newMiddleware(t, askEveryone{}, "ada")
	w := newMemory()
	h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(large) }))
	require.LessOrEqual(t, testing.AllocsPerRun(20, func() { w.reset(); h.ServeHTTP(w, pageRequestOnce) }), 4.0, "for 1 MB of page")
	var before, after runtime.MemStats
	const n = 100
	runtime.ReadMemStats(&before)
	for range n {
		w.reset()
		h.ServeHTTP(w, pageRequestOnce)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, (after.TotalAlloc-before.TotalAlloc)/n, uint64(6<<10), "bytes for 1 MB of page")
}

var pageRequestOnce = pageRequest("Sec-Purpose", "prefetch")
