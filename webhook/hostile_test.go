package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// post is one delivery without a network: the recorder is a ResponseWriter like
// any other, and what TCP does to bodies is in the vectors.
func post(h http.Handler, body []byte, signature string) int {
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("X-Webhook-Signature", signature)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Code
}

func TestForgedFlood(t *testing.T) {
	t.Parallel()
	n := 200_000
	if testing.Short() {
		n = 10_000
	}
	s := store.NewMemory()
	h, err := webhook.NewHandler(secret, s, &webhook.Options{Logger: discard})
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
			continue // two flips that undid each other
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
	h, err := webhook.NewHandler(secret, store.NewMemory(), &webhook.Options{Logger: discard})
	require.NoError(t, err)
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	var conns []net.Conn
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
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
		begun := time.Now()
		code, err := webhooktest.Deliver(t.Context(), srv.URL, secret, webhooktest.Completed("ada"))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, code)
		require.Less(t, time.Since(begun), 5*time.Second, "less than the time that a slow body is given")
	}
}

func TestHooksCannotUndoARecord(t *testing.T) {
	t.Parallel()
	s := store.NewMemory()
	h, err := webhook.NewHandler(secret, s, &webhook.Options{
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
			s := store.NewMemory()
			h, err := webhook.NewHandler(secret, s, &webhook.Options{Logger: discard, Policy: c.policy})
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
	s := store.NewMemory()
	h, err := webhook.NewHandler(secret, s, &webhook.Options{Logger: discard})
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

func TestInspectorShowsDeliveriesRedacted(t *testing.T) {
	t.Parallel()
	h, err := webhook.NewHandler(secret, store.NewMemory(), &webhook.Options{Logger: discard})
	require.NoError(t, err)
	page := h.Inspector()
	var wg sync.WaitGroup
	for range 120 {
		wg.Go(func() {
			h.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, webhooktest.Completed("<script>alert(1)</script>")))
		})
	}
	wg.Wait()
	post(h, []byte(`{"last":1}`), "sha256="+"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

	rec := httptest.NewRecorder()
	page.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	html := rec.Body.String()
	require.Equal(t, 100, bytes.Count([]byte(html), []byte("<section>")))
	require.NotContains(t, html, "<script>")
	require.NotContains(t, html, "0123456789abcdef")
	require.Less(t, bytes.Index([]byte(html), []byte("bad_signature")), bytes.Index([]byte(html), []byte("accepted")), "newest first")
	require.Contains(t, rec.Header().Get("Content-Security-Policy"), "default-src 'none'")
}
