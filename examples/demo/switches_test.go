package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryClickShows clicks on everything beside and in the app, and looks at the
// page that comes back.
func TestEveryClickShows(t *testing.T) {
	t.Parallel()
	a := start(t)
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

	require.Contains(t, read(browser.Get(a.url+"/plants")), "Sign in as")
	for _, u := range users {
		require.Contains(t, post("/login", url.Values{"user": {u.ID}}), "Hello, "+u.First)
	}
	require.Contains(t, post("/water", url.Values{"plant": {"m4"}}), "Hello, Cleo")
	require.NotContains(t, post("/water", url.Values{"plant": {"m1"}}), "Molly has water")
	require.Contains(t, read(browser.Get(a.url+"/plants")), "Parlour palm")
	require.Contains(t, read(browser.Get(a.url+"/visits")), "Imke")

	for _, tc := range []struct{ button, to, shows string }{
		{"provider", "on", "you took the provider down"},
		{"provider", "off", "the provider is back"},
		{"study", "on", "you filled the study"},
		{"study", "off", "the study has places again"},
		{"asking", "on", "you paused asking"},
		{"asking", "off", "you resumed asking"},
		{"webhooks", "lost", `value="lost" aria-pressed="true"`},
		{"webhooks", "late", `value="late" aria-pressed="true"`},
		{"webhooks", "twice", `value="twice" aria-pressed="true"`},
		{"webhooks", "on time", `value="on time" aria-pressed="true"`},
		{"forge", "", "401 bad_signature"},
		{"day", "", "Day 1."},
		{"reset", "", "you started over"},
	} {
		require.Contains(t, post("/demo/"+tc.button, url.Values{"to": {tc.to}}), tc.shows, "%+v", tc)
	}

	require.Contains(t, post("/login", url.Values{"user": {"<mallory>"}}), "Sign in as")
	for _, path := range []string{"/static/fernly.css", "/static/demo.css", "/static/demo.js", "/static/logo.svg", consolePath} {
		read(browser.Get(a.url + path))
	}
	for _, tc := range []struct{ button, to string }{{"nothing", ""}, {"webhooks", "eaten"}} {
		resp, err := browser.PostForm(a.url+"/demo/"+tc.button, url.Values{"to": {tc.to}})
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusNotFound, resp.StatusCode, "%+v", tc)
	}
}
