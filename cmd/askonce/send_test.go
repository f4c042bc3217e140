package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

const sendSecret = "whsec_5b69ff6a12af94c6e3901a061180ca73"

func TestSendDeliversToAWebhook(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		secret string
		args   []string
		result webhook.Result
		says   []string
		fails  bool
	}{
		"accepted":          {sendSecret, []string{"-user", "ada", "-quality", "successful"}, webhook.ResultAccepted, []string{"200 OK", "verified the signature"}, false},
		"anonymous":         {sendSecret, nil, webhook.ResultNoReference, []string{"200 OK"}, false},
		"another study":     {sendSecret, []string{"-study", "other", "-user", "ada"}, webhook.ResultOtherStudy, []string{"its study or event is not the app's"}, false},
		"the wrong secret":  {sendSecret[:37] + "f", []string{"-user", "ada"}, webhook.ResultBadSignature, []string{"401 Unauthorized", "another secret"}, true},
		"forged, on demand": {sendSecret, []string{"-forged", "-user", "ada"}, webhook.ResultBadSignature, []string{"401 Unauthorized"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []webhook.Delivery
			kept := memstore.New()
			h, err := webhook.New(sendSecret, kept, &webhook.Options{
				Studies:    []string{webhooktest.StudyID},
				OnDelivery: func(_ context.Context, d webhook.Delivery) { got = append(got, d) },
				Logger:     slog.New(slog.DiscardHandler),
			})
			require.NoError(t, err)
			app := httptest.NewServer(h)
			t.Cleanup(app.Close)
			args := append([]string{"send", "-url", app.URL + "/webhooks/userjourneys"}, tt.args...)
			out, _, err := runWith(t.Context(), map[string]string{secretVariable: tt.secret}, args...)
			require.Equal(t, tt.fails, err != nil)
			app.Close() // the handler has returned
			require.Len(t, got, 1)
			require.Equal(t, tt.result, got[0].Result)
			for _, words := range tt.says {
				require.Contains(t, out, words)
			}
			require.NotContains(t, out, tt.secret)
			done, err := kept.Completed(t.Context(), store.Key{StudyID: webhooktest.StudyID, UserID: "ada"})
			require.NoError(t, err)
			require.Equal(t, name == "accepted", done)
		})
	}
}

func TestSendExplainsOtherResponses(t *testing.T) {
	t.Parallel()
	for status, words := range map[int]string{
		204: "not a response of askonce's webhook", 302: "redirects", 400: "dead letter", 403: "CSRF", 404: "No webhook is mounted",
		405: "does not accept POST", 408: "too slowly", 413: "proxies", 500: "panicked", 503: "shutting down", 502: "proxy",
	} {
		app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(status)
		}))
		out, _, err := runWith(t.Context(), map[string]string{secretVariable: sendSecret}, "send", "-url", app.URL)
		app.Close()
		require.ErrorContains(t, err, "unexpected status")
		require.Contains(t, out, words)
	}
}

func TestSendSaysWhenForgeriesAreAccepted(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(app.Close)
	_, _, err := runWith(t.Context(), map[string]string{secretVariable: sendSecret}, "send", "-url", app.URL, "-forged")
	require.ErrorContains(t, err, "unexpected status 200")
}

func TestSendWithoutAnApp(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.NotFoundHandler())
	app.Close()
	_, _, err := runWith(t.Context(), map[string]string{secretVariable: sendSecret}, "send", "-url", app.URL)
	require.ErrorContains(t, err, "no response")
}
