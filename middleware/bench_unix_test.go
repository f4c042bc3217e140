//go:build unix

package middleware_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// cpuTime returns the processor time that the process has used, in nanoseconds. Wall
// time would include whatever else the machine does.
func cpuTime(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

// medians runs the functions in turns and returns the processor time of one call of
// each, in nanoseconds: the median of many short rounds, because a busy machine spoils
// some. A round that is too short measures only itself: use -benchtime 2000000x for a
// request that takes nanoseconds.
func medians(b *testing.B, calls ...func()) []float64 {
	b.Helper()
	const rounds = 201
	n := max(1, b.N/rounds)
	took := make([][]float64, len(calls))
	for _, call := range calls {
		call()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range rounds {
		for i, call := range calls {
			begin := cpuTime(b)
			for range n {
				call()
			}
			took[i] = append(took[i], (cpuTime(b)-begin)/float64(n))
		}
	}
	b.ReportMetric(0, "ns/op") // it would be that of all
	result := make([]float64, len(calls))
	for i, t := range took {
		slices.Sort(t)
		result[i] = t[rounds/2]
	}
	return result
}

// compare reports how much more the first costs than the second, as a difference and a
// ratio.
func compare(b *testing.B, with, bare func()) {
	b.Helper()
	m := medians(b, with, bare)
	b.ReportMetric(m[0]/m[1], "ratio")
	b.ReportMetric(m[0]-m[1], "more-ns")
	b.ReportMetric(testing.AllocsPerRun(20, with)-testing.AllocsPerRun(20, bare), "more-allocs")
}

func BenchmarkOverhead(b *testing.B) {
	for _, o := range overheads(b) {
		b.Run(o.name, func(b *testing.B) {
			w := newMemory()
			wrapped := o.m.Handler(o.h)
			compare(b, func() { w.reset(); wrapped.ServeHTTP(w, o.r) }, func() { w.reset(); o.h.ServeHTTP(w, o.r) })
		})
	}
}

// BenchmarkInject is the writer against a copy through the same interface, by
// size of the page and of the writes. The ratio has the fixed part of a response
// in it, which BenchmarkOverhead measures and which a copy in the cache makes
// look large; the throughput-ratio is that of what each further byte costs.
func BenchmarkInject(b *testing.B) {
	m := newMiddleware(b, askEveryone{}, "ada")
	typeHTML := []string{"text/html; charset=utf-8"}
	const small = 2 << 10
	for _, size := range []int{64 << 10, 1 << 20} {
		for _, piece := range []int{64, 4 << 10, 32 << 10, size + 100} {
			b.Run(fmt.Sprintf("%dKB_by_%d", size>>10, piece), func(b *testing.B) {
				serve := func(size int, wrap func(http.Handler) http.Handler) func() {
					page := []byte("<!doctype html><html><body>" + filler(size) + "</body></html>\n")
					h := wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						w.Header()["Content-Type"] = typeHTML
						for p := page; len(p) > 0; p = p[min(piece, len(p)):] {
							_, _ = w.Write(p[:min(piece, len(p))])
						}
					}))
					w := newMemory()
					return func() { w.reset(); h.ServeHTTP(w, pageRequestOnce) }
				}
				bare := func(h http.Handler) http.Handler { return h }
				t := medians(b, serve(size, m.Handler), serve(size, bare), serve(small, m.Handler), serve(small, bare))
				b.ReportMetric(t[0]/t[1], "ratio")
				b.ReportMetric((t[0]-t[2])/(t[1]-t[3]), "throughput-ratio")
				b.ReportMetric(t[0]-t[1], "more-ns")
			})
		}
	}
}

// BenchmarkInjectServed is a file of 1 MB over loopback, the client's share of the processor
// included. The server's own for other pages is what examples/bench measures.
func BenchmarkInjectServed(b *testing.B) {
	m := newMiddleware(b, askEveryone{}, "ada")
	page := "<!doctype html><html><body>" + filler(1<<20) + "</body></html>\n"
	dir := b.TempDir()
	require.NoError(b, os.WriteFile(filepath.Join(dir, "page.html"), []byte(page), 0o600))
	get := func(srv *httptest.Server) func() {
		req, err := http.NewRequest(http.MethodGet, srv.URL+"/page.html", nil)
		require.NoError(b, err)
		req.Header.Set("Accept", "text/html")
		return func() {
			resp, err := srv.Client().Do(req)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}
	h := http.FileServer(http.Dir(dir))
	bare, with := httptest.NewServer(h), httptest.NewServer(m.Handler(h))
	defer bare.Close()
	defer with.Close()
	compare(b, get(with), get(bare))
}
