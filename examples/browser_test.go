package examples_test

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// browser keeps cookies, sends what browsers send, and follows no redirect.
type browser struct {
	t      *testing.T
	client http.Client
}

type answer struct {
	status         int
	location, body string
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{t, http.Client{
		Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (b *browser) get(target string) answer { return b.do(http.MethodGet, target, nil) }

func (b *browser) post(target string, form url.Values) answer {
	return b.do(http.MethodPost, target, form)
}

func (b *browser) do(method, target string, form url.Values) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(form.Encode()))
	require.NoError(b.t, err)
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	req.Header.Set("Sec-Fetch-Dest", "document")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.client.Do(req)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return answer{resp.StatusCode, resp.Header.Get("Location"), string(body)}
}

var link = regexp.MustCompile(`<a class="go" href="(/askonce/start[^"]*)" target="_blank" rel="noopener">`)

// startLink returns the link of the prompt in a page, or "" if there is none.
func startLink(page string) string {
	if found := link.FindStringSubmatch(page); found != nil {
		return html.UnescapeString(found[1])
	}
	return ""
}

// decision returns the link in the decision endpoint's answer, or "" if the user
// is not invited.
func (b *browser) decision(target string) string {
	b.t.Helper()
	var d struct {
		Ask   bool
		Texts struct{ Title string }
		Links struct{ Start string }
	}
	require.NoError(b.t, json.Unmarshal([]byte(b.get(target).body), &d))
	require.Equal(b.t, d.Ask, d.Links.Start != "" && d.Texts.Title != "")
	return d.Links.Start
}

// eventually polls is until it is true. Unlike require.Eventually it does so on
// the test's own goroutine, so is may fail the test.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			require.Fail(t, "waited in vain for "+what)
		}
	}
}
