package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// inspected is a handler and what its inspector's page shows.
func inspected(t *testing.T) (h *webhook.Handler, page func() string) {
	t.Helper()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard})
	require.NoError(t, err)
	inspector := h.Inspector()
	return h, func() string {
		rec := httptest.NewRecorder()
		inspector.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
		require.Equal(t, http.StatusOK, rec.Code)
		require.Contains(t, rec.Header().Get("Content-Security-Policy"), "default-src 'none'")
		require.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
		return rec.Body.String()
	}
}

func TestInspectorShowsTheLastHundredNewestFirst(t *testing.T) {
	t.Parallel()
	h, page := inspected(t)
	require.Contains(t, page(), "None yet")
	var wg sync.WaitGroup
	for range 120 {
		wg.Go(func() {
			h.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, webhooktest.Completed("<script>alert(1)</script>")))
		})
	}
	wg.Wait()
	post(h, []byte(`{"last":1}`), "sha256="+strings.Repeat("0", 64))
	html := page()
	require.Equal(t, 100, strings.Count(html, "<section>"))
	require.Equal(t, []string{"401 bad_signature", "200 accepted"}, regexp.MustCompile(`\d\d\d [a-z_]+`).FindAllString(html, 2))
	require.NotContains(t, html, "<script")
	require.Contains(t, html, "{\n  &#34;last&#34;: 1\n}", "the body is indented")
	require.Contains(t, html, `http-equiv="refresh"`)
}

func TestInspectorRedacts(t *testing.T) {
	t.Parallel()
	h, page := inspected(t)
	e := webhooktest.Completed("jane.doe@example.com")
	email := "jane@example.com"
	e.Data.RespondentEmail = &email
	r := webhooktest.NewRequest(secret, e)
	signature := r.Header.Get("X-Webhook-Signature")
	for name, value := range map[string]string{"Authorization": "Bearer hidden", "Cookie": "a=hidden", "X-Api-Key": "hidden", "X-Csrf-Token": "hidden", "Proxy-Authorization": "hidden", "From": email} {
		r.Header.Set(name, value)
	}
	h.ServeHTTP(httptest.NewRecorder(), r)
	post(h, []byte(`not JSON, but of jane@example.com and jane\u0040example.com`), "sha256=x")
	html := page()
	for _, private := range []string{"hidden", "jane", "example.com", secret, signature[:20]} {
		require.NotContains(t, html, private)
	}
	require.Contains(t, html, "X-Webhook-Signature: "+signature[:11]+"…")
	require.Contains(t, html, "study_name")
}

func TestInspectorIsBounded(t *testing.T) {
	t.Parallel()
	h, page := inspected(t)
	for range 100 {
		r := webhooktest.NewRequest(secret, []byte(strings.Repeat("[", 60_000)))
		for n := range 60 {
			r.Header.Add("X-Many", strings.Repeat(string(rune('a'+n%26)), 1000))
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	require.Less(t, len(page()), 4<<20)

	rec := httptest.NewRecorder()
	h.Inspector().ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/", nil))
	require.Equal(t, http.StatusMethodNotAllowed, rec.Code)
}
