package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
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

// post makes one delivery without a network. The vectors cover what TCP does to
// bodies.
func post(h http.Handler, body []byte, signature string) int {
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("X-Webhook-Signature", signature)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Code
}

func TestForgedFlood(t *testing.T) { // not parallel: it measures the heap of the process
	n := 200_000
	if testing.Short() || raceDetector {
		n = 10_000
	}
	s := memstore.New()
	h, err := webhook.New(secret, s, &webhook.Options{Logger: discard})
	require.NoError(t, err)
	body, err := json.Marshal(webhooktest.Completed("ada"))
	require.NoError(t, err)
	good := webhooktest.Sign(secret, body)

	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	rng := rand.New(rand.NewPCG(1, 2))
	for range n {
		mutated, sig := bytes.Clone(body), []byte(good)
		for range 1 + rng.IntN(3) {
			switch rng.IntN(4) {
			case 0:
				mutated[rng.IntN(len(mutated))] ^= 1 << rng.IntN(8)
			case 1:
				mutated = mutated[:max(1, rng.IntN(len(mutated)))]
			case 2:
				mutated = append(mutated, byte(rng.Uint32()))
			case 3:
				sig[rng.IntN(len(sig))] ^= 1 << rng.IntN(5)
			}
		}
		if bytes.Equal(mutated, body) && string(sig) == good {
			continue // two flips have undone each other
		}
		if code := post(h, mutated, string(sig)); code != http.StatusUnauthorized {
			t.Fatalf("%d for %q signed %q", code, mutated, sig)
		}
	}
	require.Less(t, float64(heap())-float64(before), 4e6, "bytes kept after the flood")
	for range s.Completions(t.Context(), store.Filter{}) {
		t.Fatal("something was recorded")
	}
	require.Equal(t, http.StatusOK, post(h, body, good))
}

func TestSlowBodiesDoNotBlockGoodOnes(t *testing.T) {
	t.Parallel()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard, ReadTimeout: time.Hour})
	require.NoError(t, err)
	srv := httptest.NewServer(h)
	var conns []net.Conn
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
		srv.Close()
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	head := "POST / HTTP/1.1\r\nHost: x\r\nX-Webhook-Signature: " + webhooktest.Sign(secret, nil) + "\r\nContent-Length: 60000\r\n\r\n"
	for i := range 600 {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		conns = append(conns, c)
		payload := head + "{"
		if i%2 == 0 { // more than fits a small buffer
			payload = head + string(bytes.Repeat([]byte(" "), 10_000))
		}
		_, err = c.Write([]byte(payload))
		require.NoError(t, err)
	}
	for range 20 {
		code, err := webhooktest.Deliver(ctx, srv.URL, secret, webhooktest.Completed("ada"))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, code)
	}
}

func TestHooksCannotUndoARecord(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	h, err := webhook.New(secret, s, &webhook.Options{
		Logger:     discard,
		OnRecorded: func(_ context.Context, c store.Completion) { panic("test: " + c.UserID) },
	})
	require.NoError(t, err)
	e := webhooktest.Completed("ada")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, webhooktest.NewRequest(secret, e))
	require.Equal(t, http.StatusOK, rec.Code)
	done, err := s.Completed(t.Context(), store.Key{StudyID: e.Data.StudyID, UserID: "ada"})
	require.NoError(t, err)
	require.True(t, done)
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	verdict := func(v webhook.Verdict) func(store.Completion) webhook.Verdict {
		return func(store.Completion) webhook.Verdict { return v }
	}
	for name, c := range map[string]struct {
		policy func(store.Completion) webhook.Verdict
		done   bool
	}{
		"none":                 {nil, true},
		"complete":             {verdict(webhook.Complete()), true},
		"the zero value":       {verdict(webhook.Verdict{}), true},
		"snoozed for an hour":  {verdict(webhook.Snooze(time.Hour)), true},
		"snoozed until it was": {verdict(webhook.Snooze(time.Nanosecond)), false},
		"snoozed for nothing":  {verdict(webhook.Snooze(0)), false},
		"ignored":              {verdict(webhook.Ignore()), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := memstore.New()
			h, err := webhook.New(secret, s, &webhook.Options{Logger: discard, Policy: c.policy})
			require.NoError(t, err)
			e := webhooktest.Completed("ada")
			h.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, e))
			done, err := s.Completed(t.Context(), store.Key{StudyID: e.Data.StudyID, UserID: "ada"})
			require.NoError(t, err)
			require.Equal(t, c.done, done)
			n := 0
			for k, err := range s.Completions(t.Context(), store.Filter{}) {
				require.NoError(t, err)
				require.Equal(t, e.Data.InterviewID, k.InterviewID)
				n++
			}
			require.Equal(t, 1, n, "the interview is kept whatever the verdict")
		})
	}
}

func TestCancelledRequestStillRecords(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	h, err := webhook.New(secret, s, &webhook.Options{Logger: discard})
	require.NoError(t, err)
	e := webhooktest.Completed("ada")
	r := webhooktest.NewRequest(secret, e)
	cancelled, cancel := context.WithCancel(r.Context())
	cancel()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r.WithContext(cancelled))
	require.Equal(t, http.StatusOK, rec.Code)
	done, err := s.Completed(t.Context(), store.Key{StudyID: e.Data.StudyID, UserID: "ada"})
	require.NoError(t, err)
	require.True(t, done)
}

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

// TestUnreadBodiesHaveADeadline sends a header that is refused, and never the body.
// net/http must not wait for the body forever before it answers.
func TestUnreadBodiesHaveADeadline(t *testing.T) {
	t.Parallel()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard, ReadTimeout: 100 * time.Millisecond})
	require.NoError(t, err)
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
	_, err = c.Write([]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n{"))
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
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
func (closedBody) Close() error             { return nil }

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

// TestDebugSaysWhatBecameOfEachDelivery checks the debug line of each delivery.
func TestDebugSaysWhatBecameOfEachDelivery(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	h.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(previous, webhooktest.Completed("user_31337")))
	require.Contains(t, log.String(), "status=401 result=bad_signature")
	require.NotContains(t, log.String(), "31337")
	require.NotContains(t, log.String(), "sha256=")
}

func TestPanicsOfTheApp(t *testing.T) {
	t.Parallel()
	const private = "jane@example.com"
	for name, opts := range map[string]webhook.Options{
		"policy":     {Policy: func(store.Completion) webhook.Verdict { panic(private) }},
		"references": {References: panicking{}},
		"secrets":    {Secrets: func(context.Context) ([]string, error) { panic(private) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, logger := newLog()
			opts.Logger = logger
			s := memstore.New()
			fixed := secret
			if opts.Secrets != nil {
				fixed = ""
			}
			h, err := webhook.New(fixed, s, &opts)
			require.NoError(t, err)
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, webhooktest.NewRequest(secret, webhooktest.Completed("ada")))
			require.Equal(t, http.StatusInternalServerError, rec.Code)
			for range s.Completions(t.Context(), store.Filter{}) {
				t.Fatal("something was recorded")
			}
			require.Contains(t, log.String(), "panic")
			require.NotContains(t, log.String(), private)
		})
	}
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard, OnDelivery: func(context.Context, webhook.Delivery) { panic("test") }})
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, webhooktest.NewRequest(secret, webhooktest.Completed("ada")))
	require.Equal(t, http.StatusOK, rec.Code, "it is recorded: what measures cannot change that")
}

type panicking struct{}

func (panicking) UserID(_, reference string) (string, error) { panic(reference) }

// strictStore refuses ids that other stores accept.
type strictStore struct{ *memstore.Store }

func (s strictStore) Record(ctx context.Context, c store.Completion) (bool, error) {
	if len(c.UserID) > 8 || len(c.InterviewID) > 40 {
		return false, fmt.Errorf("test: %w", store.ErrInvalid)
	}
	return s.Store.Record(ctx, c)
}

func TestStoreThatIsStricter(t *testing.T) {
	t.Parallel()
	reasons := make(chan webhook.Result, 2)
	s := strictStore{memstore.New()}
	h, err := webhook.New(secret, s, &webhook.Options{Logger: discard, OnDelivery: func(_ context.Context, d webhook.Delivery) { reasons <- d.Result }})
	require.NoError(t, err)
	e := webhooktest.Completed("a-long-user-id")
	body, err := json.Marshal(e)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, post(h, body, webhooktest.Sign(secret, body)))
	require.Equal(t, webhook.ResultBadReference, <-reasons)

	e.Data.InterviewID = strings.Repeat("a", 100)
	body, err = json.Marshal(e)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, post(h, body, webhooktest.Sign(secret, body)))
	require.Equal(t, webhook.ResultSchema, <-reasons)
	letters := 0
	for l, err := range s.DeadLetters(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, body, l.Body)
		letters++
	}
	require.Equal(t, 1, letters)
}

// TestLogs sends everything that must not be logged through all code that logs.
func TestLogs(t *testing.T) {
	t.Parallel()
	log, logger := newLog()
	s := &switchStore{Store: memstore.New()}
	h, err := webhook.New(secret, s, &webhook.Options{Logger: logger})
	require.NoError(t, err)
	e := webhooktest.Completed("user_31337")
	email := "jane@example.com"
	e.Data.RespondentEmail = &email
	send := func(event any) int {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, webhooktest.NewRequest(secret, event))
		return rec.Code
	}
	require.Equal(t, 200, send(e))
	require.Equal(t, 200, send(e))
	require.Equal(t, 401, post(h, []byte(`{"a":1}`), webhooktest.Sign(secret, nil)))
	require.NotContains(t, log.String(), "WARN", "nothing is wrong, and a forged delivery is only that")
	require.NotContains(t, log.String(), "ERROR")

	other := "user_666"
	e.Data.ReferenceID = &other
	require.Equal(t, 200, send(e))
	require.Equal(t, 1, strings.Count(log.String(), "names another user"))
	require.Equal(t, 400, send([]byte(`{"event":"interview.completed","data":{"reference_id":"user_31337","respondent_email":"jane@example.com"}}`)))
	require.Equal(t, 400, send([]byte(`user_31337`)))
	s.set("down")
	require.Equal(t, 503, send(e))
	for _, private := range []string{"user_31337", other, email, secret, "sha256=", "respondent"} {
		require.NotContains(t, log.String(), private)
	}
}
