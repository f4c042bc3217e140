package others

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
	"github.com/stretchr/testify/require"
)

const (
	secret   = "whsec_of_the_others"
	hookPath = "/webhooks/userjourneys"
	htmlType = "text/html; charset=utf-8"
	page     = "<!doctype html><html><body><p>Hello</p></body></html>"
)

// asksAda asks Ada, and nobody else.
type asksAda struct{}

func (asksAda) Decide(_ context.Context, v gate.Visitor) gate.Decision {
	if v.UserID != "ada" {
		return gate.Decision{Reason: gate.ReasonHeldOut}
	}
	return gate.Decision{Reason: gate.ReasonEligible, Prompt: gate.Prompt{
		StudyID: "s1", InterviewLink: "https://interviews.example/i/a", UserID: v.UserID,
	}}
}

func (a asksAda) Confirm(ctx context.Context, v gate.Visitor) gate.Decision { return a.Decide(ctx, v) }

func newPrompt(t *testing.T) *middleware.Middleware {
	m, err := middleware.New(asksAda{}, func(r *http.Request) string { return r.Header.Get("X-User") }, nil)
	require.NoError(t, err)
	return m
}

// newHook returns a webhook handler and the store that it records in.
func newHook(t *testing.T) (*webhook.Handler, *memstore.Store) {
	s := memstore.New()
	h, err := webhook.New(secret, s, nil)
	require.NoError(t, err)
	return h, s
}

// doer sends a request to an app, without following redirects.
type doer func(r *http.Request) (*http.Response, error)

func over(url string) doer {
	c := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // the default one loses connections whenever an httptest.Server closes
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(r *http.Request) (*http.Response, error) {
		full, err := r.URL.Parse(url + r.URL.RequestURI())
		if err != nil {
			return nil, err
		}
		r.URL, r.RequestURI = full, ""
		return c.Do(r)
	}
}

// get requests a page as a browser does when its user opens it.
func get(t *testing.T, do doer, path, user string) (*http.Response, string) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	require.NoError(t, err)
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	r.Header.Set("X-User", user)
	return read(t, do, r)
}

func read(t *testing.T, do doer, r *http.Request) (*http.Response, string) {
	resp, err := do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

// requireWebhook delivers a completion and looks for it in the store.
func requireWebhook(t *testing.T, do doer, s *memstore.Store) {
	body, err := json.Marshal(webhooktest.Completed("ada"))
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, hookPath, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Webhook-Event", "interview.completed")
	r.Header.Set("X-Webhook-Signature", webhooktest.Sign(secret, body))
	resp, _ := read(t, do, r)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	done, err := s.Completed(t.Context(), store.Key{StudyID: webhooktest.StudyID, UserID: "ada"})
	require.NoError(t, err)
	require.True(t, done)
}

// requirePrompt looks at a page as who is asked and as who is not.
func requirePrompt(t *testing.T, do doer, path string) {
	_, body := get(t, do, path, "ada")
	require.Regexp(t, `^<!doctype html><html><body><p>Hello</p><aside[\s\S]*</body></html>$`, body)
	_, body = get(t, do, path, "bob")
	require.Equal(t, page, body)
}

// requireEndpoints follows the prompt's link.
func requireEndpoints(t *testing.T, do doer, user string) {
	resp, _ := get(t, do, "/askonce/start?study=s1", user)
	require.Equal(t, http.StatusSeeOther, resp.StatusCode)
	require.Equal(t, "https://interviews.example/i/a?reference_id=ada", resp.Header.Get("Location"))
}
