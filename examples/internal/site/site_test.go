package site

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// account is an environment that lacks nothing.
func account(more map[string]string) func(string) string {
	env := map[string]string{"USERJOURNEYS_API_KEY": "uj_live_x", "USERJOURNEYS_WEBHOOK_SECRET": "whsec_0123456789abcdef", "USERJOURNEYS_STUDY": "s"}
	for name, value := range more {
		env[name] = value
	}
	return func(name string) string { return env[name] }
}

func startWith(t *testing.T, getenv func(string) string, args ...string) error {
	t.Helper()
	args = append([]string{"example", "-addr", "127.0.0.1:0", "-db", filepath.Join(t.TempDir(), "x.db")}, args...)
	return start(t.Context(), args, getenv, io.Discard, io.Discard, func(context.Context, *Site) error { return nil })
}

func TestStartNamesEveryMissingVariable(t *testing.T) {
	t.Parallel()
	for _, given := range []map[string]string{
		{},
		{"USERJOURNEYS_API_KEY": "uj_live_x"},
		{"USERJOURNEYS_WEBHOOK_SECRET": "whsec_x", "USERJOURNEYS_STUDY": "s"},
		{"USERJOURNEYS_STUDY": "s", "DATABASE_URL": "redis://127.0.0.1:1"},
	} {
		err := startWith(t, func(name string) string { return given[name] })
		require.Error(t, err)
		for _, name := range []string{"USERJOURNEYS_API_KEY", "USERJOURNEYS_WEBHOOK_SECRET", "USERJOURNEYS_STUDY"} {
			require.Equal(t, given[name] == "", strings.Contains(err.Error(), name), "%s in %q", name, err)
		}
		require.Equal(t, given["DATABASE_URL"] != "", strings.Contains(err.Error(), "COOKIE_KEY"), "%q", err)
	}
	require.NoError(t, startWith(t, account(nil)))
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("k", 32)
	for _, tc := range []struct {
		name string
		env  map[string]string
		says string
	}{
		{"another database", map[string]string{"DATABASE_URL": "oracle://u:hunter2@h/d", "COOKIE_KEY": key}, `"oracle://"`},
		{"no URL", map[string]string{"DATABASE_URL": "postgres://u:hunter2@h:port/d", "COOKIE_KEY": key}, "DATABASE_URL is no URL"},
		{"a short key", map[string]string{"COOKIE_KEY": "short"}, "COOKIE_KEY is shorter"},
		{"no public URL", map[string]string{"PUBLIC_URL": "your.app"}, "PUBLIC_URL"},
		{"a public URL that is not encrypted", map[string]string{"PUBLIC_URL": "http://your.app"}, "PUBLIC_URL"},
		{"an unknown level", map[string]string{"LOG_LEVEL": "loud"}, "LOG_LEVEL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := startWith(t, account(tc.env))
			require.ErrorContains(t, err, tc.says)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
	require.ErrorContains(t, startWith(t, account(nil), "-addr", "127.0.0.1:70000"), "-addr")
	require.Error(t, startWith(t, account(nil), "-db", filepath.Join(t.TempDir(), "none", "x.db")))
}

func TestRetry(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		failures int
		took     time.Duration
		err      error
	}{
		"the database is up":       {},
		"it comes up later":        {failures: 3, took: 6 * time.Second},
		"the app is stopped first": {failures: 1000, took: time.Minute, err: errDown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				began, attempts := time.Now(), 0
				err := retry(ctx, func(context.Context) error {
					if attempts++; attempts <= tt.failures {
						return errDown
					}
					return nil
				})
				require.Equal(t, tt.err, err)
				require.Equal(t, tt.took, time.Since(began))
			})
		})
	}
}

var errDown = errors.New("connection refused")

func TestWebhookURL(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{
		"":                       "",
		"https://your.app":       "https://your.app/webhooks/userjourneys",
		"https://your.app/shop/": "https://your.app/shop/webhooks/userjourneys",
	} {
		s := &Site{}
		require.NoError(t, s.fromEnvironment(account(map[string]string{"PUBLIC_URL": public})))
		require.Equal(t, want, s.WebhookURL)
	}
}

func TestHelpNamesTheEnvironment(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	_, err := parse([]string{"/bin/example", "-h"}, &out)
	require.ErrorIs(t, err, flag.ErrHelp)
	for _, name := range []string{"Usage of example", "-fake", "-db", "USERJOURNEYS_API_KEY", "DATABASE_URL", "PUBLIC_URL", "COOKIE_KEY", "LOG_LEVEL"} {
		require.Contains(t, out.String(), name)
	}
}

func TestMySQLDSN(t *testing.T) {
	t.Parallel()
	for from, to := range map[string]string{
		"mysql://root@127.0.0.1:3306/test":            "root@tcp(127.0.0.1:3306)/test",
		"mysql://u:p%40%2F@db:3307/app?tls=true":      "u:p@/@tcp(db:3307)/app?tls=true",
		"mysql://u@[::1]:3306/app?timeout=2s&loc=UTC": "u@tcp([::1]:3306)/app?timeout=2s&loc=UTC",
		"mysql://u@db/app":                            "u@tcp(db)/app",
	} {
		u, err := url.Parse(from)
		require.NoError(t, err)
		require.Equal(t, to, mysqlDSN(u))
		_, err = mysql.ParseDSN(to)
		require.NoError(t, err)
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.key")
	s, again, other := &Site{}, &Site{}, &Site{}
	require.NoError(t, s.makeKeys("", file))
	require.NoError(t, again.makeKeys("", file))
	require.NoError(t, other.makeKeys(strings.Repeat("k", 32), file))
	require.Equal(t, s.CookieKeys, again.CookieKeys)
	require.NotEqual(t, s.CookieKeys, other.CookieKeys)

	cookie := login(t, s, " ada ")
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.NotContains(t, cookie.Value, "ada")
	require.Equal(t, "ada", userOf(s, cookie))
	require.Equal(t, "ada", userOf(again, cookie))
	require.Empty(t, userOf(other, cookie), "signed with another key")
	cookie.Value = cookie.Value[:len(cookie.Value)-1]
	require.Empty(t, userOf(s, cookie))

	for _, name := range []string{"", "  ", strings.Repeat("x", 65), "a\x00b"} {
		w := httptest.NewRecorder()
		s.Login(w, form(name))
		require.Equal(t, http.StatusBadRequest, w.Code, "%q", name)
	}
	w := httptest.NewRecorder()
	s.Logout(w, form(""))
	require.Negative(t, w.Result().Cookies()[0].MaxAge)

	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorContains(t, s.makeKeys("", file), "holds no key")
}

func form(user string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(url.Values{"user": {user}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func login(t *testing.T, s *Site, user string) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	s.Login(w, form(user))
	require.Equal(t, http.StatusSeeOther, w.Code)
	return w.Result().Cookies()[0]
}

func userOf(s *Site, c *http.Cookie) string {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(c)
	return s.User(r)
}
