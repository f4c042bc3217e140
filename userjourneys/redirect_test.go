package userjourneys_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
)

func TestRedirects(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		to     string
		method string
		ok     bool
	}{
		"same host":   {"https://app.userjourneys.ai/b", "GET", true},
		"in capitals": {"https://APP.userjourneys.ai/b", "GET", true},
		"relative":    {"/b", "GET", true},
		"other host":  {"https://example.com/b", "GET", false},
		"no scheme":   {"//example.com/b", "GET", false},
		"subdomain":   {"https://x.app.userjourneys.ai/b", "GET", false},
		"in clear":    {"http://app.userjourneys.ai/b", "GET", false},
		"other port":  {"https://app.userjourneys.ai:8443/b", "GET", false},
		"of a PUT":    {"https://app.userjourneys.ai/b", "PUT", false},
		"of a DELETE": {"https://app.userjourneys.ai/b", "DELETE", false},
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			t.Run(fmt.Sprint(name, " ", status), func(t *testing.T) {
				t.Parallel()
				n := 0
				c := over(t, func(r *http.Request) (*http.Response, error) {
					if n++; n == 1 {
						return answer(status, "", "Location", tt.to), nil
					}
					return answer(200, hook), nil
				}, 0)
				err := call(t, c, tt.method)
				if tt.ok {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, "refused a redirect")
				require.Equal(t, 1, n, "neither followed nor tried again")
			})
		}
	}
}

func TestKeyStaysWithItsServer(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a request arrived, with Authorization %q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(other.Close)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }, userjourneys.Options{})
	_, err := c.Interview(t.Context(), "1")
	require.ErrorContains(t, err, "refused a redirect to another host")
}

func TestRedirectLoopEnds(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]func(*http.Request, []*http.Request) error{
		"by itself":                      nil,
		"with a CheckRedirect that nods": func(*http.Request, []*http.Request) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 0
			loop := roundTrip(func(*http.Request) (*http.Response, error) { n++; return answer(302, "", "Location", "/again"), nil })
			c := newClient(t, userjourneys.Options{HTTPClient: &http.Client{Transport: loop, CheckRedirect: own}})
			require.ErrorContains(t, call(t, c, "GET"), "refused a redirect after 5 others")
			require.Equal(t, 6, n, "the request and five redirects, once")
		})
	}
}

func TestOwnCheckRedirect(t *testing.T) {
	t.Parallel()
	no := errors.New("not in the mood")
	for name, tt := range map[string]struct {
		to    string
		says  error
		asked int
		check func(*testing.T, error)
	}{
		"nods":    {"/b", nil, 1, func(t *testing.T, err error) { require.NoError(t, err) }},
		"refuses": {"/b", no, 1, func(t *testing.T, err error) { require.ErrorIs(t, err, no) }},
		"wants the last answer": {"/b", http.ErrUseLastResponse, 1, func(t *testing.T, err error) {
			var e *userjourneys.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, 302, e.StatusCode)
		}},
		"is not asked about another host": {"https://example.com/", nil, 0, func(t *testing.T, err error) { require.Error(t, err) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, asked := 0, 0
			own := &http.Client{
				Transport: roundTrip(func(*http.Request) (*http.Response, error) {
					if n++; n == 1 {
						return answer(302, "", "Location", tt.to), nil
					}
					return answer(200, hook), nil
				}),
				CheckRedirect: func(*http.Request, []*http.Request) error { asked++; return tt.says },
			}
			tt.check(t, call(t, newClient(t, userjourneys.Options{HTTPClient: own}), "GET"))
			require.Equal(t, tt.asked, asked)
			require.LessOrEqual(t, n, 2, "never tried again")
			require.ErrorIs(t, own.CheckRedirect(nil, nil), tt.says, "the caller's client stays as it was")
		})
	}
}
