package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

func TestRunNamesEveryMissingVariable(t *testing.T) {
	t.Parallel()
	for _, given := range []map[string]string{
		{},
		{"USERJOURNEYS_API_KEY": "uj_live_x"},
		{"USERJOURNEYS_WEBHOOK_SECRET": "whsec_x", "USERJOURNEYS_STUDY": "s"},
	} {
		err := run(t.Context(), func(name string) string { return given[name] })
		require.Error(t, err)
		for _, name := range []string{"USERJOURNEYS_API_KEY", "USERJOURNEYS_WEBHOOK_SECRET", "USERJOURNEYS_STUDY"} {
			require.Equal(t, given[name] == "", strings.Contains(err.Error(), name), "%s in %q", name, err)
		}
	}
}

// TestTheQuickstart takes ada from the prompt to the interview and back.
func TestTheQuickstart(t *testing.T) {
	t.Parallel()
	fake := userjourneystest.NewServer(t, nil)
	study := fake.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback"})
	app := startQuickstart(t, fake)
	uj, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	require.NoError(t, err)
	_, err = uj.PutWebhook(t.Context(), userjourneys.Webhook{URL: app + "/webhooks/userjourneys"})
	require.NoError(t, err)

	status, page := get(t, app, "")
	require.Equal(t, http.StatusUnauthorized, status)
	require.NotContains(t, page, "askonce")

	eventually(t, "a prompt for ada", func() bool { return asks(t, app, "ada") })
	_, page = get(t, app, "<ada>")
	require.Contains(t, page, "Hello, &lt;ada&gt;")

	fake.FinishInterview(study.ID, userjourneystest.Interview{ReferenceID: "ada"})
	eventually(t, "no prompt for ada", func() bool { return !asks(t, app, "ada") })
	eventually(t, "a prompt for bob", func() bool { return asks(t, app, "bob") })
}

// startQuickstart runs the app until the test ends, and sees to it that it ends
// without an error.
func startQuickstart(t *testing.T, fake *userjourneystest.Server) (appURL string) {
	t.Helper()
	for {
		addr := freeAddr(t)
		env := map[string]string{
			"ADDR":                        addr,
			"USERJOURNEYS_API_KEY":        fake.APIKey(),
			"USERJOURNEYS_BASE_URL":       fake.BaseURL(),
			"USERJOURNEYS_STUDY":          "Onboarding Feedback",
			"USERJOURNEYS_WEBHOOK_SECRET": fake.Secret(),
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, func(name string) string { return env[name] }) }()
		if err := untilItListens(addr, ended); err != nil {
			cancel()
			if errors.Is(err, syscall.EADDRINUSE) { // somebody was quicker
				continue
			}
			require.NoError(t, err)
		}
		t.Cleanup(func() {
			cancel()
			require.NoError(t, <-ended)
		})
		return "http://" + addr
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func untilItListens(addr string, ended <-chan error) error {
	for {
		select {
		case err := <-ended:
			return err
		case <-time.After(10 * time.Millisecond):
		}
		if conn, err := net.Dial("tcp", addr); err == nil {
			return conn.Close()
		}
	}
}

// eventually is polled on the test's own goroutine: get may fail the test.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for " + what)
		}
	}
}

func asks(t *testing.T, app, user string) bool {
	status, page := get(t, app, user)
	require.Equal(t, http.StatusOK, status)
	return strings.Contains(page, `<aside class="askonce"`)
}

func get(t *testing.T, app, user string) (status int, page string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, app, nil)
	require.NoError(t, err)
	req.Header.Set("Accept", "text/html")
	if user != "" {
		req.SetBasicAuth(user, "")
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}
