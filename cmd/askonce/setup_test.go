package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

// TestSetupAndRotate checks above all which requests are made: a command that
// changes a project's one webhook unasked takes it away from production.
func TestSetupAndRotate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args     []string
		before   string   // the URL that is registered, "" for none
		requests []string // exactly these, in this order
		after    string
		secret   bool // shown
		says     []string
		err      string
	}{
		"shows none":       {args: []string{"setup"}, requests: []string{"GET"}, says: []string{"No webhook"}},
		"shows one":        {args: []string{"setup"}, before: theirs, requests: []string{"GET"}, after: theirs, says: []string{theirs, "Nothing was changed"}},
		"creates":          {args: []string{"setup", "-url", ours}, requests: []string{"GET", "PUT"}, after: ours, secret: true, says: []string{"only now"}},
		"finds its own":    {args: []string{"setup", "-url", ours}, before: ours, requests: []string{"GET"}, after: ours, says: []string{"Nothing was changed", "askonce rotate"}},
		"replaces nothing": {args: []string{"setup", "-url", ours, "-replace"}, before: ours, requests: []string{"GET"}, after: ours},
		"leaves another's": {args: []string{"setup", "-url", ours}, before: theirs, requests: []string{"GET"}, after: theirs, err: "was not changed"},
		"takes another's":  {args: []string{"setup", "-url", ours, "-replace"}, before: theirs, requests: []string{"GET", "PUT"}, after: ours, says: []string{theirs, ours}},

		"deletes":                 {args: []string{"setup", "-delete"}, before: ours, requests: []string{"GET", "DELETE"}, says: []string{"Deleted"}},
		"deletes the named":       {args: []string{"setup", "-delete", "-url", ours}, before: ours, requests: []string{"GET", "DELETE"}},
		"deletes no other":        {args: []string{"setup", "-delete", "-url", ours}, before: theirs, requests: []string{"GET"}, after: theirs, err: "was not changed"},
		"finds nothing to delete": {args: []string{"setup", "-delete"}, requests: []string{"GET"}, says: []string{"No webhook"}},

		"rotates":                 {args: []string{"rotate"}, before: ours, requests: []string{"GET", "DELETE", "PUT"}, after: ours, secret: true, says: []string{"only now", "PreviousSecrets"}},
		"rotates the named":       {args: []string{"rotate", "-url", ours}, before: ours, requests: []string{"GET", "DELETE", "PUT"}, after: ours, secret: true},
		"rotates no other":        {args: []string{"rotate", "-url", ours}, before: theirs, requests: []string{"GET"}, after: theirs, err: "was not changed"},
		"finds nothing to rotate": {args: []string{"rotate"}, requests: []string{"GET"}, err: "askonce setup -url"},

		"refuses http":               {args: []string{"setup", "-url", "http://your.app/hook"}, err: "must be https"},
		"refuses a path":             {args: []string{"setup", "-url", "/hook"}, err: "absolute"},
		"refuses a user":             {args: []string{"setup", "-url", "https://a:b@your.app/"}, err: "no user"},
		"refuses to rotate for http": {args: []string{"rotate", "-url", "http://your.app/hook"}, err: "must be https"},
		"refuses two wishes":         {args: []string{"setup", "-delete", "-replace"}, err: "exclude each other"},
		"refuses -replace alone":     {args: []string{"setup", "-replace"}, err: "needs -url"},
		"refuses a needless file":    {args: []string{"setup", "-secret-file", "x"}, err: "needs -url"},
		"allows a fake's loopback":   {args: []string{"setup", "-url", "http://127.0.0.1:1/hook"}, requests: []string{"GET", "PUT"}, after: "http://127.0.0.1:1/hook", secret: true},
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

func TestSecretFileWorksForShellsAndPrograms(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"created": {"setup", "-url", ours}, "rotated": {"rotate"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := userjourneystest.NewServer(t, nil)
			if args[0] == "rotate" {
				configure(t, fake, ours)
			}
			path := filepath.Join(t.TempDir(), "secret")
			out, err := runAgainst(t, fake, append(args, "-secret-file", path)...)
			require.NoError(t, err)
			require.NotContains(t, out, "whsec_")
			written, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, fake.Secret(), string(written))
			if sh, err := exec.LookPath("sh"); err == nil {
				shell, err := exec.CommandContext(t.Context(), sh, "-c", `printf %s "$(cat "$0")"`, path).Output()
				require.NoError(t, err)
				require.Equal(t, fake.Secret(), string(shell))
			}
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		})
	}
}

func TestSecretFileThatWouldNotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"the webhook exists":          {"setup", "-url", ours},
		"its URL would change":        {"setup", "-url", "https://new.example/hook", "-replace"},
		"it exists, and -replace too": {"setup", "-url", ours, "-replace"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := userjourneystest.NewServer(t, nil)
			configure(t, fake, ours)
			path := filepath.Join(t.TempDir(), "secret")
			_, err := runAgainst(t, fake, append(args, "-secret-file", path)...)
			require.ErrorContains(t, err, path+" was not written and nothing was changed")
			require.ErrorContains(t, err, "askonce rotate -secret-file "+path)
			require.NoFileExists(t, path)
			require.Equal(t, ours, configured(t, fake))
		})
	}
}

func TestSecretFileIsNeverOverwritten(t *testing.T) {
	t.Parallel()
	fake := userjourneystest.NewServer(t, nil)
	configure(t, fake, ours)
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte("the old one"), 0o600))
	_, err := runAgainst(t, fake, "rotate", "-secret-file", path)
	require.ErrorIs(t, err, os.ErrExist)
	require.Equal(t, []string{"GET"}, webhookRequests(fake, true), "the old secret must stay valid")
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "the old one", string(kept))
}

func TestSecretThatCannotBeWrittenIsPrinted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s, err := newSecretFile(filepath.Join(t.TempDir(), "secret"), &out)
	require.NoError(t, err)
	require.NoError(t, s.file.Close()) // writing fails, as it does on a full disk
	require.Error(t, s.keep("whsec_0123"))
	require.Contains(t, out.String(), "whsec_0123")
}

// TestCreationThatFails says what exists afterwards, which differs by whether
// the provider has answered.
func TestCreationThatFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		put   func(http.ResponseWriter)
		says  []string
		after string
	}{
		"refused": {func(w http.ResponseWriter) { w.WriteHeader(400) }, []string{"was not created"}, ""},
		"the response is lost": {nil,
			[]string{"a webhook may exist now, with a secret that nobody knows", "run askonce setup", "askonce rotate"}, ours},
		"a proxy fails": {func(w http.ResponseWriter) { w.WriteHeader(502) }, []string{"a webhook may exist now"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := userjourneystest.NewServer(t, nil)
			target, err := url.Parse(strings.TrimSuffix(fake.BaseURL(), "/api/v1"))
			require.NoError(t, err)
			proxy := httputil.NewSingleHostReverseProxy(target)
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method != http.MethodPut:
					proxy.ServeHTTP(w, r)
				case tt.put != nil:
					tt.put(w)
				default:
					proxy.ServeHTTP(httptest.NewRecorder(), r)
					panic(http.ErrAbortHandler)
				}
			}))
			t.Cleanup(front.Close)
			path := filepath.Join(t.TempDir(), "secret")
			env := map[string]string{keyVariable: fake.APIKey(), baseURLVariable: front.URL + "/api/v1"}
			_, _, err = runWith(t.Context(), env, "setup", "-url", ours, "-secret-file", path)
			for _, words := range tt.says {
				require.ErrorContains(t, err, words)
			}
			require.NoFileExists(t, path, "an empty one")
			require.Equal(t, tt.after, configured(t, fake))
		})
	}
}

func TestFailuresNeverShowTheKey(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"setup", "-url", ours}, {"rotate"}, {"studies"}} {
		fake := userjourneystest.NewServer(t, nil)
		fake.FailNext(10, 401)
		out, err := runAgainst(t, fake, args...)
		require.ErrorIs(t, err, userjourneys.ErrUnauthorized)
		require.NotContains(t, out+err.Error(), fake.APIKey())
		require.Equal(t, []string{"GET"}, webhookRequests(fake, false))
	}
}
