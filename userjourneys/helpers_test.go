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

const key = "uj_live_very_secret"

const hook = `{"url":"https://example.com/"}`

// newClient returns a client with the key of the tests.
func newClient(t *testing.T, opts userjourneys.Options) *userjourneys.Client {
	t.Helper()
	c, err := userjourneys.NewClient(key, &opts)
	require.NoError(t, err)
	return c
}

// serve starts a server with h and returns a client of it.
func serve(t *testing.T, h http.HandlerFunc, opts userjourneys.Options) *userjourneys.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	opts.BaseURL = s.URL
	return newClient(t, opts)
}

// fakeProvider starts a fake provider and returns a client of it.
func fakeProvider(t *testing.T) (*userjourneystest.Server, *userjourneys.Client) {
	t.Helper()
	fake := userjourneystest.NewServer(t, nil)
	c, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	require.NoError(t, err)
	return fake, c
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// over returns a client of the default base URL that sends through f, without a
// network, because synctest cannot wait for one.
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

// call makes the client's one request with this method.
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
