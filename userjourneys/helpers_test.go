package userjourneys_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

// Comments such as "M13" name entries of client_vectors in
// testdata/webhook/vectors.json.

const key = "uj_live_very_secret"

const hook = `{"url":"https://example.com/"}`

// newClient connects to opts.BaseURL, or to what opts.HTTPClient makes of it.
func newClient(t *testing.T, opts userjourneys.Options) *userjourneys.Client {
	t.Helper()
	c, err := userjourneys.NewClient(key, &opts)
	require.NoError(t, err)
	return c
}

// serve connects to a real server on loopback.
func serve(t *testing.T, h http.HandlerFunc, opts userjourneys.Options) *userjourneys.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	opts.BaseURL = s.URL
	return newClient(t, opts)
}

// fakeProvider starts the fake provider and connects to it.
func fakeProvider(t *testing.T) (*userjourneystest.Server, *userjourneys.Client) {
	t.Helper()
	fake := userjourneystest.NewServer(t, nil)
	c, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	require.NoError(t, err)
	return fake, c
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// over connects to the default base URL through f, without a network: what
// tests with synctest need.
func over(t *testing.T, f roundTrip, retries int) *userjourneys.Client {
	t.Helper()
	return newClient(t, userjourneys.Options{HTTPClient: &http.Client{Transport: f}, MaxRetries: retries})
}

func answer(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// call makes the one request of the client that has this method.
func call(t *testing.T, c *userjourneys.Client, method string) error {
	t.Helper()
	var err error
	switch method {
	case http.MethodGet:
		_, err = c.Webhook(t.Context())
	case http.MethodPut:
		_, err = c.PutWebhook(t.Context(), userjourneys.Webhook{URL: "https://example.com/"})
	case http.MethodDelete:
		err = c.DeleteWebhook(t.Context())
	default:
		require.Fail(t, "no call", method)
	}
	return err
}
