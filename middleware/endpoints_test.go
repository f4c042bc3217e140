package middleware_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/stretchr/testify/require"
)

func TestStart(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newPrompt(t, newGate(t, nil), nil))
	a := b.do(http.MethodGet, "/askonce/start?study=study-1")
	require.Equal(t, http.StatusSeeOther, a.StatusCode)
	require.Equal(t, "https://provider.example/i/abc?reference_id=ada", a.Header.Get("Location"))
	require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
	require.Equal(t, "no-referrer", a.Header.Get("Referrer-Policy"))
	require.Len(t, a.Cookies(), 1)
	require.Contains(t, b.do(http.MethodGet, "/askonce/decision").body, `"reason":"opened"`)
	require.Equal(t, http.StatusSeeOther, b.do(http.MethodGet, "/askonce/start?study=study-1").StatusCode, "a second click is as good")
}

func TestStartHasNoEffect(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newPrompt(t, newGate(t, nil), nil))
	for _, purpose := range []string{"prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip"} {
		a := b.do(http.MethodGet, "/askonce/start?study=study-1", "Sec-Purpose", purpose)
		require.Equal(t, http.StatusServiceUnavailable, a.StatusCode, "a browser must not keep it for the click")
		require.Empty(t, a.Cookies())
	}
	head := b.do(http.MethodHead, "/askonce/start?study=study-1")
	require.Equal(t, http.StatusOK, head.StatusCode)
	require.Empty(t, head.Cookies())
	require.True(t, b.asked())
}

// If a router strips the prefix or mounts another, no endpoint works: the log says so
// once.
func TestEndpointsAtAnotherPath(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	m := newPrompt(t, newGate(t, nil), &middleware.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	get := func(h http.Handler, url string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
		return w.Code
	}
	require.Equal(t, http.StatusNotFound, get(m.Endpoints(), "/askonce/unknown"))
	require.NotContains(t, log.String(), "another path")
	stripped := http.StripPrefix("/askonce", m.Endpoints())
	for range 2 {
		require.Equal(t, http.StatusNotFound, get(stripped, "/askonce/decision"))
	}
	require.Equal(t, 1, strings.Count(log.String(), `msg="askonce: endpoints mounted at another path than Options.Path" path=/decision want=/askonce/`), log.String())
}

// reasoner always makes the same decision.
type reasoner struct{ gate.Decision }

func (d reasoner) Decide(context.Context, gate.Visitor) gate.Decision  { return d.Decision }
func (d reasoner) Confirm(context.Context, gate.Visitor) gate.Decision { return d.Decision }

func TestStartPages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		user     string
		decision gate.Decision
		language string
		status   int
		want     string
	}{
		{"full", "ada", gate.Decision{Reason: gate.ReasonFull}, "en", 200, "All places are taken"},
		{"closed", "ada", gate.Decision{Reason: gate.ReasonClosed}, "de-AT", 200, "Dieses Interview ist beendet"},
		{"another study", "ada", gate.Decision{Reason: gate.ReasonExcluded}, "en", 200, "not open to more participants"},
		{"paused", "ada", gate.Decision{Reason: gate.ReasonPaused}, "it", 200, "Le interviste sono in pausa"},
		{"opted out", "ada", gate.Decision{Reason: gate.ReasonDeclined}, "pt", 200, `<form method="post" action="/askonce/undo?back=%2F">`},
		{"completed", "ada", gate.Decision{Reason: gate.ReasonCompleted}, "fr", 200, "Merci beaucoup"},
		{"provider down", "ada", gate.Decision{Err: errors.New("dial tcp 10.1.2.3: secret detail")}, "es", 503, "Inténtalo de nuevo"},
		{"signed out", "", gate.Decision{Reason: gate.ReasonEligible}, "nb-NO", 403, "Logg inn først"},
		{"no such language", "ada", gate.Decision{Reason: gate.ReasonFull}, "tlh", 200, "All places are taken"},
		{"link is no link", "ada", gate.Decision{Reason: gate.ReasonEligible, Prompt: gate.Prompt{UserID: "ada", InterviewLink: "javascript:alert(1)"}}, "en", 503, "try again"},
		{"no link at all", "ada", gate.Decision{Reason: gate.ReasonEligible, Prompt: gate.Prompt{UserID: "ada"}}, "en", 503, "try again"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t, newPrompt(t, reasoner{tt.decision}, nil))
			b.user = tt.user
			a := b.do(http.MethodGet, "/askonce/start?study=study-1", "Accept-Language", tt.language)
			require.Equal(t, tt.status, a.StatusCode)
			require.Contains(t, a.body, tt.want)
			require.Equal(t, tt.status == 503, a.Header.Get("Retry-After") != "")
			require.Equal(t, "text/html; charset=utf-8", a.Header.Get("Content-Type"))
			require.Contains(t, a.Header.Get("Content-Security-Policy"), "default-src 'none'")
			require.Empty(t, a.Header.Get("Location"))
			require.NotContains(t, a.body, "secret detail")
			require.Empty(t, a.Cookies())
		})
	}
}

func TestLaterAndDecline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, &gate.Options{ShowingPause: -1, MaxShowings: -1, Fresh: time.Hour * 10000, Stale: time.Hour * 10000})
		h := newPrompt(t, g, &middleware.Options{Snooze: time.Hour}).Handler(respond("<!doctype html><p>x</p></body></html>"))
		cookie := ""
		do := func(method, path string) *httptest.ResponseRecorder {
			rec, r := httptest.NewRecorder(), httptest.NewRequest(method, path, nil)
			r.Header.Set("Accept", "text/html")
			r.Header.Set("Cookie", cookie)
			r.Header.Set(userHeader, "ada")
			h.ServeHTTP(rec, r)
			for _, c := range rec.Result().Cookies() {
				cookie = c.Name + "=" + c.Value
			}
			return rec
		}
		asked := func() bool { return strings.Contains(do(http.MethodGet, "/").Body.String(), "askonce-title") }
		require.True(t, asked())
		require.Equal(t, http.StatusSeeOther, do(http.MethodPost, "/askonce/later?study=study-1").Code)
		require.False(t, asked())
		time.Sleep(time.Hour - time.Second)
		require.False(t, asked())
		time.Sleep(2 * time.Second)
		require.True(t, asked())
		require.Equal(t, http.StatusOK, do(http.MethodPost, "/askonce/decline?study=study-1").Code)
		time.Sleep(399 * 24 * time.Hour)
		require.False(t, asked())
	})
}

func TestWayBack(t *testing.T) {
	t.Parallel()
	m := newPrompt(t, newGate(t, nil), &middleware.Options{Origin: "https://front.example"})
	for _, tt := range []struct{ referer, want string }{
		{"", "/"},
		{"http://app.example/settings/profile?tab=2#x", "/settings/profile?tab=2"},
		{"https://app.example/", "/"},
		{"https://front.example/a", "/a"},
		{"http://app.example/caf%C3%A9%2Fx?q=%0d%0aSet-Cookie:x", "/caf%C3%A9%2Fx?q=%0d%0aSet-Cookie:x"},
		{"https://evil.example/phish", "/"},
		{"http://app.example.evil.example/phish", "/"},
		{"http://app.example@evil.example/phish", "/"},
		{"http://app.example//evil.example/phish", "/"},
		{`http://app.example/\evil.example`, "/%5Cevil.example"},
		{"//evil.example/", "/"},
		{"javascript:alert(1)", "/"},
		{"http://app.example", "/"},
		{"http://app.example/askonce/start?study=study-1", "/"},
		{"\x00", "/"},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://app.example/askonce/later?study=study-1&next=https://evil.example", nil)
		r.Header.Set("Accept", "text/html")
		r.Header["Referer"] = []string{tt.referer}
		r.Header.Set(userHeader, "ada")
		rec := httptest.NewRecorder()
		m.Endpoints().ServeHTTP(rec, r)
		require.Equal(t, http.StatusSeeOther, rec.Code)
		require.Equal(t, tt.want, rec.Header().Get("Location"), tt.referer)
	}
}

func TestDismissAnswers(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newPrompt(t, newGate(t, nil), &middleware.Options{Origin: "https://front.example"}))
	for _, tt := range []struct {
		name    string
		path    string
		headers []string
		status  int
		cookies int
	}{
		{"by script", "later?study=study-1", []string{"Accept", "*/*"}, 204, 1},
		{"by script, with metadata", "later?study=study-1", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin"}, 204, 1},
		{"by form, with metadata", "later?study=study-1", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-origin"}, 303, 1},
		{"from another site", "decline?study=study-1", []string{"Sec-Fetch-Site", "cross-site"}, 403, 0},
		{"from a subdomain", "decline?study=study-1", []string{"Sec-Fetch-Site", "same-site"}, 403, 0},
		{"from another origin, old browser", "decline?study=study-1", []string{"Origin", "https://evil.example"}, 403, 0},
		{"behind a proxy, old browser", "later?study=study-1", []string{"Origin", "https://front.example"}, 303, 1},
		{"without study", "decline", nil, 400, 0},
		{"with a silly study", "decline?study=" + strings.Repeat("x", 300), nil, 400, 0},
		{"signed out", "decline?study=study-1", []string{userHeader, ""}, 303, 0},
	} {
		a := b.do(http.MethodPost, "/askonce/"+tt.path, tt.headers...)
		require.Equal(t, tt.status, a.StatusCode, tt.name)
		require.Len(t, a.Cookies(), tt.cookies, tt.name)
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"), tt.name)
	}
}

// Without TLS, browsers send no fetch metadata. Behind a proxy that changes the Host,
// the app's own pages are then refused, and the log says so once.
func TestAnswersThroughAProxyThatChangesTheHost(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	m := newPrompt(t, newGate(t, nil), &middleware.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		for _, path := range []string{"shown", "later", "decline"} {
			r := httptest.NewRequest(http.MethodPost, "http://backend:8080/askonce/"+path+"?study=study-1", nil)
			r.Header.Set("Origin", "http://intranet.example")
			r.Header.Set(userHeader, "ada")
			rec := httptest.NewRecorder()
			m.Endpoints().ServeHTTP(rec, r)
			require.Equal(t, http.StatusForbidden, rec.Code)
			r.Header.Set("Sec-Fetch-Site", "cross-site") // no proxy changes this
			m.Endpoints().ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	require.Equal(t, 1, strings.Count(log.String(), "another origin refused"), log.String())
	require.Contains(t, log.String(), "origin=http://intranet.example host=backend:8080")
}

func TestMethodsAndPaths(t *testing.T) {
	t.Parallel()
	m := newPrompt(t, newGate(t, nil), nil)
	const teapot = http.StatusTeapot // the app's
	srv := httptest.NewServer(m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(teapot) })))
	t.Cleanup(srv.Close)
	b := browserFor(t, srv.URL)
	asset := assetName.FindString(newBrowser(t, m).do(http.MethodGet, "/").body)
	require.NotEmpty(t, asset)
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"POST", "/askonce/start?study=study-1", 405, "GET, HEAD"},
		{"PUT", "/askonce/decision", 405, "GET, HEAD"},
		{"DELETE", asset, 405, "GET, HEAD"},
		{"OPTIONS", "/askonce/later", 405, "POST"},
		{"PUT", "/askonce/shown?study=study-1", 405, "GET, POST"},
		{"GET", "/askonce/undo?study=study-1", 405, "POST"},
		{"GET", "/askonce/optout", 405, "POST"},
		{"OPTIONS", "/askonce/start", 405, "GET, HEAD"},
		{"GET", "/askonce/later?study=study-1", 405, "POST"},
		{"HEAD", "/askonce/decline?study=study-1", 405, "POST"},
		{"GET", "/askonce/", 404, ""},
		{"OPTIONS", "/askonce/", 404, ""},
		{"GET", "/askonce/start/", 404, ""},
		{"POST", "/askonce/later/1?study=study-1", 404, ""},
		{"POST", "/askonce/later;x=1?study=study-1", 404, ""},
		{"GET", "/askonce/START", 404, ""},
		{"POST", "/askonce/nothing", 404, ""},
		{"GET", "/askonce/prompt.css", 404, ""},
		{"GET", "/askonce//start?study=study-1", 404, ""},
		{"GET", "/askonce///evil.example/start", 404, ""},
		{"GET", "/askonce/%2e%2e/secret", 404, ""},
		{"GET", "/askonce%2Fstart?study=study-1", 404, ""},
		{"POST", "/askonce%2flater?study=study-1", 404, ""},
		{"GET", "/ASKONCE/start?study=study-1", teapot, ""},
		{"GET", "//askonce/start?study=study-1", teapot, ""},
		{"GET", "/askonce", teapot, ""},
		{"GET", "/askonces/start", teapot, ""},
	} {
		a := b.do(tt.method, tt.path)
		require.Equal(t, tt.status, a.StatusCode, "%s %s", tt.method, tt.path)
		require.Equal(t, tt.allow, a.Header.Get("Allow"))
		require.Empty(t, a.Header.Get("Location"))
		require.Empty(t, a.Cookies())
	}
}

var assetName = regexp.MustCompile(`/askonce/prompt-[0-9a-f]{12}\.(?:css|js)`)

func TestAssets(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newPrompt(t, newGate(t, nil), nil))
	names := assetName.FindAllString(b.do(http.MethodGet, "/").body, -1)
	slices.Sort(names)
	names = append(slices.Compact(names), "/askonce/askonce.js")
	require.Len(t, names, 3)
	gzipped := 0
	for _, name := range names {
		a := b.do(http.MethodGet, name)
		require.Equal(t, http.StatusOK, a.StatusCode)
		if assetName.MatchString(name) {
			require.Equal(t, "public, max-age=31536000, immutable", a.Header.Get("Cache-Control"))
			other := b.do(http.MethodGet, name[:len("/askonce/prompt-")]+"0123456789ab"+path.Ext(name))
			require.Equal(t, a.body, other.body, "the hash of another version")
			require.Equal(t, "no-cache", other.Header.Get("Cache-Control"))
		} else {
			require.Less(t, len(a.body), 2048)
			require.Equal(t, "no-cache", a.Header.Get("Cache-Control"))
		}
		require.Equal(t, "nosniff", a.Header.Get("X-Content-Type-Options"))
		require.Equal(t, http.StatusOK, b.do(http.MethodHead, name).StatusCode)
		n := gzippedSize(t, a.body)
		if assetName.MatchString(name) {
			gzipped += n // the client is for apps that render the prompt themselves
		}
		t.Logf("%s: %d bytes, gzipped %d", name, len(a.body), n)
		for _, r := range a.body {
			require.Less(t, r, rune(0x80), "ASCII needs no charset")
		}
	}
	t.Logf("together, gzipped: %d of 6144 bytes", gzipped)
	require.LessOrEqual(t, gzipped, 6144)
	types := b.do(http.MethodGet, "/askonce/askonce.d.ts")
	require.Equal(t, "application/typescript; charset=utf-8", types.Header.Get("Content-Type"))
	require.Contains(t, types.body, "export function createAskonce(")
	for _, name := range []string{"prompt-0123456789ab.html", "prompt-.css", "prompt-0123456789abcd.css", "prompt-0123456789ag.js"} {
		require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/askonce/"+name).StatusCode, name)
	}
}

// A page that the browser restores from its cache keeps its prompt, unless the reason
// says that the prompt is over.
func TestReasonsThatKeepAPrompt(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile(filepath.Join("internal", "prompt", "ui", "prompt.min.js"))
	require.NoError(t, err)
	found := regexp.MustCompile(`/([^/]*)/\.test\(\w+\.reason\)`).FindSubmatch(script)
	require.NotNil(t, found)
	keeps := regexp.MustCompile(string(found[1]))
	want := map[gate.Reason]bool{
		gate.ReasonEligible: true, gate.ReasonExcluded: true, gate.ReasonLanguage: true, gate.ReasonHeldOut: true, gate.ReasonPaced: true,
		gate.ReasonUnavailable: true, gate.ReasonAnonymous: false, gate.ReasonDeclined: false, gate.ReasonSnoozed: false, gate.ReasonOpened: false,
		gate.ReasonShownEnough: false, gate.ReasonCoolingDown: false, gate.ReasonFull: false, gate.ReasonClosed: false, gate.ReasonCompleted: false,
		gate.ReasonPaused: false,
	}
	for r := gate.Reason(0); r.String() != "unknown"; r++ {
		keep, listed := want[r]
		require.True(t, listed, "%v: does it keep a prompt?", r)
		require.Equal(t, keep, keeps.MatchString(r.String()), "%v", r)
	}
}

func TestDecision(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newPrompt(t, newGate(t, nil), nil))
	b.user = "user-4711"
	get := func(path string, headers ...string) (d struct {
		Ask                     bool
		Reason, Language, Study string
		Direction               string
		Texts                   struct{ Title, Start string }
		Links                   struct{ Start, Later, Decline string }
	}) {
		a := b.do(http.MethodGet, "/askonce/decision"+path, headers...)
		require.Equal(t, http.StatusOK, a.StatusCode)
		require.Equal(t, "application/json", a.Header.Get("Content-Type"))
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
		require.Equal(t, "nosniff", a.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "same-origin", a.Header.Get("Cross-Origin-Resource-Policy"))
		require.Empty(t, a.Header.Get("Access-Control-Allow-Origin"), "no other origin may read it")
		require.NotContains(t, a.body, b.user)
		require.NoError(t, json.Unmarshal([]byte(a.body), &d))
		return d
	}
	require.True(t, get("?peek").Ask)
	require.True(t, get("", "Sec-Purpose", "prefetch").Ask)
	require.Equal(t, "excluded", get("?study=another").Reason)
	require.Empty(t, b.do(http.MethodHead, "/askonce/decision").Cookies())
	d := get("?study=study-1", "Accept-Language", "it")
	require.True(t, d.Ask)
	require.Equal(t, "eligible", d.Reason)
	require.Equal(t, "study-1", d.Study)
	require.Equal(t, "it", d.Language)
	require.Equal(t, "ltr", d.Direction)
	require.Equal(t, "Inizia l’intervista", d.Texts.Start)
	require.Equal(t, "/askonce/decline?study=study-1&from=app", d.Links.Decline)
	require.Equal(t, http.StatusSeeOther, b.do(http.MethodGet, d.Links.Start).StatusCode)
	require.False(t, get("").Ask, "it has been shown")
	b.user = ""
	require.Equal(t, "anonymous", b.reason())
}

func (b *browser) reason() string {
	var d struct{ Reason string }
	require.NoError(b.t, json.Unmarshal([]byte(b.do(http.MethodGet, "/askonce/decision?peek").body), &d))
	return d.Reason
}

func TestCompletedMeanwhile(t *testing.T) {
	t.Parallel()
	done := memstore.New()
	g, err := gate.New(newStudy(), "study-1", done, &gate.Options{LinkHosts: []string{"provider.example"}})
	require.NoError(t, err)
	b := newBrowser(t, newPrompt(t, g, nil))
	require.True(t, b.asked())
	_, err = done.Record(t.Context(), store.Completion{Key: store.Key{StudyID: "study-1", UserID: "ada"}, InterviewID: "i-1", CompletedAt: time.Now()})
	require.NoError(t, err)
	a := b.do(http.MethodGet, "/askonce/start?study=study-1")
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Contains(t, a.body, "You have already taken part")
}

func TestAnonymous(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newPrompt(t, newGate(t, nil), &middleware.Options{Anonymous: true}))
	b.user = ""
	first := b.do(http.MethodGet, "/")
	require.Contains(t, first.body, "askonce-title")
	require.Len(t, first.Cookies(), 1, "who it is")
	require.True(t, b.asked())
	require.False(t, b.asked())
	location := b.do(http.MethodGet, "/askonce/start?study=study-1").Header.Get("Location")
	require.Regexp(t, `\?reference_id=anonymous-[a-z2-7]{26}$`, location)
	require.Equal(t, location, b.do(http.MethodGet, "/askonce/start?study=study-1").Header.Get("Location"), "the same id")
	require.NotContains(t, first.Header.Get("Set-Cookie"), "anonymous-")

	off := newBrowser(t, newPrompt(t, newGate(t, nil), nil))
	off.user = ""
	require.Empty(t, off.do(http.MethodGet, "/").Cookies())
}

func TestAnonymousKeepsItsID(t *testing.T) {
	t.Parallel()
	m := newPrompt(t, newGate(t, &gate.Options{Holdout: 1}), &middleware.Options{Anonymous: true})
	h := m.Handler(m.Handler(respond("<!doctype html><p>x</p></body></html>")))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, pageRequest())
	require.Len(t, rec.Result().Cookies(), 1, "even without a prompt, and once: a sample must stay as it was drawn")
	c := rec.Result().Cookies()[0]
	w, r := httptest.NewRecorder(), pageRequest("Cookie", c.Name+"="+c.Value)
	h.ServeHTTP(w, r)
	require.Empty(t, w.Result().Cookies())
	w = httptest.NewRecorder()
	h.ServeHTTP(w, pageRequest("Cookie", c.Name+"=anonymous-forged"))
	require.Len(t, w.Result().Cookies(), 1)
	require.NotEqual(t, c.Value, w.Result().Cookies()[0].Value)
}
