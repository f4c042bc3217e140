package userjourneys_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
)

func TestRetriesOnlyWhatMayPass(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int // 0: a network error
		calls  int
	}{
		"network error": {0, 4}, "502": {502, 4}, "503": {503, 4}, "504": {504, 4}, "429": {429, 4},
		"500": {500, 1}, "501": {501, 1}, "400": {400, 1}, "401": {401, 1}, "403": {403, 1}, "404": {404, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				c := over(t, func(*http.Request) (*http.Response, error) {
					if calls++; tt.status == 0 {
						return nil, errors.New("connection reset")
					}
					return answer(tt.status, ""), nil
				}, 0)
				require.Error(t, call(t, c, "GET"))
				require.Equal(t, tt.calls, calls)
				for _, method := range []string{"PUT", "DELETE"} {
					calls = 0
					require.Error(t, call(t, c, method))
					require.Equal(t, 1, calls, method)
				}
			})
		})
	}
}

func TestRetriesUntilItWorks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		statuses := []int{503, 0, 200}
		c := over(t, func(*http.Request) (*http.Response, error) {
			status := statuses[0]
			if statuses = statuses[1:]; status == 0 {
				return nil, io.ErrUnexpectedEOF
			}
			return answer(status, hook), nil
		}, 2)
		require.NoError(t, call(t, c, "GET"))
	})
}

func TestNegativeMaxRetriesMeansNone(t *testing.T) {
	t.Parallel()
	calls := 0
	c := over(t, func(*http.Request) (*http.Response, error) { calls++; return answer(503, ""), nil }, -1)
	require.Error(t, call(t, c, "GET"))
	require.Equal(t, 1, calls)
}

func TestRetryAfterIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header string
		wait   time.Duration
	}{
		"seconds":          {"17", 17 * time.Second},
		"date":             {"Sat, 01 Jan 2000 00:01:00 GMT", time.Minute},
		"at most":          {"60", time.Minute},
		"clamped":          {"61", time.Minute},
		"clamped, a day":   {"86400", time.Minute},
		"out of range":     {"99999999999999999999", time.Minute},
		"date, years off":  {"Sat, 01 Jan 2050 00:00:00 GMT", time.Minute},
		"date in the past": {"Fri, 31 Dec 1999 00:00:00 GMT", 0},
		"negative":         {"-5", 0},
		"nonsense":         {"soon", 0},
		"none":             {"", 0},
	} {
		for _, status := range []int{429, 503} {
			t.Run(fmt.Sprint(name, " ", status), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { // begins at 2000-01-01 00:00 UTC
					calls := 0
					c := over(t, func(*http.Request) (*http.Response, error) {
						if calls++; calls == 1 {
							return answer(status, "", "Retry-After", tt.header), nil
						}
						return answer(200, hook), nil
					}, 0)
					start := time.Now()
					require.NoError(t, call(t, c, "GET"))
					require.Equal(t, 2, calls)
					require.GreaterOrEqual(t, time.Since(start), tt.wait)
					require.Less(t, time.Since(start), tt.wait+200*time.Millisecond)
				})
			})
		}
	}
}

// TestWaitsAreExponentialWithFullJitter checks that each wait of many calls is
// below its ceiling, and that they are spread evenly from 0 up to it.
func TestWaitsAreExponentialWithFullJitter(t *testing.T) {
	t.Parallel()
	const calls = 500
	ceilings := []time.Duration{200, 400, 800, 1600, 3200, 5000, 5000}
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		c := over(t, func(*http.Request) (*http.Response, error) {
			at = append(at, time.Now())
			return answer(503, ""), nil
		}, len(ceilings))
		waits := make([][]time.Duration, len(ceilings))
		for range calls {
			at = nil
			require.Error(t, call(t, c, "GET"))
			require.Len(t, at, len(ceilings)+1)
			for i := range ceilings {
				waits[i] = append(waits[i], at[i+1].Sub(at[i]))
			}
		}
		for i, ceiling := range ceilings {
			ceiling *= time.Millisecond
			tenths := make([]int, 10)
			for _, w := range waits[i] {
				require.GreaterOrEqual(t, w, time.Duration(0))
				require.Less(t, w, ceiling)
				tenths[10*w/ceiling]++
			}
			for _, n := range tenths {
				// 50 are expected in each tenth, with a deviation of 6.7.
				require.InDelta(t, calls/10, n, 45, "wait %d: %v", i+1, tenths)
			}
		}
	})
}

func TestContextEndsTheWait(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		context func(context.Context) (context.Context, context.CancelFunc)
		err     error
	}{
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, context.DeadlineExceeded},
		"cancelled": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := over(t, func(*http.Request) (*http.Response, error) { return answer(429, "", "Retry-After", "20"), nil }, 0)
				ctx, cancel := tt.context(t.Context())
				defer cancel()
				start := time.Now()
				_, err := c.Webhook(ctx)
				require.ErrorIs(t, err, tt.err)
				require.ErrorIs(t, err, userjourneys.ErrRateLimited)
				require.Equal(t, time.Second, time.Since(start))
			})
		})
	}
}

func TestCertificatesThatFailAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, hook) }))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes
	secure.StartTLS()
	t.Cleanup(secure.Close)
	clear := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(clear.Close)
	authorities := secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs

	for name, tt := range map[string]struct {
		server  *httptest.Server
		host    string
		roots   *x509.CertPool
		problem string
	}{
		"as it should be":   {secure, "127.0.0.1", authorities, ""},
		"unknown authority": {secure, "127.0.0.1", x509.NewCertPool(), "unknown authority"},
		"other name":        {secure, "localhost", authorities, "not localhost"},
		"no TLS at all":     {clear, "127.0.0.1", authorities, "HTTP response to HTTPS client"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dials atomic.Int32
			transport := &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: tt.roots},
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					dials.Add(1)
					return new(net.Dialer).DialContext(ctx, network, tt.server.Listener.Addr().String())
				},
			}
			t.Cleanup(transport.CloseIdleConnections)
			err := call(t, newClient(t, userjourneys.Options{BaseURL: "https://" + tt.host, HTTPClient: &http.Client{Transport: transport}}), "GET")
			if tt.problem == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.problem)
			}
			require.EqualValues(t, 1, dials.Load())
		})
	}
}

func TestCertificateErrorsOfOtherTransports(t *testing.T) {
	t.Parallel()
	for _, problem := range []error{x509.UnknownAuthorityError{}, x509.HostnameError{Certificate: new(x509.Certificate)}, x509.CertificateInvalidError{}} {
		calls := 0
		c := over(t, func(*http.Request) (*http.Response, error) { calls++; return nil, problem }, 0)
		require.ErrorIs(t, call(t, c, "GET"), problem)
		require.Equal(t, 1, calls)
	}
}
