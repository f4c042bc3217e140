package userjourneys_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

const key = "uj_live_very_secret"

func Example() {
	fake := userjourneystest.Start(nil)
	defer fake.Close()
	fake.AddStudy(userjourneystest.Study{ID: "stu_1", Name: "Onboarding Feedback"})
	fake.FinishInterview("stu_1", userjourneystest.Interview{ReferenceID: "ada"})

	c, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	study, err := c.FindStudy(ctx, "Onboarding Feedback")
	fmt.Println(study.ID, study.AcceptingResponses, err)
	for i, err := range c.Interviews(ctx, userjourneys.InterviewFilter{StudyID: study.ID}) {
		fmt.Println(i.ReferenceID, i.Status, err)
	}
	hook, err := c.PutWebhook(ctx, userjourneys.Webhook{URL: "https://example.com/webhooks/userjourneys"})
	fmt.Println(hook.SigningSecret != "", err)
	// Output:
	// stu_1 true <nil>
	// ada completed <nil>
	// true <nil>
}

func serve(t *testing.T, h http.HandlerFunc, opts userjourneys.Options) *userjourneys.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	opts.BaseURL = s.URL
	c, err := userjourneys.NewClient(key, &opts)
	require.NoError(t, err)
	return c
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func over(t *testing.T, f roundTrip) *userjourneys.Client {
	t.Helper()
	c, err := userjourneys.NewClient(key, &userjourneys.Options{HTTPClient: &http.Client{Transport: f}})
	require.NoError(t, err)
	return c
}

const hook = `{"url":"https://example.com/"}`

func TestDecodesDocumentedAnswers(t *testing.T) {
	t.Parallel()
	read := func(name string) []byte {
		b, err := os.ReadFile("../testdata/userjourneys/" + name + ".json")
		require.NoError(t, err)
		return b
	}
	var study, old userjourneys.Study
	require.NoError(t, json.Unmarshal(read("study"), &study))
	require.NoError(t, json.Unmarshal(read("study_old"), &old))
	require.Equal(t, study, old)
	require.Equal(t, userjourneys.Limits{Monthly: &userjourneys.Limit{Limit: 100, Used: 1}}, study.Limits)
	require.True(t, study.AcceptingResponses)
	require.Equal(t, []string{"How did you find us?"}, study.Questions)
	var in, oldIn userjourneys.Interview
	require.NoError(t, json.Unmarshal(read("interview"), &in))
	require.NoError(t, json.Unmarshal(read("interview_old"), &oldIn))
	require.Equal(t, in.StudyID, oldIn.StudyID)
	require.Equal(t, 580*time.Second, in.Duration)
	require.Equal(t, string(bytes.TrimSpace(read("interview"))), string(in.Raw))
	require.Equal(t, []userjourneys.Turn{{Role: "assistant", Text: "How did you find us?"}, {Role: "user", Text: "A friend told me."}}, in.Turns())
}

func TestFindStudy(t *testing.T) {
	t.Parallel()
	fake := userjourneystest.NewServer(t, nil)
	for i := range 120 {
		fake.AddStudy(userjourneystest.Study{ID: fmt.Sprintf("stu_%d", i), Name: fmt.Sprintf("Study %d", i)})
	}
	fake.AddStudy(userjourneystest.Study{Name: "Onboarding"})
	fake.AddStudy(userjourneystest.Study{Name: "Two of it"})
	fake.AddStudy(userjourneystest.Study{Name: "Two of it"})
	c, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	require.NoError(t, err)
	for _, tt := range []struct {
		find     string
		requests int
		err      error
	}{
		{"stu_110", 1, nil},
		{"Study 119", 2, nil},
		{"Onboarding", 3, nil},
		{"Two of it", 2, userjourneys.ErrAmbiguous},
		{"study 1", 2, userjourneys.ErrNotFound},
		{"../webhooks", 2, userjourneys.ErrNotFound},
	} {
		before := len(fake.Requests())
		_, err := c.FindStudy(t.Context(), tt.find)
		require.ErrorIs(t, err, tt.err, tt.find)
		require.Len(t, fake.Requests(), before+tt.requests, tt.find)
	}
}

func TestFindStudyByNameWhenIDsAreRefused(t *testing.T) {
	t.Parallel()
	c := over(t, func(r *http.Request) (*http.Response, error) {
		if r.URL.Path != "/api/v1/studies" {
			return answer(400, `{"error":{"message":"not a UUID"}}`), nil
		}
		return answer(200, `{"data":[{"id":"1","name":"Onboarding"}]}`), nil
	})
	s, err := c.FindStudy(t.Context(), "Onboarding")
	require.NoError(t, err)
	require.Equal(t, "1", s.ID)
}

func TestKeyIsNeverShown(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	opts := userjourneys.Options{MaxRetries: 1, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(503)
		fmt.Fprintf(w, `{"error":"no such key: %s"}`, r.Header.Get("Authorization"))
	}, opts)
	_, err := c.Webhook(t.Context())
	require.ErrorContains(t, err, "no such key")
	b, jsonErr := json.Marshal([]any{c, *c, err})
	require.NoError(t, jsonErr)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "client", c, "value", *c)
	type wrap struct{ c userjourneys.Client }
	shown := fmt.Sprintf("%v %+v %#v %+v %#v %+v", err, c, c, *c, *c, wrap{*c}) + string(b) + log.String()
	require.NotContains(t, shown, key)
	_, err = userjourneys.NewClient(key+"\n", nil)
	require.NotContains(t, err.Error(), key)
}

func TestBodyIsBounded(t *testing.T) { // M13
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for range 50 {
			if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
				return
			}
		}
	}, userjourneys.Options{})
	_, err := c.Interview(t.Context(), "1")
	require.ErrorIs(t, err, userjourneys.ErrTooLarge)
}

func TestRedirects(t *testing.T) { // M15
	t.Parallel()
	for name, tt := range map[string]struct {
		to     string
		method string
		ok     bool
	}{
		"same host":   {"https://app.userjourneys.ai/b", "GET", true},
		"other host":  {"https://example.com/b", "GET", false},
		"subdomain":   {"https://x.app.userjourneys.ai/b", "GET", false},
		"in clear":    {"http://app.userjourneys.ai/b", "GET", false},
		"other port":  {"https://app.userjourneys.ai:8443/b", "GET", false},
		"of a PUT":    {"https://app.userjourneys.ai/b", "PUT", false},
		"of a DELETE": {"https://app.userjourneys.ai/b", "DELETE", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 0
			c := over(t, func(r *http.Request) (*http.Response, error) {
				if n++; n == 1 {
					return answer(307, "", "Location", tt.to), nil
				}
				return answer(200, hook), nil
			})
			var err error
			switch tt.method {
			case "GET":
				_, err = c.Webhook(t.Context())
			case "PUT":
				_, err = c.PutWebhook(t.Context(), userjourneys.Webhook{URL: "https://example.com/"})
			case "DELETE":
				err = c.DeleteWebhook(t.Context())
			}
			if tt.ok {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.Equal(t, 1, n)
		})
	}
}

func TestRetries(t *testing.T) { // M06, M07, M09, N10
	t.Parallel()
	for name, tt := range map[string]struct {
		status     int // 0: a network error
		retryAfter string
		calls      int
		min, max   time.Duration
	}{
		"network": {0, "", 4, 0, 1400 * time.Millisecond},
		"502":     {502, "", 4, 0, 1400 * time.Millisecond},
		"503":     {503, "", 4, 0, 1400 * time.Millisecond},
		"504":     {504, "", 4, 0, 1400 * time.Millisecond},
		"seconds": {429, "17", 4, 51 * time.Second, 53 * time.Second},
		"clamped": {429, "99999999999", 4, 90 * time.Second, 92 * time.Second},
		"date":    {503, "Sat, 01 Jan 2000 00:00:17 GMT", 4, 17 * time.Second, 19 * time.Second},
		"500":     {500, "", 1, 0, 0},
		"401":     {401, "", 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // begins at 2000-01-01
				n := 0
				c := over(t, func(*http.Request) (*http.Response, error) {
					if n++; tt.status == 0 {
						return nil, errors.New("connection reset")
					}
					return answer(tt.status, "", "Retry-After", tt.retryAfter), nil
				})
				start := time.Now()
				_, err := c.Webhook(t.Context())
				require.Error(t, err)
				require.Equal(t, tt.calls, n)
				require.GreaterOrEqual(t, time.Since(start), tt.min)
				require.LessOrEqual(t, time.Since(start), tt.max)
				n = 0
				_, err = c.PutWebhook(t.Context(), userjourneys.Webhook{URL: "https://example.com/"})
				require.Error(t, err)
				require.Error(t, c.DeleteWebhook(t.Context()))
				require.Equal(t, 2, n)
			})
		})
	}
}

func TestContextWins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := over(t, func(*http.Request) (*http.Response, error) { return answer(429, "", "Retry-After", "20"), nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.Webhook(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, userjourneys.ErrRateLimited)
		require.Equal(t, time.Second, time.Since(start))
	})
}

func TestBadAnswers(t *testing.T) { // M11, M12, N03
	t.Parallel()
	for name, body := range map[string]string{
		"cut": `{"data":[`, "no list": `{"message":"hello"}`, "null": `null`, "empty": ``, "nothing more": `{"data":[],"has_more":true}`,
		"same page": `{"data":[{"id":"1"},{"id":"2"}],"has_more":true}`, "no id": `{"data":[{}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := over(t, func(*http.Request) (*http.Response, error) { return answer(200, body), nil })
			var last error
			for _, err := range c.Studies(t.Context()) {
				last = err
			}
			require.ErrorIs(t, last, userjourneys.ErrBadAnswer)
		})
	}
	c := over(t, func(*http.Request) (*http.Response, error) {
		return answer(200, hook, "Content-Type", "text/html"), nil
	})
	_, err := c.Webhook(t.Context())
	require.ErrorIs(t, err, userjourneys.ErrBadAnswer)
}

func TestSequenceMayBeRangedOverAgain(t *testing.T) { // N02, N16
	t.Parallel()
	fake := userjourneystest.NewServer(t, nil)
	st := fake.AddStudy(userjourneystest.Study{})
	for range 250 {
		fake.FinishInterview(st.ID, userjourneystest.Interview{})
	}
	c, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	require.NoError(t, err)
	all := c.Interviews(t.Context(), userjourneys.InterviewFilter{StudyID: st.ID, PageSize: 500})
	for round := 1; round <= 2; round++ {
		n := 0
		for _, err := range all {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, 250, n)
		require.Len(t, fake.Requests(), 3*round)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"id":"1","transcript":[{"role":"user","text":"x","start":1e300}],"duration_secs":-1}`), "Sat, 01 Jan 2000 00:00:17 GMT")
	f.Fuzz(func(t *testing.T, b []byte, header string) {
		var s userjourneys.Study
		_ = json.Unmarshal(b, &s)
		var i userjourneys.Interview
		if json.Unmarshal(b, &i) == nil {
			require.Equal(t, string(bytes.Trim(b, " \t\r\n")), string(i.Raw))
			require.GreaterOrEqual(t, i.Duration, time.Duration(0))
		}
		i.Transcript = b
		for _, turn := range i.Turns() {
			require.NotEmpty(t, turn.Text)
			require.GreaterOrEqual(t, turn.At, time.Duration(0))
		}
		userjourneys.Message(b)
		d := userjourneys.RetryAfter(header, time.Now())
		require.True(t, d >= 0 && d <= 24*time.Hour)
	})
}
