package userjourneystest_test

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

// visit returns the response to a GET, or to a POST of the form if it is not
// nil.
func visit(t *testing.T, to string, form url.Values) (*http.Response, string) {
	t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

func TestPagesNeedNeitherScriptNorAnotherHost(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	s.FinishInterview(s.Studies()[0].ID, userjourneystest.Interview{ReferenceID: "<ada>"})
	for _, path := range []string{"/", "/i/xK9mR2pQ?reference_id=%3Cada%3E", "/style.css"} {
		resp, body := visit(t, s.URL()+path, nil)
		require.Equal(t, 200, resp.StatusCode)
		require.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'self';")
		for _, forbidden := range []string{"<script", "style=", "<ada>", s.APIKey(), s.Secret()} {
			require.NotContains(t, body, forbidden, path)
		}
		require.NotRegexp(t, `<[^>]* on[a-z]+=`, body)
	}
	resp, _ := visit(t, s.URL()+"/other", nil)
	require.Equal(t, 404, resp.StatusCode)
}

func TestOverviewSwitchesEveryCondition(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	_, body := visit(t, s.URL()+"/", url.Values{
		"down": {"on"}, "lying": {"on"}, "full": {"on"}, "paused": {"on"}, "lose": {"on"},
		"slow": {"2"}, "delay": {"30"}, "copies": {"1"}, "rate_limit": {"10"}, "quality": {"successful"},
	})
	want := userjourneystest.Conditions{
		Down: true, Lying: true, Full: true, Paused: true, Slow: 2 * time.Second, RateLimit: 10, Quality: "successful",
		Deliveries: userjourneystest.Fate{Drop: true, Copies: 1, Delay: 30 * time.Second},
	}
	require.Equal(t, want, s.Conditions())
	require.Equal(t, 5, strings.Count(body, " checked"), "the page shows them")
	require.Contains(t, body, `<option selected>successful`)

	visit(t, s.URL()+"/", url.Values{"slow": {"-1"}, "copies": {"many"}})
	require.Equal(t, userjourneystest.Conditions{}, s.Conditions())
}

func TestOtherSitesSwitchNothing(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/", strings.NewReader("down=on"))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, 403, resp.StatusCode)
	require.Zero(t, s.Conditions())
}

func TestOverviewDeliversAgain(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	got := receive(t, s, 200)
	id := s.FinishInterview(s.Studies()[0].ID, userjourneystest.Interview{})
	<-got
	_, body := visit(t, s.URL()+"/deliveries", url.Values{"interview": {id}})
	require.Contains(t, body, id)
	require.Contains(t, string((<-got).body), id)
	visit(t, s.URL()+"/deliveries", url.Values{"interview": {"unknown"}})
}

func TestServesOnAGivenListenerWithAWebhook(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := userjourneystest.NewServer(t, &userjourneystest.Options{Listener: l, WebhookURL: "http://127.0.0.1:1/hook", Secret: "whsec_own"})
	require.Equal(t, "http://"+l.Addr().String(), s.URL())
	require.Equal(t, "whsec_own", s.Secret())
	hook, err := client(t, s).Webhook(t.Context())
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:1/hook", hook.URL)
}
