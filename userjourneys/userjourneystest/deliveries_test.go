package userjourneystest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook"
)

// delivery is a request that the webhook's receiver got.
type delivery struct {
	header http.Header
	body   []byte
	at     time.Time
}

// receive registers a webhook that responds with status, and returns the
// deliveries that arrive.
func receive(t *testing.T, s *userjourneystest.Server, status int) <-chan delivery {
	t.Helper()
	got := make(chan delivery, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			got <- delivery{r.Header, body, time.Now()}
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(receiver.Close)
	hook, err := client(t, s).PutWebhook(t.Context(), userjourneys.Webhook{URL: receiver.URL})
	require.NoError(t, err)
	require.Equal(t, s.Secret(), hook.SigningSecret.Reveal())
	return got
}

// delivered waits until n attempts have ended and returns them.
func delivered(t *testing.T, s *userjourneystest.Server, n int) []userjourneystest.Delivery {
	t.Helper()
	require.Eventually(t, func() bool { return len(s.Deliveries()) >= n }, 10*time.Second, time.Millisecond)
	require.Len(t, s.Deliveries(), n)
	return s.Deliveries()
}

func interviews(t *testing.T, s *userjourneystest.Server, f userjourneys.InterviewFilter) (ids []string) {
	t.Helper()
	for i, err := range client(t, s).Interviews(t.Context(), f) {
		require.NoError(t, err)
		ids = append(ids, i.ID)
	}
	return ids
}

func TestPageFinishesTheInterview(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	got := receive(t, s, 200)
	st := s.AddStudy(userjourneystest.Study{WeeklyLimit: 1, Code: "xK9"})
	page := strings.TrimSuffix(s.BaseURL(), "/api/v1") + "/i/xK9"

	resp, err := http.Get(page + "?reference_id=a%22%3Cb")
	require.NoError(t, err)
	html, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body.Close()
	require.Contains(t, string(html), `value="a&#34;&lt;b"`)
	require.Contains(t, string(html), "<button>")

	var wg sync.WaitGroup
	for range 10 { // there is one place
		wg.Go(func() {
			resp, err := http.PostForm(page, url.Values{"reference_id": {"ada"}})
			if err == nil {
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
	d := <-got
	require.NoError(t, webhook.Verify([]string{s.Secret()}, d.header, d.body))
	require.Equal(t, "application/json", d.header.Get("Content-Type"))
	require.Contains(t, string(d.body), `"reference_id":"ada"`)
	require.Len(t, interviews(t, s, userjourneys.InterviewFilter{StudyID: st.ID, ReferenceID: "ada"}), 1)

	resp, err = http.Get(page)
	require.NoError(t, err)
	html, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body.Close()
	require.NotContains(t, string(html), "<button>")
	resp, err = http.Get(page + "x")
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, 404, resp.StatusCode)
}

func TestDeliveriesSayWhatBecameOfThem(t *testing.T) {
	t.Parallel()
	told := make(chan userjourneystest.Delivery, 10)
	s := userjourneystest.NewServer(t, &userjourneystest.Options{OnDelivery: func(d userjourneystest.Delivery) { told <- d }})
	st := s.AddStudy(userjourneystest.Study{})
	s.FinishInterview(st.ID, userjourneystest.Interview{ID: "before"}) // nobody to tell
	require.Empty(t, s.Deliveries())

	got := receive(t, s, 503)
	s.NextDeliveries(userjourneystest.Fate{Drop: true}, userjourneystest.Fate{Copies: 2})
	for _, id := range []string{"dropped", "thrice"} {
		s.FinishInterview(st.ID, userjourneystest.Interview{ID: id})
	}
	s.FinishInterview(st.ID, userjourneystest.Interview{ID: "started", Status: userjourneys.StatusStarted})
	copied := userjourneystest.Delivery{InterviewID: "thrice", Status: 503}
	require.Equal(t, []userjourneystest.Delivery{{InterviewID: "dropped", Dropped: true}, copied, copied, copied}, delivered(t, s, 4))
	first, second := <-got, <-got
	require.Equal(t, first.body, second.body)
	require.Equal(t, (<-got).header.Get("X-Webhook-Signature"), first.header.Get("X-Webhook-Signature"))

	s.Redeliver("dropped") // the plan is used up
	s.Redeliver("unknown")
	require.Equal(t, userjourneystest.Delivery{InterviewID: "dropped", Status: 503}, delivered(t, s, 5)[4])

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, err := client(t, s).PutWebhook(t.Context(), userjourneys.Webhook{URL: gone.URL})
	require.NoError(t, err)
	s.Redeliver("before")
	last := delivered(t, s, 6)[5]
	require.Error(t, last.Err)
	require.Equal(t, userjourneystest.Delivery{InterviewID: "before", Err: last.Err}, last)
	for _, d := range s.Deliveries() {
		if !d.Dropped {
			require.Equal(t, d, <-told)
		}
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	st := s.AddStudy(userjourneystest.Study{})
	got := receive(t, s, 200)
	const delay = 100 * time.Millisecond
	s.NextDeliveries(userjourneystest.Fate{Delay: delay}, userjourneystest.Fate{Delay: time.Hour})
	start := time.Now()
	s.FinishInterview(st.ID, userjourneystest.Interview{ID: "late"})
	s.FinishInterview(st.ID, userjourneystest.Interview{ID: "too late"})
	d := <-got
	require.GreaterOrEqual(t, d.at.Sub(start), delay)
	require.Contains(t, string(d.body), `"interview_id":"late"`)

	s.FinishInterview(st.ID, userjourneystest.Interview{ID: "at once"}) // overtakes
	require.Contains(t, string((<-got).body), `"interview_id":"at once"`)
	delivered(t, s, 2)
	s.Close() // does not wait an hour
	require.Len(t, s.Deliveries(), 2)
}

func TestRotatedSecretSigns(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	require.Empty(t, s.RotateSecret(), "there is no webhook yet")
	st := s.AddStudy(userjourneystest.Study{})
	got := receive(t, s, 200)
	before := s.Secret()
	id := s.FinishInterview(st.ID, userjourneystest.Interview{})
	d := <-got
	require.NoError(t, webhook.Verify([]string{before}, d.header, d.body))

	after := s.RotateSecret()
	require.NotEqual(t, before, after)
	require.Equal(t, after, s.Secret())
	s.Redeliver(id)
	d = <-got
	require.NoError(t, webhook.Verify([]string{after}, d.header, d.body))
	require.Error(t, webhook.Verify([]string{before}, d.header, d.body))

	status, _ := call(t, s, "DELETE", "/webhooks", "")
	require.Equal(t, 204, status)
	receive(t, s, 200) // created again, with a new secret
	require.NotContains(t, []string{before, after}, s.Secret())
}
