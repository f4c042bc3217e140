package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
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
