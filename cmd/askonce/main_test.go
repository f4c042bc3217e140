package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

const (
	ours   = "https://your.app/webhooks/userjourneys"
	theirs = "https://production.example/hook"
)

// TestRun checks above all which requests are made: a command that changes a
// project's one webhook unasked takes production's away.
func TestRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args     []string
		before   string   // the URL that is configured, "" for none
		requests []string // exactly these, in this order
		after    string
		secret   bool // shown
		says     []string
		err      string
	}{
		"shows none":       {requests: []string{"GET"}, says: []string{"No webhook"}},
		"shows one":        {before: theirs, requests: []string{"GET"}, after: theirs, says: []string{theirs, "Nothing was changed"}},
		"creates":          {args: []string{"-url", ours}, requests: []string{"GET", "PUT"}, after: ours, secret: true, says: []string{"only now"}},
		"finds its own":    {args: []string{"-url", ours}, before: ours, requests: []string{"GET"}, after: ours, says: []string{"Nothing was changed", "-rotate"}},
		"replaces nothing": {args: []string{"-url", ours, "-replace"}, before: ours, requests: []string{"GET"}, after: ours},
		"leaves another's": {args: []string{"-url", ours}, before: theirs, requests: []string{"GET"}, after: theirs, err: "left alone"},
		"takes another's":  {args: []string{"-url", ours, "-replace"}, before: theirs, requests: []string{"GET", "PUT"}, after: ours, says: []string{theirs, ours}},

		"deletes":                  {args: []string{"-delete"}, before: ours, requests: []string{"GET", "DELETE"}, says: []string{"Deleted"}},
		"deletes the named":        {args: []string{"-delete", "-url", ours}, before: ours, requests: []string{"GET", "DELETE"}},
		"deletes no other":         {args: []string{"-delete", "-url", ours}, before: theirs, requests: []string{"GET"}, after: theirs, err: "left alone"},
		"finds nothing to delete":  {args: []string{"-delete"}, requests: []string{"GET"}, says: []string{"No webhook"}},
		"rotates":                  {args: []string{"-rotate"}, before: ours, requests: []string{"GET", "DELETE", "PUT"}, after: ours, secret: true, says: []string{"not delivered", "PreviousSecrets"}},
		"rotates no other":         {args: []string{"-rotate", "-url", ours}, before: theirs, requests: []string{"GET"}, after: theirs, err: "left alone"},
		"finds nothing to rotate":  {args: []string{"-rotate"}, requests: []string{"GET"}, err: "create one with -url"},
		"refuses http":             {args: []string{"-url", "http://your.app/hook"}, err: "must be https"},
		"refuses a path":           {args: []string{"-url", "/hook"}, err: "absolute"},
		"refuses a user":           {args: []string{"-url", "https://a:b@your.app/"}, err: "no user"},
		"refuses two wishes":       {args: []string{"-delete", "-rotate"}, err: "-delete goes with neither"},
		"refuses -replace alone":   {args: []string{"-replace"}, err: "needs -url"},
		"refuses a needless file":  {args: []string{"-secret-file", "x"}, err: "needs -url or -rotate"},
		"refuses loose arguments":  {args: []string{ours}, err: "unexpected"},
		"allows a fake's loopback": {args: []string{"-url", "http://127.0.0.1:1/hook"}, requests: []string{"GET", "PUT"}, after: "http://127.0.0.1:1/hook", secret: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := userjourneystest.NewServer(t, nil)
			configure(t, fake, c.before)
			out, err := runAgainst(t, fake, c.args...)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, c.requests, webhookRequests(fake, c.before != ""))
			require.Equal(t, c.after, configured(t, fake))
			want := 0
			if c.secret {
				want = 1
			}
			require.Equal(t, want, strings.Count(out, "whsec_"), "in %q", out)
			require.Equal(t, want, strings.Count(out, fake.Secret()), "in %q", out)
			for _, word := range c.says {
				require.Contains(t, out, word)
			}
		})
	}
}

func TestHTTPIsForFakesOnly(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), []string{"-url", "http://127.0.0.1/hook"}, func(name string) string {
		return map[string]string{"USERJOURNEYS_API_KEY": "uj_live_x"}[name]
	}, new(bytes.Buffer))
	require.ErrorContains(t, err, "must be https")
}

func TestSecretFile(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"creates": {"-url", ours}, "rotates": {"-rotate"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := userjourneystest.NewServer(t, nil)
			if name == "rotates" {
				configure(t, fake, ours)
			}
			path := filepath.Join(t.TempDir(), "secret")
			out, err := runAgainst(t, fake, append(args, "-secret-file", path)...)
			require.NoError(t, err)
			require.NotContains(t, out, "whsec_")
			written, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, fake.Secret()+"\n", string(written))
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		})
	}
}

func TestSecretFileIsNeverOverwritten(t *testing.T) {
	t.Parallel()
	fake := userjourneystest.NewServer(t, nil)
	configure(t, fake, ours)
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte("the old one"), 0o600))
	_, err := runAgainst(t, fake, "-rotate", "-secret-file", path)
	require.ErrorIs(t, err, os.ErrExist)
	require.Equal(t, []string{"GET"}, webhookRequests(fake, true), "the old secret must stay valid")
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "the old one", string(kept))
}

func TestSecretFileOfAFailedCreationIsRemoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	k, err := newKeeper(path, new(bytes.Buffer))
	require.NoError(t, err)
	k.close()
	require.NoFileExists(t, path)
}

func TestSecretThatCannotBeWrittenIsPrinted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	k, err := newKeeper(filepath.Join(t.TempDir(), "secret"), &out)
	require.NoError(t, err)
	require.NoError(t, k.file.Close()) // as a full disk would, writing fails
	require.Error(t, k.keep("whsec_0123"))
	require.Contains(t, out.String(), "whsec_0123")
}

func TestFailuresNeverShowTheKey(t *testing.T) {
	t.Parallel()
	fake := userjourneystest.NewServer(t, nil)
	fake.FailNext(10, 401)
	out, err := runAgainst(t, fake, "-url", ours)
	require.ErrorIs(t, err, userjourneys.ErrUnauthorized)
	require.NotContains(t, out+err.Error(), fake.APIKey())
	require.Equal(t, []string{"GET"}, webhookRequests(fake, false))
}

func TestMissingKey(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), nil, func(string) string { return "" }, new(bytes.Buffer))
	require.ErrorContains(t, err, "USERJOURNEYS_API_KEY is not set")
}

func TestHelpNamesEveryFlag(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.Error(t, run(t.Context(), []string{"-h"}, func(string) string { return "" }, &out))
	for _, flag := range []string{"-url", "-secret-file", "-replace", "-rotate", "-delete", "USERJOURNEYS_API_KEY"} {
		require.Contains(t, out.String(), flag)
	}
}

func runAgainst(t *testing.T, fake *userjourneystest.Server, args ...string) (out string, err error) {
	t.Helper()
	env := map[string]string{"USERJOURNEYS_API_KEY": fake.APIKey(), "USERJOURNEYS_BASE_URL": fake.BaseURL()}
	var b bytes.Buffer
	err = run(t.Context(), args, func(name string) string { return env[name] }, &b)
	return b.String(), err
}

func client(t *testing.T, fake *userjourneystest.Server) *userjourneys.Client {
	t.Helper()
	c, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	require.NoError(t, err)
	return c
}

func configure(t *testing.T, fake *userjourneystest.Server, url string) {
	t.Helper()
	if url == "" {
		return
	}
	_, err := client(t, fake).PutWebhook(t.Context(), userjourneys.Webhook{URL: url})
	require.NoError(t, err)
}

func configured(t *testing.T, fake *userjourneystest.Server) string {
	t.Helper()
	hook, err := client(t, fake).Webhook(t.Context())
	if err != nil {
		require.ErrorIs(t, err, userjourneys.ErrNotFound)
	}
	return hook.URL
}

// webhookRequests are the methods that the command used, without configure's.
func webhookRequests(fake *userjourneystest.Server, wasConfigured bool) (methods []string) {
	all := fake.Requests()
	if wasConfigured {
		all = all[1:]
	}
	for _, r := range all {
		methods = append(methods, r.Method)
	}
	return methods
}
