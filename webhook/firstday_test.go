package webhook_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

func deliver(h *webhook.Handler, secret string, event any) int {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, webhooktest.NewRequest(secret, event))
	return rec.Code
}

func TestAWrongSecretIsNamedOnceAndItsRecoveryToo(t *testing.T) {
	t.Parallel()
	log, logger := newLog()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: logger})
	require.NoError(t, err)
	for range 20 {
		require.Equal(t, 401, deliver(h, previous, webhooktest.Completed("ada")))
	}
	require.Equal(t, 1, strings.Count(log.String(), "no delivery has verified yet"))
	require.Equal(t, 1, strings.Count(log.String(), "\n"))
	health, err := h.Health(t.Context())
	require.NoError(t, err)
	require.True(t, health.WrongSecret)
	for range 3 {
		require.Equal(t, 200, deliver(h, secret, webhooktest.Completed("ada")))
	}
	require.Equal(t, 1, strings.Count(log.String(), "first delivery verified"))
	require.Equal(t, 1, strings.Count(log.String(), "first completion recorded"))
	health, err = h.Health(t.Context())
	require.NoError(t, err)
	require.False(t, health.WrongSecret)
	log.Reset()
	require.Equal(t, 401, deliver(h, previous, webhooktest.Completed("ada")))
	require.Empty(t, log.String(), "a forged delivery among good ones is not worth a line")
}

func TestAnotherStudysDeliveriesAreCountedAndNamedOnce(t *testing.T) {
	t.Parallel()
	log, logger := newLog()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: logger, Studies: []string{onboarding}})
	require.NoError(t, err)
	for range 3 {
		require.Equal(t, 200, deliver(h, secret, webhooktest.Completed("ada")))
	}
	require.Equal(t, 1, strings.Count(log.String(), "not in Options.Studies"))
	require.Len(t, h.Deliveries(), 3)
	for _, d := range h.Deliveries() {
		require.Equal(t, webhook.ResultOtherStudy, d.Result)
	}
}

func TestAReferenceThatIsANumberIsNobodysAndSaysSo(t *testing.T) {
	t.Parallel()
	log, logger := newLog()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: logger})
	require.NoError(t, err)
	for _, id := range []string{"int-1", "int-2"} {
		body := []byte(`{"event":"interview.completed","data":{"interview_id":"` + id + `","study_id":"` + studyID + `","reference_id":31337}}`)
		require.Equal(t, 200, deliver(h, secret, body))
	}
	require.Equal(t, 1, strings.Count(log.String(), "reference_id is not a string"))
	require.NotContains(t, log.String(), "31337")
	require.Equal(t, webhook.ResultBadReference, h.Deliveries()[0].Result)
}

func TestDeliveriesCarryTheirIDsOnceTheSignatureIsVerified(t *testing.T) {
	t.Parallel()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard})
	require.NoError(t, err)
	e := webhooktest.Completed("ada")
	deliver(h, previous, e)
	deliver(h, secret, e)
	deliver(h, secret, e)
	got := h.Deliveries()
	require.Len(t, got, 3)
	require.Equal(t, []webhook.Result{webhook.ResultDuplicate, webhook.ResultAccepted, webhook.ResultBadSignature}, []webhook.Result{got[0].Result, got[1].Result, got[2].Result}, "newest first")
	require.Equal(t, e.Data.InterviewID, got[0].InterviewID)
	require.Equal(t, e.Data.StudyID, got[1].StudyID)
	require.Empty(t, got[2].InterviewID, "anybody can write an id")
	b, err := json.Marshal(got[2])
	require.NoError(t, err)
	require.Contains(t, string(b), `"result":"bad_signature"`)
	for range 300 {
		deliver(h, previous, e)
	}
	require.Len(t, h.Deliveries(), 100)
}

func TestAForgottenRunIsNamedAtTheFirstCompletion(t *testing.T) {
	t.Parallel()
	client, err := userjourneys.NewClient("uj_live_key", &userjourneys.Options{BaseURL: "http://127.0.0.1:1"})
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		client webhook.Client
		run    bool
		warned int
	}{
		"forgotten":        {client: client, warned: 1},
		"called":           {client: client, run: true},
		"nothing to fetch": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, logger := newLog()
			h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: logger, Client: tt.client})
			require.NoError(t, err)
			if tt.run {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				require.NoError(t, h.Run(ctx))
			}
			for range 3 {
				require.Equal(t, 200, deliver(h, secret, webhooktest.Completed("ada")))
			}
			require.Equal(t, tt.warned, strings.Count(log.String(), "Run has not been called here"), log.String())
		})
	}
}
