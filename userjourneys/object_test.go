package userjourneys_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
)

// document returns this file of testdata/userjourneys.
func document(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../testdata/userjourneys/" + name + ".json")
	require.NoError(t, err)
	return b
}

// serveDocument returns a client of a server that always responds with the
// document.
func serveDocument(t *testing.T, status int, name string) *userjourneys.Client {
	t.Helper()
	b := document(t, name)
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(b)
	}, userjourneys.Options{MaxRetries: -1})
}

// The documented study and interview, as lists have them.
var (
	listedStudy = userjourneys.Study{
		ID:                 "e5f6a7b8-1234-56cd-ef78-222222222222",
		Name:               "Onboarding Feedback",
		Status:             "active",
		InterviewLink:      "https://app.userjourneys.ai/i/xK9mR2pQ",
		AcceptingResponses: true,
		SupportedLanguages: []string{"en", "de"},
		Limits:             userjourneys.Limits{Monthly: &userjourneys.Limit{Limit: 100, Used: 1}},
		CreatedAt:          time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC),
	}
	listedInterview = userjourneys.Interview{
		ID:           "a1b2c3d4-5678-90ab-cdef-111111111111",
		StudyID:      "e5f6a7b8-1234-56cd-ef78-222222222222",
		Status:       userjourneys.StatusCompleted,
		ReferenceID:  "user_12345",
		Language:     "en",
		QualityScore: userjourneys.QualityInsightful,
		Duration:     580 * time.Second,
		Headline:     "Found through a friend",
		Summary:      "The respondent came by recommendation.",
		StartedAt:    time.Date(2026, 3, 11, 14, 20, 0, 0, time.UTC),
		CompletedAt:  time.Date(2026, 3, 11, 14, 30, 0, 456e6, time.UTC),
		CreatedAt:    time.Date(2026, 3, 11, 14, 20, 0, 0, time.UTC),
	}
)

func TestDocumentedStudies(t *testing.T) {
	t.Parallel()
	whole := listedStudy
	whole.ResearchGoal, whole.ProductName, whole.InterviewCount = "Learn how people start", "Example", 1
	whole.Questions = []string{"How did you find us?"}
	for _, dialect := range []string{"", "_old"} {
		n := 0
		for got, err := range serveDocument(t, 200, "studies"+dialect).Studies(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, listedStudy, got)
			n++
		}
		require.Equal(t, 1, n)
		got, err := serveDocument(t, 200, "studies"+dialect).FindStudy(t.Context(), "Onboarding Feedback")
		require.NoError(t, err)
		require.Equal(t, listedStudy, got)
		got, err = serveDocument(t, 200, "study"+dialect).FindStudy(t.Context(), listedStudy.ID)
		require.NoError(t, err)
		require.Equal(t, whole, got)
	}
}

func TestDocumentedInterviews(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"", "_old"} {
		n := 0
		for got, err := range serveDocument(t, 200, "interviews"+dialect).Interviews(t.Context(), userjourneys.InterviewFilter{StudyID: listedStudy.ID}) {
			require.NoError(t, err)
			require.Contains(t, string(got.Raw), `"headline": "Found through a friend"`)
			got.Raw = nil
			require.Equal(t, listedInterview, got)
			n++
		}
		require.Equal(t, 1, n)

		got, err := serveDocument(t, 200, "interview"+dialect).Interview(t.Context(), listedInterview.ID)
		require.NoError(t, err)
		require.Equal(t, string(bytes.TrimSpace(document(t, "interview"+dialect))), string(got.Raw), "byte for byte")
		require.JSONEq(t, `[{"question":"How did you find us?","answer":"A friend told me."}]`, string(got.Answers))
		require.Equal(t, []userjourneys.Turn{{Role: "assistant", Text: "How did you find us?"}, {Role: "user", Text: "A friend told me."}}, got.Turns())
		got.Raw, got.Transcript, got.Answers = nil, nil, nil
		require.Equal(t, listedInterview, got)
	}
}

func TestDocumentedWebhooks(t *testing.T) {
	t.Parallel()
	want := userjourneys.Webhook{URL: "https://example.com/webhooks/userjourneys", Events: []string{userjourneys.EventInterviewCompleted}}
	got, err := serveDocument(t, 200, "webhook").Webhook(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)
	got, err = serveDocument(t, 200, "webhook_updated").PutWebhook(t.Context(), want)
	require.NoError(t, err)
	require.Equal(t, want, got)
	got, err = serveDocument(t, 201, "webhook_created").PutWebhook(t.Context(), want)
	require.NoError(t, err)
	want.SigningSecret = hookWith(t, "whsec_5b69ff6a12af94c6e3901a061180ca73").SigningSecret
	require.Equal(t, want, got)
}

func TestDocumentedErrors(t *testing.T) {
	t.Parallel()
	sentinels := []error{userjourneys.ErrUnauthorized, userjourneys.ErrNotFound, userjourneys.ErrRateLimited}
	for _, tt := range []struct {
		name   string
		status int
		is     error
		words  string
	}{
		{"error_400", 400, nil, "study_id is required"},
		{"error_401", 401, userjourneys.ErrUnauthorized, "invalid API key"},
		{"error_404", 404, userjourneys.ErrNotFound, "study not found"},
	} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			err := call(t, serveDocument(t, tt.status, tt.name), method)
			var e *userjourneys.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, userjourneys.Error{StatusCode: tt.status, Message: tt.words}, *e)
			require.ErrorContains(t, err, tt.words)
			for _, s := range sentinels {
				require.Equal(t, s == tt.is, e.Is(s))
			}
		}
	}
}

func TestOddAnswersAreTolerated(t *testing.T) {
	t.Parallel()
	c := over(t, func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/api/v1/studies/1" {
			return answer(200, `{"id":"1","name":7,"limits":[],"supported_languages":"en","created_at":"yesterday","accepting_responses":"yes",
				"questions":[{"text":1},{}],"new_field":{}}`), nil
		}
		return answer(200, `{"id":"1","status":"postponed","quality_score":"superb","duration_secs":"long","transcript":{"turns":["Hello"]},"started_at":1}`), nil
	}, 0)
	s, err := c.FindStudy(t.Context(), "1")
	require.NoError(t, err)
	require.Equal(t, userjourneys.Study{ID: "1", Questions: []string{"", ""}}, s)
	i, err := c.Interview(t.Context(), "1")
	require.NoError(t, err)
	require.Equal(t, "postponed", i.Status)
	require.Equal(t, "superb", i.QualityScore)
	require.Zero(t, i.Duration)
	require.Equal(t, []userjourneys.Turn{{Text: "Hello"}}, i.Turns())
}

// TestOtherNamesAndWrappers covers changes of the kind that the API has made once.
func TestOtherNamesAndWrappers(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"id":"1","accepting_responses":true,"limits":{"weekly":{"limit":5,"used":2}}}`,
		`{"id":"1","accepting_interviews":"true","limits":{"weekly":{"limit":"5","used":2.0}}}`,
		`{"experiment_id":"1","accepting_responses":null,"accepting_interviews":1,"limits":{"weekly":{"limit":5,"used":2},"monthly":{"limit":"none"}}}`,
		`{"data":{"id":"1","accepting_responses":true,"limits":{"weekly":{"limit":5,"used":2}}}}`,
		`{"object":"experiment","experiment":{"id":"1","accepting_responses":true,"limits":{"weekly":{"limit":5,"used":2}}}}`,
	} {
		var s userjourneys.Study
		require.NoError(t, json.Unmarshal([]byte(body), &s), body)
		require.Equal(t, userjourneys.Study{ID: "1", AcceptingResponses: true, Limits: userjourneys.Limits{Weekly: &userjourneys.Limit{Limit: 5, Used: 2}}}, s, body)
	}
	for _, body := range []string{
		`{"id":"1","study_id":"2","duration_secs":90}`,
		`{"interview_id":"1","experiment_id":"2","duration_secs":"90"}`,
		`{"data":{"id":"1","study_id":"2","duration_secs":90}}`,
		`{"interview":{"id":"1","study_id":"2","duration_secs":90.0}}`,
	} {
		var i userjourneys.Interview
		require.NoError(t, json.Unmarshal([]byte(body), &i), body)
		require.Equal(t, userjourneys.Interview{ID: "1", StudyID: "2", Duration: 90 * time.Second, Raw: json.RawMessage(body)}, i, body)
	}
	for _, body := range []string{
		`{"url":"https://a/","signing_secret":"whsec_1"}`,
		`{"url":"https://a/","events":7,"secret":"whsec_1"}`,
		`{"data":{"url":"https://a/","signing_secret":"whsec_1"}}`,
		`{"webhook":{"url":"https://a/","signing_secret":"whsec_1"}}`,
	} {
		var w userjourneys.Webhook
		require.NoError(t, json.Unmarshal([]byte(body), &w), body)
		require.Equal(t, "whsec_1", w.SigningSecret.Reveal(), body)
		require.Equal(t, "https://a/", w.URL, body)
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	hello := []userjourneys.Turn{{Role: "user", Text: "Hello", At: 1500 * time.Millisecond}}
	for transcript, want := range map[string][]userjourneys.Turn{
		`[{"role":"user","text":"Hello","start":1.5}]`:                                    hello,
		`[{"speaker":"user","content":"Hello","start_secs":1.5}]`:                         hello,
		`[{"from":"user","message":"Hello","offset_secs":1.5},{"role":"x"}]`:              hello,
		`{"messages":[{"author":"user","utterance":"Hello","time":1.5}]}`:                 hello,
		`{"transcript":{"segments":[{"role":"user","text":"Hello","start":1.5},null,7]}}`: hello,
		`"Hello"`:                                {{Text: "Hello"}},
		`["Hello","",{"text":"you"}]`:            {{Text: "Hello"}, {Text: "you"}},
		`[{"text":"Hello","start":-1,"role":7}]`: {{Text: "Hello"}},
		``:                                       nil,
		`null`:                                   nil,
		`7`:                                      nil,
		`{"turns":[],"messages":["Hello"]}`:      {{Text: "Hello"}},
		strings.Repeat(`{"turns":`, 10) + `["too deep"]` + strings.Repeat(`}`, 10): nil,
	} {
		require.Equal(t, want, userjourneys.Interview{Transcript: json.RawMessage(transcript)}.Turns(), transcript)
	}
}

func TestHasTranscript(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		detail string
		want   bool
	}{
		{`{"id":"1"}`, false},
		{`{"id":"1","transcript":null}`, false},
		{`{"id":"1","transcript":""}`, false},
		{`{"id":"1","transcript":"  "}`, false},
		{`{"id":"1","transcript":[]}`, false},
		{`{"id":"1","transcript":[null,""]}`, false},
		{`{"id":"1","transcript":{}}`, false},
		{`{"id":"1","transcript":{"turns":[]}}`, false},
		{`{"id":"1","transcript":{"turns":null,"status":"processing"}}`, false},
		{`{"id":"1","transcript":{"status":"processing"}}`, false},
		{`{"id":"1","transcript":{"language":"en","utterances":[]}}`, false},
		{`{"id":"1","transcript":{"transcript":{"segments":[]}}}`, false},
		{`{"id":"1","transcript":[{"role":"assistant","text":""}]}`, false},
		{`{"id":"1","transcript":[{}]}`, false},
		{`{"id":"1","transcript":[{"id":"t1","speaker":"user","said":""}]}`, false},
		{`{"id":"1","transcript":[[]]}`, false},
		{`{"id":"1","transcript":[{"id":"t1","text":"","state":"pending"}]}`, false},
		{`{"id":"1","transcript":` + strings.Repeat(`[`, 9000) + strings.Repeat(`]`, 9000) + `}`, false},
		{`{"id":"1","transcript":false}`, false},
		{`{"id":"1","turns":[]}`, false},

		{`{"id":"1","transcript":"Hello"}`, true},
		{`{"id":"1","transcript":["Hello"]}`, true},
		{`{"id":"1","transcript":[{"role":"user","text":"Hello"}]}`, true},
		{`{"id":"1","transcript":{"turns":[{"role":"user","text":"Hello"}]}}`, true},
		{`{"id":"1","transcript":{"turns":[],"messages":["Hello"]}}`, true},
		{`{"id":"1","transcript":{"utterances":[{"words":["Hello"]}]}}`, true},
		{`{"id":"1","transcript":[["user","Hello"]]}`, true},
		{`{"id":"1","transcript":[{"id":"t1","speaker":"user","said":"Hello"}]}`, true},
		{`{"id":"1","transcript":[],"turns":["Hello"]}`, true},
		{`{"id":"1","transcript":` + strings.Repeat(`[`, 9000) + `"Hello"` + strings.Repeat(`]`, 9000) + `}`, true},
	} {
		var i userjourneys.Interview
		require.NoError(t, json.Unmarshal([]byte(tt.detail), &i))
		require.Equal(t, tt.want, i.HasTranscript(), tt.detail)
		if !tt.want {
			require.Empty(t, i.Turns(), tt.detail)
		}
	}
}

func TestUnreadableReference(t *testing.T) {
	t.Parallel()
	for reference, want := range map[string]bool{
		`"user_1"`: false, `""`: false, `null`: false,
		`12345`: true, `{}`: true, `["user_1"]`: true, `true`: true,
	} {
		var i userjourneys.Interview
		require.NoError(t, json.Unmarshal([]byte(`{"id":"1","reference_id":`+reference+`}`), &i))
		require.Equal(t, want, i.UnreadableReference(), reference)
		require.True(t, i.ReferenceID == "" || !want, reference)
	}
	require.False(t, userjourneys.Interview{}.UnreadableReference())
}

// FuzzDecode compares with a plain map: an object with a string "id" decodes,
// whatever else is in it.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"id":"1","transcript":[{"role":"user","text":"x","start":1e300}],"duration_secs":-1,"limits":{"weekly":{"limit":null}}}`))
	f.Add([]byte(`{"experiment_id":"1","turns":{"messages":["x"]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var plain map[string]any
		plainErr := json.Unmarshal(b, &plain)
		id, _ := plain["id"].(string)

		var s userjourneys.Study
		err := json.Unmarshal(b, &s)
		if plainErr != nil {
			require.Error(t, err)
		} else if id != "" {
			require.NoError(t, err)
			require.Equal(t, id, s.ID)
		}
		var i userjourneys.Interview
		if err := json.Unmarshal(b, &i); err == nil {
			require.NoError(t, plainErr)
			require.Equal(t, string(bytes.Trim(b, " \t\r\n")), string(i.Raw))
			require.GreaterOrEqual(t, i.Duration, time.Duration(0))
		} else {
			require.True(t, plainErr != nil || id == "")
		}
		i.Transcript = b
		i.UnreadableReference()
		require.True(t, i.HasTranscript() || len(i.Turns()) == 0)
		for _, turn := range i.Turns() {
			require.NotEmpty(t, turn.Text)
			require.GreaterOrEqual(t, turn.At, time.Duration(0))
		}
	})
}

// FuzzError compares Retry-After with arbitrary-precision arithmetic, and checks
// that no message can spoil a log.
func FuzzError(f *testing.F) {
	f.Add([]byte(`{"error":{"message":"no\u0000 such"}}`), "17")
	f.Add([]byte(`{"message":"x"}`), "-99999999999999999999")
	f.Add([]byte(`{}`), "Sat, 01 Jan 2000 00:00:17 GMT")
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		c := over(t, func(*http.Request) (*http.Response, error) {
			return answer(500, string(body), "Retry-After", header), nil
		}, 0)
		var e *userjourneys.Error
		require.ErrorAs(t, call(t, c, "GET"), &e)
		require.LessOrEqual(t, len(e.Message), 200)
		require.True(t, utf8.ValidString(e.Message))
		for _, r := range e.Message {
			require.False(t, unicode.IsControl(r))
		}
		day := big.NewInt(24 * 60 * 60)
		if n, ok := new(big.Int).SetString(header, 10); ok {
			if n.Sign() < 0 {
				n.SetInt64(0)
			} else if n.Cmp(day) > 0 {
				n = day
			}
			require.Equal(t, time.Duration(n.Int64())*time.Second, e.RetryAfter)
		}
		require.True(t, e.RetryAfter >= 0 && e.RetryAfter <= 24*time.Hour)
	})
}
