package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// TestBodiesInFlight fills every place with bodies that never end. Each further one
// displaces the slowest.
func TestBodiesInFlight(t *testing.T) {
	t.Parallel()
	const most, senders = 256, 300
	reasons := make(chan webhook.Result, 2*senders)
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{
		Logger: discard, ReadTimeout: time.Minute,
		OnDelivery: func(_ context.Context, d webhook.Delivery) { reasons <- d.Result },
	})
	require.NoError(t, err)
	srv := httptest.NewServer(h)
	var conns []net.Conn
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
		srv.Close()
	})
	head := "POST / HTTP/1.1\r\nHost: x\r\nX-Webhook-Signature: " + webhooktest.Sign(secret, nil) + "\r\nContent-Length: 600\r\n\r\n{"
	for range senders {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		conns = append(conns, c)
		_, err = c.Write([]byte(head))
		require.NoError(t, err)
	}
	answers := make(chan *http.Response, senders)
	for _, c := range conns {
		go func() {
			if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
				answers <- resp
			}
		}()
	}
	for range senders - most {
		require.Equal(t, webhook.ResultBusy, <-reasons)
		resp := <-answers
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		require.NotEmpty(t, resp.Header.Get("Retry-After"))
		require.True(t, resp.Close)
	}
	require.Empty(t, reasons, "the others are still read")
	code, err := webhooktest.Deliver(t.Context(), srv.URL, secret, webhooktest.Completed("ada"))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, code)
	require.ElementsMatch(t, []webhook.Result{webhook.ResultBusy, webhook.ResultAccepted}, []webhook.Result{<-reasons, <-reasons}, "one made way for it")
}

// TestNoPlaceLeft fills every place with whole bodies, whose store hangs, so that
// none can be displaced.
func TestNoPlaceLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &switchStore{Store: memstore.New(), mode: "hang"}
		results := make(chan webhook.Result, 301)
		h, err := webhook.New(secret, s, &webhook.Options{Logger: discard, OnDelivery: func(_ context.Context, d webhook.Delivery) { results <- d.Result }})
		require.NoError(t, err)
		codes := make(chan int, 300)
		for range 300 {
			go func() {
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, webhooktest.NewRequest(secret, webhooktest.Completed("ada")))
				codes <- rec.Code
			}()
		}
		count := map[webhook.Result]int{}
		for range 300 {
			require.Equal(t, http.StatusServiceUnavailable, <-codes)
			count[<-results]++
		}
		require.NotZero(t, count[webhook.ResultBusy])
		require.NotZero(t, count[webhook.ResultStore])
		require.Equal(t, 300, count[webhook.ResultBusy]+count[webhook.ResultStore], "%v", count)
		for range s.Completions(t.Context(), store.Filter{}) {
			t.Fatal("something is recorded")
		}
		s.set("")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, webhooktest.NewRequest(secret, webhooktest.Completed("ada")))
		require.Equal(t, http.StatusOK, rec.Code, "every place was given back")
	})
}

func TestEatenBodyIsNamedInTheLogAndNowhereElse(t *testing.T) {
	t.Parallel()
	for name, eat := range map[string]func(r *http.Request){
		"whole":    func(r *http.Request) { _, _ = io.ReadAll(r.Body) },
		"in part":  func(r *http.Request) { _, _ = r.Body.Read(make([]byte, 10)) },
		"replaced": func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"again":"encoded"}`)) },
		"nil":      func(r *http.Request) { r.Body = nil },
		"closed":   func(r *http.Request) { r.Body = closedBody{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, logger := newLog()
			reasons := make(chan webhook.Result, 10)
			h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: logger, OnDelivery: func(_ context.Context, d webhook.Delivery) { reasons <- d.Result }})
			require.NoError(t, err)
			for range 3 {
				r := webhooktest.NewRequest(secret, webhooktest.Completed("ada"))
				eat(r)
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r)
				require.Equal(t, http.StatusUnauthorized, rec.Code)
				require.Empty(t, rec.Body.String())
				require.Equal(t, webhook.ResultBodyConsumed, <-reasons)
			}
			require.Equal(t, 1, strings.Count(log.String(), "mount the webhook outside middleware"), "said once")
		})
	}
}

// closedBody behaves like a body of net/http after Close.
type closedBody struct{}

func (closedBody) Read([]byte) (int, error) { return 0, http.ErrBodyReadAfterClose }

func (closedBody) Close() error { return nil }

// TestASmallerLimitAroundTheHandler tests an app that limits the bodies of all
// requests.
func TestASmallerLimitAroundTheHandler(t *testing.T) {
	t.Parallel()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard})
	require.NoError(t, err)
	srv := httptest.NewServer(http.MaxBytesHandler(h, 1000))
	t.Cleanup(srv.Close)
	for size, want := range map[int]int{900: http.StatusOK, 1100: http.StatusRequestEntityTooLarge} {
		body := []byte(`{"event":"other"}`)
		body = append(body, bytes.Repeat([]byte(" "), size-len(body))...)
		code, err := webhooktest.Deliver(t.Context(), srv.URL, secret, body)
		require.NoError(t, err)
		require.Equal(t, want, code)
	}
}

// TestPlacesOutliveABrokenWriter checks that a ResponseWriter that panics does not
// leak places.
// The app's own limit makes Read change the header of the response, which must not
// happen while the answer does.
func TestALimitJustAboveOursAroundTheHandler(t *testing.T) {
	t.Parallel()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard})
	require.NoError(t, err)
	server := httptest.NewServer(http.MaxBytesHandler(h, 65<<10))
	t.Cleanup(server.Close)
	for range 200 {
		body := struct{ io.Reader }{bytes.NewReader(make([]byte, 200<<10))} // without a length
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, body)
		require.NoError(t, err)
		r.Header.Set("X-Webhook-Signature", webhooktest.Sign(secret, nil))
		if resp, err := http.DefaultClient.Do(r); err == nil { // the server may hang up first
			require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
			require.NoError(t, resp.Body.Close())
		}
	}
}

func TestPlacesOutliveABrokenWriter(t *testing.T) {
	t.Parallel()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard})
	require.NoError(t, err)
	for range 300 {
		require.Panics(t, func() {
			h.ServeHTTP(brokenWriter{httptest.NewRecorder()}, webhooktest.NewRequest(secret, webhooktest.Completed("ada")))
		})
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, webhooktest.NewRequest(secret, webhooktest.Completed("ada")))
	require.Equal(t, http.StatusOK, rec.Code)
}

type brokenWriter struct{ http.ResponseWriter }

func (brokenWriter) WriteHeader(int) { panic("test: a middleware's writer") }
