package webhook_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// The vectors O01 to O08 are in vectors_rotate_test.go; these are the cases
// beside them.

func TestRotateChangesNothingOnAFaultThatItCanSee(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "app.example/hook", "http://app.example/hook", "ftp://app.example/hook", "https://", "://"} {
		r := &registrar{exists: true}
		require.ErrorContains(t, webhook.Rotate(t.Context(), r, url, neverSaved(t)), "nothing was changed", url)
		require.Empty(t, r.calls)
	}
	r := &registrar{exists: true, fails: []error{status(401, 0)}}
	err := webhook.Rotate(t.Context(), r, hookURL, neverSaved(t))
	require.ErrorContains(t, err, "nothing was changed")
	require.ErrorIs(t, err, userjourneys.ErrUnauthorized)
	require.Equal(t, []string{"delete"}, r.calls)
}

func TestRotateWithoutAWebhookCreatesOne(t *testing.T) {
	t.Parallel()
	r := &registrar{}
	var saved string
	require.NoError(t, webhook.Rotate(t.Context(), r, "http://127.0.0.1:8080/hook", func(_ context.Context, s string) error { saved = s; return nil }))
	require.Equal(t, r.secret, saved)
}

func TestRotateSaysWhatIsUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &registrar{exists: true, always: errors.New("test: network")}
		begun := time.Now()
		err := webhook.Rotate(t.Context(), r, hookURL, neverSaved(t))
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
		h, _ := rotating(t)
		require.NoError(t, h.Rotate(t.Context(), r, hookURL, func(_ context.Context, s string) error { saved = s; return nil }))
		require.Equal(t, []string{"delete", "put", "put", "delete", "put"}, r.calls)
		require.Equal(t, r.secret, saved)
	})
}

func TestRotateWhoseSaveFails(t *testing.T) {
	t.Parallel()
	h, _ := rotating(t)
	r := &registrar{exists: true}
	full := errors.New("test: disk full")
	err := h.Rotate(t.Context(), r, hookURL, func(context.Context, string) error { return full })
	require.ErrorIs(t, err, full)
	require.ErrorContains(t, err, "rotate again")
	body := []byte(`{"event":"other"}`)
	require.Equal(t, 200, post(h, body, webhooktest.Sign(r.secret, body)), "this process goes on with what it knows")
	require.NoError(t, h.Rotate(t.Context(), r, hookURL, func(context.Context, string) error { return nil }))
}

// TestRotateManyTimes never accepts more than four secrets.
func TestRotateManyTimes(t *testing.T) {
	t.Parallel()
	h, _ := rotating(t)
	r := &registrar{}
	secrets := []string{secret}
	for range 6 {
		require.NoError(t, h.Rotate(t.Context(), r, hookURL, func(_ context.Context, s string) error {
			secrets = append(secrets, s)
			return nil
		}))
	}
	body := []byte(`{"event":"other"}`)
	for n, s := range secrets {
		want := 401
		if n >= len(secrets)-4 {
			want = 200
		}
		require.Equal(t, want, post(h, body, webhooktest.Sign(s, body)), "secret %d", n)
	}
}

// TestRotateKeepsOthersOut for as long as it tries, and while the provider asks
// to be left alone for longer than the lease is.
func TestRotateKeepsOthersOut(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{"network": errors.New("test: network"), "Retry-After": status(503, 25*time.Minute)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New()
				a, b := rotatingIn(t, s), rotatingIn(t, s)
				r := &registrar{exists: true, fails: []error{nil}, always: failure}
				ended := make(chan error)
				go func() {
					ended <- a.Rotate(t.Context(), r, hookURL, func(context.Context, string) error { return nil })
				}()
				other := &registrar{exists: true}
				for range 45 {
					time.Sleep(time.Minute)
					require.ErrorIs(t, b.Rotate(t.Context(), other, hookURL, neverSaved(t)), webhook.ErrRotating)
				}
				require.Empty(t, other.calls)
				r.recover()
				require.NoError(t, <-ended)
				require.NoError(t, b.Rotate(t.Context(), other, hookURL, func(context.Context, string) error { return nil }), "the lease is given back")
			})
		})
	}
}

// noSaves is a store whose leases cannot be extended while it is broken.
type noSaves struct {
	*memstore.Store
	broken atomic.Bool
}

func (s *noSaves) Save(ctx context.Context, name, holder, state string, until time.Time) error {
	if s.broken.Load() {
		return errors.New("test: the store is down")
	}
	return s.Store.Save(ctx, name, holder, state, until)
}

func TestRotateEndsWhenItIsOvertaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &noSaves{Store: memstore.New()}
		a, b := rotatingIn(t, s), rotatingIn(t, s)
		r := &registrar{exists: true, fails: []error{nil}, always: errors.New("test: network")}
		ended := make(chan error)
		go func() { ended <- a.Rotate(t.Context(), r, hookURL, neverSaved(t)) }()
		time.Sleep(time.Second)
		s.broken.Store(true)
		time.Sleep(11 * time.Minute)
		s.broken.Store(false)
		other := &registrar{exists: true}
		require.NoError(t, b.Rotate(t.Context(), other, hookURL, func(context.Context, string) error {
			overtaken := <-ended
			require.ErrorIs(t, overtaken, webhook.ErrRotating)
			require.NotContains(t, overtaken.Error(), "no webhook exists", "the other one creates it")
			return nil
		}))
		require.Greater(t, len(r.recover()), 15, "while nobody else is at it, it goes on without a lease")
	})
}

// TestRotateAgainstTheFakeProvider is the whole of it over HTTP.
func TestRotateAgainstTheFakeProvider(t *testing.T) {
	t.Parallel()
	provider := userjourneystest.NewServer(t, nil)
	client, err := userjourneys.NewClient(provider.APIKey(), &userjourneys.Options{BaseURL: provider.BaseURL(), Logger: discard})
	require.NoError(t, err)
	first, err := client.PutWebhook(t.Context(), userjourneys.Webhook{URL: hookURL})
	require.NoError(t, err)
	var saved string
	require.NoError(t, webhook.Rotate(t.Context(), client, hookURL, func(_ context.Context, s string) error { saved = s; return nil }))
	require.NotEqual(t, first.SigningSecret, saved)
	require.Equal(t, provider.Secret(), saved)
}
