package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook"
)

const hookURL = "https://app.example/webhooks/userjourneys"

func TestRotateChangesNothingOnAFaultThatItCanSee(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "app.example/hook", "http://app.example/hook", "ftp://app.example/hook", "https://", "://"} {
		r := &registrar{exists: true}
		require.ErrorContains(t, webhook.Rotate(t.Context(), r.client(t), url, neverSaved(t)), "nothing was changed", url)
		require.Empty(t, r.calls)
	}
	r := &registrar{exists: true, fails: []error{status(401, 0)}}
	err := webhook.Rotate(t.Context(), r.client(t), hookURL, neverSaved(t))
	require.ErrorContains(t, err, "nothing was changed")
	require.ErrorIs(t, err, userjourneys.ErrUnauthorized)
	require.Equal(t, []string{"delete"}, r.calls)
}

func TestRotateWithoutAWebhookCreatesOne(t *testing.T) {
	t.Parallel()
	r := &registrar{}
	var saved string
	require.NoError(t, webhook.Rotate(t.Context(), r.client(t), "http://127.0.0.1:8080/hook", func(_ context.Context, s string) error { saved = s; return nil }))
	require.Equal(t, r.secret, saved)
}

func TestRotateSaysWhatIsUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &registrar{exists: true, always: errors.New("test: network")}
		begun := time.Now()
		err := webhook.Rotate(t.Context(), r.client(t), hookURL, neverSaved(t))
		require.ErrorContains(t, err, "deleted or not")
		require.Less(t, time.Since(begun), time.Minute)
		require.NotContains(t, r.calls, "put")
	})
}

func TestRotateBeginsAgainWhenTheSecretWasLostOnTheWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &registrar{exists: true, lost: true, fails: []error{nil, errors.New("test: network")}}
		var saved string
		require.NoError(t, webhook.Rotate(t.Context(), r.client(t), hookURL, func(_ context.Context, s string) error { saved = s; return nil }))
		require.Equal(t, []string{"delete", "put", "put", "delete", "put"}, r.calls)
		require.Equal(t, r.secret, saved)
	})
}

func TestRotateWhoseSaveFails(t *testing.T) {
	t.Parallel()
	r := &registrar{exists: true}
	full := errors.New("test: disk full")
	err := webhook.Rotate(t.Context(), r.client(t), hookURL, func(context.Context, string) error { return full })
	require.ErrorIs(t, err, full)
	require.ErrorContains(t, err, "rotate again")
	require.NoError(t, webhook.Rotate(t.Context(), r.client(t), hookURL, func(context.Context, string) error { return nil }))
}

// TestRotateAgainstTheFakeProvider runs a whole rotation over HTTP.
func TestRotateAgainstTheFakeProvider(t *testing.T) {
	t.Parallel()
	provider := userjourneystest.NewServer(t, nil)
	client, err := userjourneys.NewClient(provider.APIKey(), &userjourneys.Options{BaseURL: provider.BaseURL(), Logger: discard})
	require.NoError(t, err)
	first, err := client.PutWebhook(t.Context(), userjourneys.Webhook{URL: hookURL})
	require.NoError(t, err)
	var saved string
	require.NoError(t, webhook.Rotate(t.Context(), client, hookURL, func(_ context.Context, s string) error { saved = s; return nil }))
	require.NotEqual(t, first.SigningSecret.Reveal(), saved)
	require.Equal(t, provider.Secret(), saved)
}

func TestRotateTriesTheCreationUntilItWorks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &registrar{fails: []error{nil, errors.New("test: network"), errors.New("test: network"), status(503, 0)}, exists: true}
		var saved string
		begun := time.Now()
		require.NoError(t, webhook.Rotate(t.Context(), r.client(t), hookURL, func(_ context.Context, s string) error { saved = s; return nil }))
		require.Equal(t, r.secret, saved)
		require.Equal(t, []string{"delete", "put", "put", "put", "put"}, r.calls)
		require.Less(t, time.Since(begun), 10*time.Second)
	})
}

func TestRotateSaysWhatExistsWhenTheCreationFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		failure error
		want    string
	}{
		"an answer that was lost": {errors.New("test: network"), "a webhook may exist now"},
		"a server error":          {status(503, 0), "a webhook may exist now"},
		"a rate limit":            {status(429, 0), "no webhook exists now"},
		"a refusal":               {status(400, 0), "no webhook exists now"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &registrar{exists: true, fails: []error{nil}, always: c.failure}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				err := webhook.Rotate(ctx, r.client(t), hookURL, neverSaved(t))
				require.ErrorContains(t, err, c.want)
				require.ErrorContains(t, err, "rotate again")
			})
		})
	}
}

func TestRotateTakesNoUpdateForARotation(t *testing.T) {
	t.Parallel()
	r := &registrar{created: func(r *registrar) { r.exists = true }} // somebody else creates it first
	require.ErrorIs(t, webhook.Rotate(t.Context(), r.client(t), hookURL, neverSaved(t)), webhook.ErrNotRotated)
}

func TestRotatePanicsWithoutAClientOrASave(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, "webhook: Rotate: client is nil", func() { _ = webhook.Rotate(t.Context(), nil, hookURL, neverSaved(t)) })
	require.PanicsWithValue(t, "webhook: Rotate: save is nil", func() { _ = webhook.Rotate(t.Context(), (&registrar{}).client(t), hookURL, nil) })
}

// registrar is the provider's side of a rotation, over HTTP without TCP.
type registrar struct {
	mu      sync.Mutex
	exists  bool
	secret  string
	fails   []error // of the next calls; nil: it works
	always  error   // of those after
	lost    bool    // a creation that fails has still been carried out
	created func(r *registrar)
	calls   []string
}

func (r *registrar) client(t *testing.T) *userjourneys.Client {
	client, err := userjourneys.NewClient("uj_live_test", &userjourneys.Options{HTTPClient: &http.Client{Transport: r}, Logger: discard})
	require.NoError(t, err)
	return client
}

func (r *registrar) fail() (err error) {
	if err = r.always; len(r.fails) > 0 {
		err, r.fails = r.fails[0], r.fails[1:]
	}
	return err
}

func (r *registrar) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	put := req.Method == http.MethodPut
	r.calls = append(r.calls, strings.ToLower(req.Method))
	err := r.fail()
	var refusal *userjourneys.Error
	switch {
	case err != nil:
		r.exists = r.exists || put && r.lost
		if errors.As(err, &refusal) {
			return jsonAnswer(refusal.StatusCode, nil)(req)
		}
		return nil, err
	case !put && !r.exists:
		return jsonAnswer(404, nil)(req)
	case !put:
		r.exists = false
		return jsonAnswer(204, nil)(req)
	}
	if r.created != nil {
		r.created(r)
	}
	if r.exists {
		return jsonAnswer(200, map[string]any{"url": hookURL})(req)
	}
	r.exists = true
	r.secret = fmt.Sprintf("whsec_%032d", len(r.calls))
	return jsonAnswer(201, map[string]any{"url": hookURL, "signing_secret": r.secret})(req)
}

func neverSaved(t *testing.T) func(context.Context, string) error {
	return func(context.Context, string) error {
		t.Error("there is no secret to save")
		return nil
	}
}
