package userjourneystest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

func call(t *testing.T, s *userjourneystest.Server, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, s.BaseURL()+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+s.APIKey())
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b)
}

func client(t *testing.T, s *userjourneystest.Server) *userjourneys.Client {
	t.Helper()
	c, err := userjourneys.NewClient(s.APIKey(), &userjourneys.Options{BaseURL: s.BaseURL(), MaxRetries: -1})
	require.NoError(t, err)
	return c
}

// shape returns a JSON value with every scalar replaced by the name of its type.
func shape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		o := map[string]any{}
		for k, e := range v {
			o[k] = shape(e)
		}
		return o
	case []any:
		if len(v) == 0 {
			return []any{}
		}
		return []any{shape(v[0])}
	}
	return fmt.Sprintf("%T", v)
}

// TestAnswersHaveTheDocumentedShape compares with testdata/userjourneys, which
// the tests of the client decode.
func TestAnswersHaveTheDocumentedShape(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	st := s.AddStudy(userjourneystest.Study{MonthlyLimit: 100})
	id := s.FinishInterview(st.ID, userjourneystest.Interview{ReferenceID: "user_12345"})
	const hook = `{"url":"http://127.0.0.1:1/","events":["interview.completed"]}`
	for _, c := range []struct {
		file, method, path, body string
		status                   int
	}{
		{"studies", "GET", "/studies", "", 200},
		{"study", "GET", "/studies/" + st.ID, "", 200},
		{"interviews", "GET", "/interviews?study_id=" + st.ID, "", 200},
		{"interview", "GET", "/interviews/" + id, "", 200},
		{"error_400", "GET", "/interviews", "", 400},
		{"error_404", "GET", "/studies/none", "", 404},
		{"error_404", "GET", "/webhooks", "", 404},
		{"error_404", "GET", "/nothing", "", 404},
		{"webhook_created", "PUT", "/webhooks", hook, 201},
		{"webhook_updated", "PUT", "/webhooks", hook, 200},
		{"webhook", "GET", "/webhooks", "", 200},
		{"error_400", "PUT", "/webhooks", `{"url":"http://127.0.0.1:1/"}`, 400},
		{"error_400", "PUT", "/webhooks", `{`, 400},
	} {
		status, body := call(t, s, c.method, c.path, c.body)
		require.Equal(t, c.status, status, c.file)
		want, err := os.ReadFile("../../testdata/userjourneys/" + c.file + ".json")
		require.NoError(t, err)
		var w, g any
		require.NoError(t, json.Unmarshal(want, &w))
		require.NoError(t, json.Unmarshal([]byte(body), &g))
		require.Equal(t, shape(w), shape(g), c.file)
	}
	status, _ := call(t, s, "DELETE", "/webhooks", "")
	require.Equal(t, 204, status)
	status, _ = call(t, s, "DELETE", "/webhooks", "")
	require.Equal(t, 404, status)
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	c, err := userjourneys.NewClient("uj_live_wrong", &userjourneys.Options{BaseURL: s.BaseURL()})
	require.NoError(t, err)
	_, err = c.Webhook(t.Context())
	require.ErrorIs(t, err, userjourneys.ErrUnauthorized)
	require.ErrorContains(t, err, "invalid API key") // as in error_401.json
	require.Len(t, s.Requests(), 1)
	require.False(t, s.Requests()[0].Authorized)
	require.Equal(t, "/webhooks", s.Requests()[0].Path)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts   userjourneystest.Options
		study  userjourneystest.Study
		ago    time.Duration
		accept bool
	}{
		"weekly":        {study: userjourneystest.Study{WeeklyLimit: 1}},
		"last week":     {study: userjourneystest.Study{WeeklyLimit: 1}, ago: 7 * 24 * time.Hour, accept: true},
		"monthly":       {study: userjourneystest.Study{MonthlyLimit: 1}},
		"last month":    {study: userjourneystest.Study{MonthlyLimit: 1}, ago: 31 * 24 * time.Hour, accept: true},
		"project":       {opts: userjourneystest.Options{ProjectLimit: 1}},
		"project, past": {opts: userjourneystest.Options{ProjectLimit: 1}, ago: 31 * 24 * time.Hour, accept: true},
		"none":          {accept: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := userjourneystest.NewServer(t, &c.opts)
			st := s.AddStudy(c.study)
			got, err := client(t, s).FindStudy(t.Context(), st.ID)
			require.NoError(t, err)
			require.True(t, got.AcceptingResponses)
			s.FinishInterview(st.ID, userjourneystest.Interview{CompletedAt: time.Now().Add(-c.ago)})
			got, err = client(t, s).FindStudy(t.Context(), st.ID)
			require.NoError(t, err)
			require.Equal(t, c.accept, got.AcceptingResponses)
			require.Equal(t, 1, got.InterviewCount)
		})
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	for i := range 105 {
		s.AddStudy(userjourneystest.Study{ID: fmt.Sprintf("stu_%d", i)})
	}
	n := 0
	for st, err := range client(t, s).Studies(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("stu_%d", n), st.ID)
		n++
	}
	require.Equal(t, 105, n)
	require.Len(t, s.Requests(), 2)
	for _, q := range []string{"limit=0", "limit=101", "limit=x", "starting_after=unknown"} {
		status, _ := call(t, s, "GET", "/studies?"+q, "")
		require.Equal(t, 400, status, q)
	}
}

func TestCloseEndsWhatHangs(t *testing.T) {
	t.Parallel()
	s := userjourneystest.Start(nil)
	s.Hang()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, err := client(t, s).Webhook(t.Context())
			require.Error(t, err)
		})
	}
	require.Eventually(t, func() bool { return len(s.Requests()) == 8 }, 5*time.Second, time.Millisecond)
	s.Close()
	s.Close()
	wg.Wait()
}

func TestParallelUse(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	st := s.AddStudy(userjourneystest.Study{})
	c := client(t, s)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			s.FinishInterview(st.ID, userjourneystest.Interview{})
			_, _ = c.FindStudy(t.Context(), st.ID)
			s.Requests()
			s.Hang()
			s.Release()
		})
	}
	wg.Wait()
}
