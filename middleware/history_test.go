package middleware_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/stretchr/testify/require"
)

func TestAShowingIsWhatWasSeen(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newPrompt(t, newGate(t, nil), nil))
	for range 5 {
		page := b.do(http.MethodGet, "/")
		require.Contains(t, page.body, "askonce-title")
		require.Empty(t, page.Cookies(), "a page costs nothing")
	}
	first := b.seen()
	require.Equal(t, http.StatusNoContent, first.StatusCode)
	require.Len(t, first.Cookies(), 1)
	c := first.Cookies()[0]
	require.Equal(t, "askonce", c.Name)
	require.True(t, c.HttpOnly)
	require.False(t, c.Secure)
	require.Equal(t, http.SameSiteLaxMode, c.SameSite)
	require.Equal(t, "/", c.Path)
	require.Equal(t, 400*24*3600, c.MaxAge)

	require.NotContains(t, b.do(http.MethodGet, "/").body, "askonce-title", "seen a moment ago")
	require.Empty(t, b.seen().Cookies(), "the same showing")
}

// A browser's cookie holds its user's answers about a dozen studies.
func TestManyStudiesInOneCookie(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newPrompt(t, newGate(t, nil), nil))
	b.do(http.MethodPost, "/askonce/decline?study=study-1", script...)
	for i := range 12 {
		require.False(t, b.asked(), "after %d other studies", i)
		b.do(http.MethodPost, fmt.Sprintf("/askonce/decline?study=00000000-0000-4000-8000-%012d", i), script...)
	}
	require.False(t, b.asked())
}

// Without JavaScript the page loads an image.
func TestShowingWithoutJavaScript(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		headers []string
		counts  bool
	}{
		{"image of the page", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "image"}, true},
		{"image of another site", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "image"}, false},
		{"image of another subdomain", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Dest", "image"}, false},
		{"typed into the address bar", []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Dest", "document"}, false},
		{"frame of the page", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "iframe"}, false},
		{"prefetch", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "image", "Sec-Purpose", "prefetch"}, false},
		{"old browser", []string{"Referer", "{url}/page"}, true},
		{"old browser on another site", []string{"Referer", "https://evil.example/"}, false},
		{"old browser without a word", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t, newPrompt(t, newGate(t, nil), nil))
			for i := range tt.headers {
				tt.headers[i] = strings.Replace(tt.headers[i], "{url}", b.url, 1)
			}
			a := b.do(http.MethodGet, "/askonce/shown?study=study-1", tt.headers...)
			require.Equal(t, !tt.counts, b.asked())
			if !tt.counts {
				require.Equal(t, http.StatusForbidden, a.StatusCode)
				return
			}
			require.Equal(t, http.StatusOK, a.StatusCode)
			require.Equal(t, "image/gif", a.Header.Get("Content-Type"))
			require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
		})
	}
}

func TestOnlyPagesWithPromptCount(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(newPrompt(t, newGate(t, nil), nil).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/json":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "{}")
		case "/error":
			http.Error(w, "no", http.StatusInternalServerError)
		case "/own":
			p, ok := middleware.PromptFrom(r.Context())
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, "<!doctype html><p>%v %s</p></html>", ok, p.StartURL)
		}
	})))
	t.Cleanup(srv.Close)
	b := browserFor(t, srv.URL)
	require.Empty(t, b.do(http.MethodGet, "/json").Cookies())
	require.Empty(t, b.do(http.MethodGet, "/error").Cookies())
	own := b.do(http.MethodGet, "/own")
	require.Contains(t, own.body, "true /askonce/start?study=study-1")
	require.Len(t, own.Cookies(), 1, "nothing reports what the app has rendered")
	require.Contains(t, b.do(http.MethodGet, "/own").body, "false")
}

func TestMountedTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	m := newPrompt(t, newGate(t, nil), nil)
	rec := httptest.NewRecorder()
	r := pageRequest(userHeader, "ada")
	m.Handler(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := middleware.PromptFrom(r.Context())
		fmt.Fprintf(w, "<!doctype html><p>%s</p></body></html>", p.StartURL)
	}))).ServeHTTP(rec, r)
	require.Contains(t, rec.Body.String(), "/askonce/start")
	require.Len(t, rec.Result().Cookies(), 1)
}

func TestHistoryIsBoundToTheUser(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newPrompt(t, newGate(t, nil), nil))
	require.Equal(t, http.StatusNoContent, b.do(http.MethodPost, "/askonce/decline?study=study-1", "Accept", "*/*").StatusCode)
	require.False(t, b.asked())
	b.user = "bob"
	cookie := b.Jar.Cookies(mustParse(t, b.url))[0].String()
	require.True(t, b.asked(), "ada's history is not his")
	require.False(t, b.asked())

	// The same to a replica, which has never seen the cookie.
	for user, want := range map[string]bool{"bob": true, "ada": false} {
		replica := newPrompt(t, newGate(t, nil), nil).Handler(respond("<!doctype html><p>x</p></body></html>"))
		rec := httptest.NewRecorder()
		replica.ServeHTTP(rec, pageRequest(userHeader, user, "Cookie", cookie))
		require.Equal(t, want, strings.Contains(rec.Body.String(), "askonce-title"), user)
	}
}

func TestManyCookies(t *testing.T) {
	t.Parallel()
	m := newPrompt(t, newGate(t, nil), nil)
	b := newBrowser(t, m)
	require.Equal(t, http.StatusNoContent, b.do(http.MethodPost, "/askonce/decline?study=study-1", "Accept", "*/*").StatusCode)
	u, err := url.Parse(b.url)
	require.NoError(t, err)
	good := b.Jar.Cookies(u)[0].String()
	_, value, _ := strings.Cut(good, "=")
	asked := func(cookie string) bool {
		rec := httptest.NewRecorder()
		m.Handler(respond("<!doctype html><p>x</p></body></html>")).ServeHTTP(rec, pageRequest(userHeader, "ada", "Cookie", cookie))
		return strings.Contains(rec.Body.String(), "askonce-title")
	}
	require.False(t, asked(good))
	require.False(t, asked("a=b; askonce=forged; "+good), "the genuine one of several")
	require.False(t, asked(";;  ;x;"+good+";y"))
	require.True(t, asked("askonce="+value[:len(value)-4]), "cut off")
	require.True(t, asked("askonce="+strings.Repeat("A", 4096)))
	require.True(t, asked("xaskonce="+value), "another name")
	require.True(t, asked("__Host-askonce="+value), "another name of ours: the name is sealed too")
	require.True(t, asked("askonce=1; askonce=2; askonce=3; askonce=4; "+good), "no more than four are tried")
}

func TestCookieIsBounded(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newPrompt(t, newGate(t, nil), nil))
	for i := range 100 {
		for _, answer := range []string{"shown", "later", "decline"} {
			a := b.do(http.MethodPost, fmt.Sprintf("/askonce/%s?study=study-%d", answer, i), script...)
			require.Len(t, a.Cookies(), 1)
			require.Less(t, len(a.Cookies()[0].Raw), 2500)
		}
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	newKeys := [][]byte{bytes.Repeat([]byte{1}, 64), bytes.Repeat([]byte{2}, 32)}
	both := append(append([][]byte{}, newKeys...), testKeys...)
	g := newGate(t, nil)
	b := newBrowser(t, newPrompt(t, g, nil))
	require.True(t, b.asked())
	cookie := b.Jar.Cookies(mustParse(t, b.url))[0].String()
	asked := func(keys [][]byte) bool {
		rec := httptest.NewRecorder()
		h := newPrompt(t, g, &middleware.Options{CookieKeys: keys}).Handler(respond("<!doctype html><p>x</p></body></html>"))
		h.ServeHTTP(rec, pageRequest(userHeader, "ada", "Cookie", cookie))
		return strings.Contains(rec.Body.String(), "askonce-title")
	}
	require.False(t, asked(both), "the old keys still open it")
	require.True(t, asked(newKeys), "without them it is no history")
}

func mustParse(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	require.NoError(t, err)
	return u
}

func TestSecureCookies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		origin string
		change func(r *http.Request)
		want   bool
	}{
		{"plain", "", func(*http.Request) {}, false},
		{"TLS", "", func(r *http.Request) { r.TLS = &tls.ConnectionState{} }, true},
		{"proxy", "", func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }, true},
		{"plain by the proxy", "", func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "http") }, false},
		{"origin", "https://app.example.com", func(*http.Request) {}, true},
		{"plain origin", "http://app.example.com", func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newPrompt(t, newGate(t, nil), &middleware.Options{Origin: tt.origin})
			h := m.Handler(respond("<!doctype html><p>x</p></body></html>"))
			c := seen(t, m, tt.change)
			require.Equal(t, tt.want, c.Secure)
			require.Equal(t, tt.want, c.Name == "__Host-askonce", c.Name)

			again := pageRequest(userHeader, "ada", "Cookie", c.Name+"="+c.Value)
			tt.change(again)
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, again)
			require.NotContains(t, rec.Body.String(), "askonce-title")
		})
	}
}

func TestNoKeysIsSaidOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	_, err := middleware.New(askEveryone{}, func(*http.Request) string { return "" }, &middleware.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(log.String(), "level=WARN"))
	require.Contains(t, log.String(), "no CookieKeys")
}

// Nothing is allocated for a page of a user who has declined, nor for one without a
// history.
func TestNoPromptAllocatesNothing(t *testing.T) {
	g := newGate(t, nil)
	m := newPrompt(t, g, nil)
	b := newBrowser(t, m)
	b.do(http.MethodPost, "/askonce/decline?study=study-1", "Accept", "*/*")
	cookie := b.Jar.Cookies(mustParse(t, b.url))[0].String()
	nobody := newPrompt(t, newGate(t, &gate.Options{Holdout: 1}), nil)
	bare := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for name, tt := range map[string]struct {
		h http.Handler
		r *http.Request
	}{
		"declined":         {m.Handler(bare), pageRequest(userHeader, "ada", "Cookie", "session=abcdef; "+cookie+"; theme=dark", "Accept-Language", "de-AT,de;q=0.9,en;q=0.8")},
		"another's cookie": {nobody.Handler(bare), pageRequest(userHeader, "bob", "Cookie", cookie)},
		"not genuine":      {nobody.Handler(bare), pageRequest(userHeader, "ada", "Cookie", "askonce="+strings.Repeat("A", 400))},
		"no history":       {nobody.Handler(bare), pageRequest(userHeader, "ada", "Cookie", "session=abcdef", "Accept-Language", "fr")},
		"not a page":       {m.Handler(bare), httptest.NewRequest(http.MethodGet, "/api", nil)},
		"nobody":           {m.Handler(bare), pageRequest("Cookie", cookie)},
	} {
		w := httptest.NewRecorder()
		n := testing.AllocsPerRun(200, func() { tt.h.ServeHTTP(w, tt.r) })
		require.Zero(t, n, name)
	}
}

func BenchmarkDeclined(b *testing.B) {
	m := newPrompt(b, newGate(b, nil), nil)
	br := newBrowser(b, m)
	br.do(http.MethodPost, "/askonce/decline?study=study-1", "Accept", "*/*")
	cookie := br.Jar.Cookies(mustParse(b, br.url))[0].String()
	h := m.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w, r := httptest.NewRecorder(), pageRequest(userHeader, "ada", "Cookie", "session=abcdef; "+cookie, "Accept-Language", "de-AT,de;q=0.9,en;q=0.8")
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

// The cookie is found wherever it stands in the field, and only if it is one.
func TestWhereTheCookieStands(t *testing.T) {
	t.Parallel()
	m := newMiddleware(t, askOnce{}, "ada")
	cookie := historyCookie(t, m)
	for field, want := range map[string]bool{
		cookie:                             true,
		"a=b; " + cookie:                   true,
		"a=b;" + cookie + "; c=d":          true,
		cookie + " ; c=d":                  true,
		"askonce=; askonce; " + cookie:     true,
		"my" + cookie + "; " + cookie:      true,
		"a=askonce=x; b=askonce;" + cookie: true,
		"my" + cookie:                      false,
		"a=" + cookie:                      false,
		"a=b " + cookie:                    false,
		"askonce":                          false,
		"askonce=":                         false,
		"a=b; askonce2=" + cookie[8:]:      false,
	} {
		rec := httptest.NewRecorder()
		m.Handler(respond(page)).ServeHTTP(rec, pageRequest("Cookie", field))
		require.Equal(t, !want, strings.Contains(rec.Body.String(), "<aside"), field)
	}
}

// askOnce asks users without a history.
type askOnce struct{ askEveryone }

func (a askOnce) Decide(ctx context.Context, v gate.Visitor) gate.Decision {
	if b, err := v.History.AppendBinary(nil); err != nil || !bytes.Equal(b, emptyHistory) {
		return gate.Decision{Reason: gate.ReasonCoolingDown}
	}
	return a.askEveryone.Decide(ctx, v)
}

var emptyHistory, _ = gate.History{}.AppendBinary(nil)

// A field that no browser sends is not kept in memory.
func TestLongAcceptLanguageIsNotRead(t *testing.T) {
	t.Parallel()
	var got []string
	m, err := middleware.New(languageSpy{got: &got}, func(*http.Request) string { return "ada" }, nil)
	require.NoError(t, err)
	for field, want := range map[string][]string{"de": {"de"}, "de, " + strings.Repeat("fr, ", 300) + "en": nil} {
		m.Handler(respond(page)).ServeHTTP(httptest.NewRecorder(), pageRequest("Accept-Language", field))
		require.Equal(t, want, got)
	}
}

type languageSpy struct {
	askNobody
	got *[]string
}

func (l languageSpy) Decide(ctx context.Context, v gate.Visitor) gate.Decision {
	*l.got = v.Languages
	return l.askNobody.Decide(ctx, v)
}
