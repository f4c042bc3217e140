package middleware_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/stretchr/testify/require"
)

type always struct{}

func (always) Decide(_ context.Context, v gate.Visitor) gate.Decision {
	return gate.Decision{Ask: true, Reason: gate.Eligible, Prompt: gate.Prompt{StudyID: "s1", InterviewLink: "https://x.example/i/a", UserID: v.UserID}}
}
func (a always) Confirm(ctx context.Context, v gate.Visitor) gate.Decision { return a.Decide(ctx, v) }

func TestSmoke(t *testing.T) {
	var out middleware.Outcome
	m, err := middleware.New(always{}, func(*http.Request) string { return "ada" }, &middleware.Options{OnPrompt: func(_ *http.Request, o middleware.Outcome) { out = o }})
	require.NoError(t, err)
	srv := httptest.NewServer(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<!doctype html><title>x</title><body><p>hi</body></html>\n")
	})))
	defer srv.Close()
	req, _ := http.NewRequest("GET", srv.URL, nil)
	req.Header.Set("Accept", "text/html")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	b, _ := io.ReadAll(resp.Body)
	t.Log(string(b), resp.Header, out)
}
