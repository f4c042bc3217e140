package middleware

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
)

// FuzzCookieValues compares the finder of cookies with that of net/http.
func FuzzCookieValues(f *testing.F) {
	for _, seed := range []string{
		"askonce=a", "a=b; askonce=a; c=d", "askonce=a;askonce=b", " askonce\t=\t a ; x", `askonce="quoted"`, `askonce="`, "askonce", "askonce=", "=askonce",
		"askonce==a=", ";;  ;x;askonce=a;", "a=askonce; x askonce=a; =askonce=b; askonce=c", "askonce\r", "askonce askonce=a; askonce \t=b", "xaskonce=a; askonce-id=b; ASKONCE=c", "askonce=a,b; askonce=\x7f", "askonce=\u00a0a; \u00a0askonce=b", "a=\";askonce=x;\"",
		"askonce=" + strings.Repeat("a", maxValue) + "; askonce=b", "askonce=" + strings.Repeat("a", maxValue+1) + "; askonce=b",
	} {
		f.Add(seed, "")
		f.Add("first=1; askonce=0", seed)
	}
	c := newSealedCookie("askonce", false, nil)
	f.Fuzz(func(t *testing.T, one, two string) {
		h := http.Header{"Cookie": {one, two}}
		if strings.Count(one+two, ";") > 1000 {
			return // net/http reads no cookie at all then
		}
		var got []string
		c.values(h, func(value string) bool {
			got = append(got, value)
			return true
		})
		// What net/http drops for a byte that no value may have is tried here in
		// vain, and counts as a try.
		var want, genuine []string
		for _, cookie := range (&http.Request{Header: h}).CookiesNamed("askonce") {
			if len(cookie.Value) <= maxValue {
				want = append(want, cookie.Value)
			}
		}
		for _, value := range got {
			if _, err := http.ParseCookie(`x="` + value + `"`); err == nil && !strings.Contains(value, ";") {
				genuine = append(genuine, value)
			}
		}
		if len(got) < cookieTries {
			require.Equal(t, want, genuine)
			return
		}
		require.Len(t, got, cookieTries)
		require.GreaterOrEqual(t, len(want), len(genuine))
		require.Equal(t, want[:len(genuine)], genuine)
	})
}

// The longest history there is fits into a value that is read again.
func TestLongestValue(t *testing.T) {
	t.Parallel()
	codecs, err := newCodecs([][]byte{securecookie.GenerateRandomKey(64), securecookie.GenerateRandomKey(32)})
	require.NoError(t, err)
	c := newSealedCookie(historyCookie, true, codecs)
	var h gate.History
	var longest int
	for i := range 100 {
		h = h.WithShown(fmt.Sprintf("study-%d", i), time.Now()).WithDecline(fmt.Sprintf("study-%d", i), time.Now())
		o := ownerOf("ada")
		payload, err := h.AppendBinary(o[:])
		require.NoError(t, err)
		value, err := c.seal(payload)
		require.NoError(t, err)
		longest = max(longest, len(value))
	}
	require.Greater(t, longest, maxValue/2)
	require.LessOrEqual(t, longest, maxValue)
}
