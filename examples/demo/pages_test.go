package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUnderneath uses the page as somebody who tries the demo would.
func TestUnderneath(t *testing.T) {
	t.Parallel()
	p := startProvider()
	t.Cleanup(p.Close)
	a, err := startApp(t.Context(), "127.0.0.1:0", filepath.Join(t.TempDir(), "demo.db"), p, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar}
	read := func(resp *http.Response, err error) string {
		t.Helper()
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
		return string(body)
	}
	post := func(path string, form url.Values) string {
		t.Helper()
		return read(browser.PostForm(a.url+path, form))
	}

	page := read(browser.Get(a.url + "/underneath"))
	require.Contains(t, page, "None yet: finish an interview.")
	require.NotContains(t, page, "askonce/start", "nobody is asked on the demo's own pages")
	require.Contains(t, post("/login", url.Values{"user": {"ada"}}), "Hello, ada")
	require.Contains(t, post("/login", url.Values{"user": {"<mallory>"}}), "Who are you?")
	require.Contains(t, post("/forge", nil), "bad_signature")
	require.Contains(t, post("/provider", url.Values{"down": {"true"}}), "does not answer")
	require.NotContains(t, post("/provider", url.Values{"down": {"false"}}), "does not answer")
	require.Contains(t, read(browser.Get(a.url+"/style.css")), "color-scheme")
}
