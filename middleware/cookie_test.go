package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzCookieField finds the cookie where net/http finds it. In the fields, $ stands for
// the value of ada's cookie.
func FuzzCookieField(f *testing.F) {
	for _, seed := range []string{
		"askonce=$", "a=b; askonce=$; c=d", "askonce=a;askonce=$", "\taskonce=$ ; x", "askonce", "askonce=", "=askonce", "askonce==$=",
		";;  ;x;askonce=$;", "a=askonce; x askonce=$; =askonce=$; askonce=c", "xaskonce=$; askonce-id=$; ASKONCE=$", "askonce=$,b; askonce=\x7f",
		"__Host-askonce=$", "askonce=$$", "askonce=\u00a0$; \u00a0askonce=$",
	} {
		f.Add(seed, "")
		f.Add("first=1; askonce=0", seed)
	}
	m := newMiddleware(f, askOnce{}, "ada")
	_, value, _ := strings.Cut(historyCookie(f, m), "=")
	unusual := regexp.MustCompile(`[ \t\r\n]=|["\r\n]`) // no browser sends it, and net/http removes it
	f.Fuzz(func(t *testing.T, one, two string) {
		fields := []string{strings.ReplaceAll(one, "$", value), strings.ReplaceAll(two, "$", value)}
		all := strings.Join(fields, ";")
		if unusual.MatchString(all) || strings.Count(all, ";") > 1000 || strings.Count(all, "askonce") > 4 {
			return
		}
		r := pageRequest()
		r.Header["Cookie"] = fields
		known := slices.ContainsFunc(r.CookiesNamed("askonce"), func(c *http.Cookie) bool { return c.Value == value })
		rec := httptest.NewRecorder()
		m.Handler(respond(page)).ServeHTTP(rec, r)
		require.Equal(t, known, !strings.Contains(rec.Body.String(), "<aside"))
	})
}
