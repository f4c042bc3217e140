package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

// output collects what a command prints while it runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func TestFakeNamesTheFlagIfItsAddressIsTaken(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { taken.Close() })
	err = run(t.Context(), &call{args: []string{"fake", "-addr", taken.Addr().String()}, out: io.Discard, hints: io.Discard})
	require.ErrorContains(t, err, "address already in use")
	require.ErrorContains(t, err, "-addr chooses another address")
}

// TestFakeIsAProviderForAnApp starts the command and uses what it prints.
func TestFakeIsAProviderForAnApp(t *testing.T) {
	t.Parallel()
	type delivery struct {
		header http.Header
		body   []byte
	}
	got := make(chan delivery, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- delivery{r.Header, body}
	}))
	t.Cleanup(app.Close)

	ctx, stop := context.WithCancel(t.Context())
	var out output
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, &call{args: []string{"fake", "-addr", "127.0.0.1:0", "-webhook", app.URL, "-study", "Checkout", "-places", "1"}, out: &out, hints: io.Discard})
	}()
	require.Eventually(t, func() bool { return regexp.MustCompile(`Ctrl-C`).MatchString(out.String()) }, 10*time.Second, time.Millisecond)
	printed := func(name string) string {
		m := regexp.MustCompile(`export ` + name + `=(\S+)`).FindStringSubmatch(out.String())
		require.Len(t, m, 2, out.String())
		return m[1]
	}
	c, err := userjourneys.NewClient(printed(keyVariable), &userjourneys.Options{BaseURL: printed(baseURLVariable)})
	require.NoError(t, err)
	study, err := c.FindStudy(t.Context(), "Checkout")
	require.NoError(t, err)
	require.Contains(t, out.String(), study.ID)
	require.Equal(t, &userjourneys.Limit{Limit: 1}, study.Limits.Weekly)
	hook, err := c.Webhook(t.Context())
	require.NoError(t, err)
	require.Equal(t, app.URL, hook.URL)

	resp, err := http.PostForm(study.InterviewLink, url.Values{"reference_id": {"ada"}})
	require.NoError(t, err)
	resp.Body.Close()
	d := <-got
	require.NoError(t, webhook.Verify([]string{printed(secretVariable)}, d.header, d.body))

	switches := regexp.MustCompile(`Switches +(\S+)`).FindStringSubmatch(out.String())
	require.Len(t, switches, 2)
	resp, err = http.PostForm(switches[1], url.Values{"down": {"on"}})
	require.NoError(t, err)
	resp.Body.Close()
	var e *userjourneys.Error
	impatient, err := userjourneys.NewClient(printed(keyVariable), &userjourneys.Options{BaseURL: printed(baseURLVariable), MaxRetries: -1})
	require.NoError(t, err)
	_, err = impatient.Webhook(t.Context())
	require.ErrorAs(t, err, &e)
	require.Equal(t, 503, e.StatusCode)

	stop()
	require.NoError(t, <-ended)
}

// TestFakePrintsDeliveriesThatTheAppRefuses has two studies, and a webhook that is
// mounted wrongly in several ways.
func TestFakePrintsDeliveriesThatTheAppRefuses(t *testing.T) {
	t.Parallel()
	var status, answered atomic.Int32
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/login")
		w.WriteHeader(int(status.Load()))
		answered.Add(1)
	}))
	t.Cleanup(app.Close)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, hints output
	ended := make(chan error, 1)
	go func() {
		args := []string{"fake", "-addr", "127.0.0.1:0", "-webhook", app.URL, "-study", "Checkout", "-study", "Reports"}
		ended <- run(ctx, &call{args: args, out: &out, hints: &hints})
	}()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "Ctrl-C") }, 10*time.Second, time.Millisecond)
	base := regexp.MustCompile(`export ` + baseURLVariable + `=(\S+)`).FindStringSubmatch(out.String())
	key := regexp.MustCompile(`export ` + keyVariable + `=(\S+)`).FindStringSubmatch(out.String())
	c, err := userjourneys.NewClient(key[1], &userjourneys.Options{BaseURL: base[1]})
	require.NoError(t, err)
	checkout, err := c.FindStudy(t.Context(), "Checkout")
	require.NoError(t, err)
	reports, err := c.FindStudy(t.Context(), "Reports")
	require.NoError(t, err)
	require.NotEqual(t, checkout.ID, reports.ID)
	require.Contains(t, out.String(), "Reports, id "+reports.ID)

	var want string
	finish := func(answer int, hint string) {
		t.Helper()
		status.Store(int32(answer))
		resp, err := http.PostForm(reports.InterviewLink, url.Values{"reference_id": {"ada"}})
		require.NoError(t, err)
		resp.Body.Close()
		want += hint
		require.EventuallyWithT(t, func(t *assert.CollectT) { require.Regexp(t, "(?s)^"+want+"$", hints.String()) }, 10*time.Second, time.Millisecond)
	}
	finish(401, "A delivery to "+app.URL+" was answered with 401 Unauthorized: is the app's signing secret [^\n]*\n")
	finish(403, "A delivery to [^\n]* 403 Forbidden: is the webhook outside checks for CSRF tokens[^\n]*\n")
	finish(404, "A delivery to [^\n]* 404 Not Found: is the webhook mounted at this path[^\n]*\n")
	finish(307, "A delivery to [^\n]* 307 Temporary Redirect: senders of webhooks follow no redirects[^\n]*\n")
	finish(503, "A delivery to [^\n]* 503 Service Unavailable: the app's log says why.\n")
	finish(200, "")
	require.Eventually(t, func() bool { return answered.Load() == 6 }, 10*time.Second, time.Millisecond)
	app.Close()
	finish(0, "A delivery to [^\n]* failed: [^\n]*connection refused. Is the app running there[^\n]*\n")

	stop()
	require.NoError(t, <-ended)
}
