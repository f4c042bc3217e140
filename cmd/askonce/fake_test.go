package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

// output is what a command prints while it runs.
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

func TestFakeSaysWhenTheAddressIsTaken(t *testing.T) {
	t.Parallel()
	taken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(taken.Close)
	_, _, err := runWith(t.Context(), nil, "fake", "-addr", taken.Listener.Addr().String())
	require.ErrorContains(t, err, "address already in use")
}
