package webhook_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// inspected sends a signed body with the headers and returns the inspection.
func inspected(t *testing.T, body string, header http.Header) *webhook.Inspection {
	t.Helper()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard, Inspect: true})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header = header.Clone()
	r.Header.Set("X-Webhook-Signature", webhooktest.Sign(secret, []byte(body)))
	h.ServeHTTP(httptest.NewRecorder(), r)
	require.Len(t, h.Deliveries(), 1)
	return h.Deliveries()[0].Inspection
}

func TestInspect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"an event": {
			`{"event":"interview.completed","timestamp":"2026-01-02T03:04:05Z","data":{"interview_id":"i-1","duration_secs":61.5,"reference_id":"ada"}}`,
			`{
  "event": "interview.completed",
  "timestamp": "2026-01-02T03:04:05Z",
  "data": {
    "interview_id": "i-1",
    "duration_secs": 61.5,
    "reference_id": "(hidden, 3 bytes)"
  }
}`,
		},
		"equal keys in their order": {`{"status":1,"event":2,"event":3}`, "{\n  \"status\": 1,\n  \"event\": 2,\n  \"event\": 3\n}"},
		"a reference of another type": {
			`{"data":{"reference_id":12345,"email":true,"x":null,"y":{},"z":[]}}`,
			"{\n  \"data\": {\n    \"reference_id\": (hidden),\n    \"email\": (hidden),\n    \"x\": null,\n    \"y\": {},\n    \"z\": []\n  }\n}",
		},
		"what was said, in a field with a harmless name": {
			`{"data":{"transcript":[{"status":"I hate it","language":"secret"}],"event":["secret"]}}`,
			"{\n  \"data\": {\n    \"transcript\": [\n      {\n        \"status\": \"(hidden, 9 bytes)\",\n        \"language\": \"(hidden, 6 bytes)\"\n      }\n    ],\n    \"event\": [\n      \"(hidden, 6 bytes)\"\n    ]\n  }\n}",
		},
		"a key that may be a user": {`{"ada@example.com":1}`, "{\n  \"(hidden, 15 bytes)\": (hidden)\n}"},
		"a text":                   {`"secret"`, `"(hidden, 6 bytes)"`},
		"nothing":                  {"", "(empty)"},
		"no JSON":                  {"secret\x00", "(not JSON, 7 bytes)"},
		"markup":                   {`{"event":"<b>"}`, "{\n  \"event\": \"\\u003cb\\u003e\"\n}"},
		"too deep":                 {strings.Repeat("[", 1000) + strings.Repeat("]", 1000), deep(9) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, inspected(t, c.body, http.Header{}).Body)
		})
	}
}

// deep returns the beginning of n nested arrays.
func deep(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("[\n" + strings.Repeat("  ", i+1))
	}
	return b.String()
}

func TestInspectHidesHeaders(t *testing.T) {
	t.Parallel()
	got := inspected(t, "{}", http.Header{
		"Authorization": {"Bearer secret"}, "Content-Type": {"application/json"}, "User-Agent": {strings.Repeat("é", 5000)}, "X-Forwarded-For": {"192.0.2.1", "x"},
	})
	require.Equal(t, []string{
		"Authorization: (hidden, 13 bytes)", "Content-Type: application/json", "User-Agent: " + strings.Repeat("é", 100) + "…",
		"X-Forwarded-For: (hidden, 9 bytes)", "X-Forwarded-For: (hidden, 1 bytes)", "X-Webhook-Signature: (hidden, 71 bytes)",
	}, got.Header)
}

func TestInspectIsBounded(t *testing.T) {
	t.Parallel()
	header := http.Header{}
	for i := range 1000 {
		header.Set(fmt.Sprintf("X-%d", i), "x")
	}
	many := strings.Repeat(`"x",`, 10_000)
	for name, body := range map[string]string{
		"one long text": `{"event":"` + strings.Repeat("x", 60_000) + `"}`,
		"many texts":    "[" + many[:len(many)-1] + "]",
		"a long number": `{"event":1` + strings.Repeat("0", 60_000) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := inspected(t, body, header)
			require.Less(t, len(got.Body), 5000)
			require.Len(t, got.Header, 41)
		})
	}
}

func TestInspectIsOffByDefault(t *testing.T) {
	t.Parallel()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard})
	require.NoError(t, err)
	h.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, webhooktest.Completed("ada")))
	require.Nil(t, h.Deliveries()[0].Inspection)
}

// A delivery that is refused before its body is read has only headers.
func TestInspectWithoutASignature(t *testing.T) {
	t.Parallel()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: discard, Inspect: true})
	require.NoError(t, err)
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"event":"x"}`)))
	require.Equal(t, &webhook.Inspection{Body: "(not read)"}, h.Deliveries()[0].Inspection)
}
