package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// alternate measures two operations in turns, so that other work of the machine
// affects both, and returns the median duration of each. It collects garbage first,
// so that neither pays for earlier allocations.
func alternate(rounds int, a, b func()) (medianA, medianB time.Duration) {
	var as, bs []time.Duration
	timed := func(f func()) time.Duration {
		runtime.GC()
		begun := time.Now()
		f()
		return time.Since(begun)
	}
	for range rounds {
		as, bs = append(as, timed(a)), append(bs, timed(b))
	}
	slices.Sort(as)
	slices.Sort(bs)
	return as[rounds/2], bs[rounds/2]
}

// BenchmarkVerify compares Verify with a plain HMAC per delivery. x_raw is Verify's
// time divided by the HMAC's.
func BenchmarkVerify(b *testing.B) {
	for _, size := range []int{700, 64 << 10} {
		body := bytes.Repeat([]byte("x"), size)
		header := http.Header{"X-Webhook-Signature": {webhooktest.Sign(secret, body)}}
		secrets := []string{secret}
		verify := func() {
			if webhook.Verify(secrets, header, body) != nil {
				b.Fatal("not verified")
			}
		}
		raw := func() {
			m := hmac.New(sha256.New, []byte(secret))
			m.Write(body)
			m.Sum(nil)
		}
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				verify()
			}
			b.StopTimer()
			batch := max(1, 200_000/size)
			repeat := func(f func()) func() {
				return func() {
					for range batch {
						f()
					}
				}
			}
			v, r := alternate(301, repeat(verify), repeat(raw))
			b.ReportMetric(float64(v)/float64(r), "x_raw")
		})
	}
}

// load sends n requests over kept-alive connections of eight clients.
type load struct {
	t    testing.TB
	http *http.Client
	seq  atomic.Int64
}

func newLoad(t testing.TB) *load {
	transport := &http.Transport{MaxIdleConnsPerHost: 8, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &load{t: t, http: &http.Client{Transport: transport}}
}

func (l *load) send(url string, n, status int, delivery func(i int64) (body []byte, signature string)) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range n / 8 {
				body, signature := delivery(l.seq.Add(1))
				req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
				if err != nil {
					l.t.Error(err)
					return
				}
				req.Header.Set("X-Webhook-Signature", signature)
				resp, err := l.http.Do(req)
				if err != nil {
					l.t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != status {
					l.t.Errorf("status %d", resp.StatusCode)
					return
				}
			}
		})
	}
	wg.Wait()
}

// deliveries returns a function that makes bodies of 700 bytes, each for a new
// interview of a new user.
func deliveries(tb testing.TB) func(i int64) []byte {
	const id, user = "a1b2c3d4-0000-0000-0000-000000000000", "user_00000000"
	e := webhooktest.Completed(user)
	e.Data.InterviewID = id
	template, err := json.Marshal(e)
	require.NoError(tb, err)
	template = append(template, bytes.Repeat([]byte(" "), 700-len(template))...)
	idAt, userAt := bytes.Index(template, []byte(id)), bytes.Index(template, []byte(user))
	return func(i int64) []byte {
		body := bytes.Clone(template)
		copy(body[idAt:], fmt.Sprintf("%036d", i))
		copy(body[userAt:], fmt.Sprintf("user_%08d", i))
		return body
	}
}

// BenchmarkHandler compares a server that uses the handler and the memory store with
// one that only answers 200, over loopback. x_empty is the requests per second of
// the former divided by those of the latter.
func BenchmarkHandler(b *testing.B) {
	delivery := deliveries(b)
	forged := "sha256=" + strings.Repeat("0", 64)
	for _, c := range []struct {
		name     string
		status   int
		delivery func(i int64) ([]byte, string)
	}{
		{"accepted", http.StatusOK, func(i int64) ([]byte, string) { body := delivery(i); return body, webhooktest.Sign(secret, body) }},
		{"forged", http.StatusUnauthorized, func(i int64) ([]byte, string) { return delivery(i), forged }},
	} {
		b.Run(c.name, func(b *testing.B) {
			serve := func(h http.Handler) string {
				server := httptest.NewServer(h)
				b.Cleanup(server.Close)
				return server.URL
			}
			hook := func() string {
				h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard})
				require.NoError(b, err)
				return serve(h)
			}
			empty := serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
			}))
			l := newLoad(b)
			url := hook()
			for b.Loop() {
				l.send(url, 8, c.status, c.delivery)
			}
			b.StopTimer()
			// A new store, so that the measurement does not depend on how many
			// transcripts the loop above has queued.
			url = hook()
			sent := func(url string, status int) func() { return func() { l.send(url, 800, status, c.delivery) } }
			alternate(3, sent(url, c.status), sent(empty, http.StatusOK))
			mine, bare := alternate(61, sent(url, c.status), sent(empty, http.StatusOK))
			b.ReportMetric(float64(bare)/float64(mine), "x_empty")
			b.ReportMetric(800/mine.Seconds(), "req/s")
		})
	}
}

// BenchmarkServeHTTP measures the handler alone, without a network.
func BenchmarkServeHTTP(b *testing.B) {
	delivery := deliveries(b)
	forged := "sha256=" + strings.Repeat("0", 64)
	for _, c := range []struct {
		name string
		next func(i int64) (body []byte, signature string)
	}{
		{"accepted", func(i int64) ([]byte, string) { body := delivery(i); return body, webhooktest.Sign(secret, body) }},
		{"duplicate", func(int64) ([]byte, string) { body := delivery(0); return body, webhooktest.Sign(secret, body) }},
		{"forged", func(i int64) ([]byte, string) { return delivery(i), forged }},
	} {
		b.Run(c.name, func(b *testing.B) {
			h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard})
			require.NoError(b, err)
			requests := make([]*http.Request, 1000)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%len(requests) == 0 { // do not measure the sender's work
					b.StopTimer()
					for n := range requests {
						body, signature := c.next(int64(i + n))
						requests[n] = &http.Request{Method: http.MethodPost, Header: http.Header{"X-Webhook-Signature": {signature}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
					}
					b.StartTimer()
				}
				h.ServeHTTP(discardWriter{http.Header{}}, requests[i%len(requests)])
			}
		})
	}
}

type discardWriter struct{ h http.Header }

func (w discardWriter) Header() http.Header             { return w.h }
func (w discardWriter) Write(b []byte) (int, error)     { return len(b), nil }
func (w discardWriter) WriteHeader(int)                 {}
func (w discardWriter) SetReadDeadline(time.Time) error { return nil }
