package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

const hookURL = "https://app.example/webhooks/userjourneys"

// rotateVectors are the tests of O01 to O08.
var rotateVectors = map[string]func(t *testing.T){
	"O01": func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := &registrar{fails: []error{nil, errors.New("test: network"), errors.New("test: network"), status(503, 0)}, exists: true}
			h, log := rotating(t)
			var saved string
			begun := time.Now()
			require.NoError(t, h.Rotate(t.Context(), r, hookURL, func(_ context.Context, s string) error { saved = s; return nil }))
			require.Equal(t, r.secret, saved)
			require.Equal(t, []string{"delete", "put", "put", "put", "put"}, r.calls)
			require.Less(t, time.Since(begun), 10*time.Second)
			require.Equal(t, 1, strings.Count(log.String(), "no webhook exists"))
		})
		synctest.Test(t, func(t *testing.T) { // for ever
			r := &registrar{always: errors.New("test: network")}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			h, _ := rotating(t)
			r.fails = []error{nil}
			err := h.Rotate(ctx, r, hookURL, neverSaved(t))
			require.ErrorContains(t, err, "no webhook exists now")
		})
	},
	"O02": func(t *testing.T) {
		h, _ := rotating(t)
		r := &registrar{created: func(r *registrar) { r.exists = true }} // somebody else creates it first
		require.ErrorIs(t, h.Rotate(t.Context(), r, hookURL, neverSaved(t)), webhook.ErrNotRotated)
		require.Equal(t, http.StatusOK, post(h, []byte(`{"event":"x"}`), webhooktest.Sign(secret, []byte(`{"event":"x"}`))), "the old secret stays")
	},
	"O04": withClient(webhook.Options{}, func(b *clientBubble) {
		e := webhooktest.Completed("ada")
		e.Data.InterviewID = interviewID
		b.run()
		rec := httptest.NewRecorder()
		b.ServeHTTP(rec, webhooktest.NewRequest(previous, e)) // it stands for the new one here
		require.Equal(b.t, http.StatusUnauthorized, rec.Code)
		require.Zero(b.t, b.recorded())
		b.wire.add(interviewJSON(interviewID, "ada"))
		require.NoError(b.t, b.Rotate(b.t.Context(), &registrar{exists: true}, hookURL, func(context.Context, string) error { return nil }))
		b.wait(time.Minute + time.Second)
		require.Equal(b.t, 1, b.recorded(), "Run reconciles soon after a rotation")
	}),
	"O05": func(t *testing.T) { oldSecretAfter(t, 24*time.Hour-time.Second, http.StatusOK) },
	"O06": func(t *testing.T) { oldSecretAfter(t, 24*time.Hour+time.Second, http.StatusUnauthorized) },
	"O08": func(t *testing.T) {
		s := memstore.New()
		a, b := rotatingIn(t, s), rotatingIn(t, s)
		r := &registrar{exists: true}
		saving := func(ctx context.Context, _ string) error {
			require.ErrorIs(t, b.Rotate(ctx, r, hookURL, neverSaved(t)), webhook.ErrRotating)
			return nil
		}
		require.NoError(t, a.Rotate(t.Context(), r, hookURL, saving))
		require.Equal(t, []string{"delete", "put"}, r.calls)
		require.NoError(t, b.Rotate(t.Context(), r, hookURL, func(context.Context, string) error { return nil }), "the lease is given back")
	},
}

// registrar is the provider's side of a rotation.
type registrar struct {
	mu      sync.Mutex
	exists  bool
	secret  string
	fails   []error // of the next calls; nil: it works
	always  error   // of those after
	lost    bool    // a failing creation has worked all the same
	created func(r *registrar)
	calls   []string
}

func (r *registrar) fail() (err error) {
	if err = r.always; len(r.fails) > 0 {
		err, r.fails = r.fails[0], r.fails[1:]
	}
	return err
}

// recover lets it work from now on, and returns the calls so far.
func (r *registrar) recover() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.always = nil
	return r.calls
}

func (r *registrar) DeleteWebhook(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, "delete")
	if err := r.fail(); err != nil {
		return err
	}
	if !r.exists {
		return status(404, 0)
	}
	r.exists = false
	return nil
}

func (r *registrar) PutWebhook(_ context.Context, w userjourneys.Webhook) (userjourneys.Webhook, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, "put")
	if err := r.fail(); err != nil {
		r.exists = r.exists || r.lost
		return userjourneys.Webhook{}, err
	}
	if r.created != nil {
		r.created(r)
	}
	if r.exists {
		return w, nil
	}
	r.exists = true
	r.secret = fmt.Sprintf("whsec_%032d", len(r.calls))
	w.SigningSecret = r.secret
	return w, nil
}

func rotating(t *testing.T) (*webhook.Handler, *bytes.Buffer) {
	log, logger := newLog()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: logger})
	require.NoError(t, err)
	return h, log
}

func rotatingIn(t *testing.T, s store.Store) *webhook.Handler {
	h, err := webhook.New(secret, s, &webhook.Options{Logger: discard})
	require.NoError(t, err)
	return h
}

func neverSaved(t *testing.T) func(context.Context, string) error {
	return func(context.Context, string) error {
		t.Error("there is no secret to save")
		return nil
	}
}

// oldSecretAfter rotates, and sends what was signed with the old secret later.
func oldSecretAfter(t *testing.T, d time.Duration, want int) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := rotating(t)
		r := &registrar{exists: true}
		require.NoError(t, h.Rotate(t.Context(), r, hookURL, func(context.Context, string) error { return nil }))
		time.Sleep(d)
		body := []byte(`{"event":"other"}`)
		require.Equal(t, want, post(h, body, webhooktest.Sign(secret, body)))
		require.Equal(t, http.StatusOK, post(h, body, webhooktest.Sign(r.secret, body)), "the new one counts at once and for good")
	})
}
