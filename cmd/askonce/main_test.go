package main

import (
	"bytes"
	"context"
	"flag"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

const (
	ours   = "https://your.app/webhooks/userjourneys"
	theirs = "https://production.example/hook"
)

func TestHelpNamesEveryCommand(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"-h"}, {"help"}} {
		out, _, err := runWith(t.Context(), nil, args...)
		require.ErrorIs(t, err, flag.ErrHelp)
		for _, cmd := range commands {
			require.Contains(t, out, "  "+cmd.name)
			require.Contains(t, out, cmd.does)
		}
	}
}

func TestHelpOfEveryCommandNamesItsFlags(t *testing.T) {
	t.Parallel()
	for name, words := range map[string][]string{
		"setup":   {"-url", "-secret-file", "-replace", "-delete", keyVariable},
		"rotate":  {"-url", "-secret-file", keyVariable},
		"studies": {keyVariable},
		"send":    {"-url", "-user", "-study", "-interview", "-forged", secretVariable},
		"keys":    {"CookieKeys", "References", "gate.SignedReferences(keys...)", "SealedReferences"},
		"fake":    {"-addr", "-webhook", "-study", "-places", "127.0.0.1:8081"},
	} {
		out, _, err := runWith(t.Context(), nil, name, "-h")
		require.ErrorIs(t, err, flag.ErrHelp, name)
		require.Contains(t, out, "Usage: askonce "+name)
		for _, word := range words {
			require.Contains(t, out, word, name)
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	env := map[string]string{keyVariable: "uj_live_x"}
	for name, tt := range map[string]struct {
		env  map[string]string
		args []string
		says string
	}{
		"an unknown command":           {env, []string{"launch"}, `no command "launch"`},
		"a flag instead of a command":  {env, []string{"-url", ours}, `no command "-url"`},
		"an unknown flag":              {env, []string{"setup", "-force"}, "-force"},
		"a loose argument":             {env, []string{"setup", ours}, "unexpected argument"},
		"no key for setup":             {nil, []string{"setup"}, keyVariable + " is not set"},
		"no key for rotate":            {nil, []string{"rotate"}, keyVariable + " is not set"},
		"no key for studies":           {nil, []string{"studies"}, keyVariable + " is not set"},
		"http, with the real provider": {env, []string{"setup", "-url", "http://127.0.0.1/hook"}, "must be https"},
		"no URL to send to":            {nil, []string{"send"}, "-url must be"},
		"no secret to send with":       {nil, []string{"send", "-url", ours}, secretVariable + " is not set"},
		"a fake for the whole network": {nil, []string{"fake", "-addr", ":8081"}, "loopback"},
		"a fake with a study twice":    {nil, []string{"fake", "-study", "A", "-study", "A"}, "two studies have this name"},
		"a fake without a webhook":     {nil, []string{"fake", "-webhook", "/hook"}, "-webhook is not an absolute URL"},
		"two mistakes":                 {nil, []string{"setup", "-replace"}, "-replace needs -url\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _, err := runWith(t.Context(), tt.env, tt.args...)
			require.ErrorContains(t, err, tt.says)
			require.Empty(t, out)
		})
	}
}

// runWith runs askonce with these arguments and this environment.
func runWith(ctx context.Context, env map[string]string, args ...string) (out, hints string, err error) {
	var o, h bytes.Buffer
	err = run(ctx, &call{args: args, getenv: func(name string) string { return env[name] }, out: &o, hints: &h})
	return o.String(), h.String(), err
}

// runAgainst runs askonce against the fake provider.
func runAgainst(t *testing.T, fake *userjourneystest.Server, args ...string) (out string, err error) {
	t.Helper()
	out, _, err = runWith(t.Context(), environment(fake), args...)
	return out, err
}

func environment(fake *userjourneystest.Server) map[string]string {
	return map[string]string{keyVariable: fake.APIKey(), baseURLVariable: fake.BaseURL()}
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

func client(t *testing.T, fake *userjourneystest.Server) *userjourneys.Client {
	t.Helper()
	c, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	require.NoError(t, err)
	return c
}

// webhookRequests returns the methods that the command used, without configure's.
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
