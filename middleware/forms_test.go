package middleware_test

import (
	"html"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
)

// form is the header of a form that a browser submits without a script.
var form = []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}

var actions = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)

// formsIn returns where the forms of a page lead, by endpoint.
func formsIn(t testing.TB, page string) map[string]string {
	t.Helper()
	forms := map[string]string{}
	for _, found := range actions.FindAllStringSubmatch(page, -1) {
		action, err := url.Parse(html.UnescapeString(found[1]))
		require.NoError(t, err)
		forms[action.Path[len("/askonce/"):]] = action.RequestURI()
	}
	return forms
}

// Without JavaScript, a user who declines gets a page with a link back, an undo, and
// "never ask me", which has its own undo.
func TestFarewellPages(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newPrompt(t, newGate(t, &gate.Options{MaxShowings: -1, ShowingPause: -1}), nil))
	const back = `<a href="/report?tab=2" class="go">`

	declined := b.do(http.MethodPost, "/askonce/decline?study=study-1", append(form, "Referer", b.url+"/report?tab=2")...)
	require.Equal(t, http.StatusOK, declined.StatusCode)
	require.Contains(t, declined.body, "ask again.</h1>")
	require.NotContains(t, declined.body, `class="text"`)
	require.Contains(t, declined.body, back)
	require.False(t, b.asked())
	forms := formsIn(t, declined.body)
	require.Len(t, forms, 2)

	undone := b.do(http.MethodPost, forms["undo"], append(form, "Referer", b.url+"/askonce/decline?study=study-1")...)
	require.Equal(t, http.StatusSeeOther, undone.StatusCode)
	require.Equal(t, "/report?tab=2", undone.Header.Get("Location"))
	require.True(t, b.asked())

	optedOut := b.do(http.MethodPost, forms["optout"], form...)
	require.Equal(t, http.StatusOK, optedOut.StatusCode)
	require.Contains(t, optedOut.body, "ask you again</h1>")
	require.Contains(t, optedOut.body, back)
	require.False(t, b.asked())
	forms = formsIn(t, optedOut.body)
	require.Len(t, forms, 1)

	undone = b.do(http.MethodPost, forms["undo"], form...)
	require.Equal(t, "/report?tab=2", undone.Header.Get("Location"))
	require.True(t, b.asked())
}

// If a page's Referrer-Policy hides its path, its forms name the page.
func TestWayBackUnderAReferrerPolicy(t *testing.T) {
	t.Parallel()
	own := template.Must(template.New("").Parse(`<a href="{{.StartURL}}">{{.Texts.Start}}</a><form method="post" action="{{.LaterURL}}"><button>{{.Texts.Later}}</button></form>`))
	for _, tt := range []struct {
		policies []string
		named    bool
	}{
		{nil, false},
		{[]string{"no-referrer"}, true},
		{[]string{"Strict-Origin"}, true},
		{[]string{"origin"}, true},
		{[]string{"same-origin"}, false},
		{[]string{"no-referrer, strict-origin-when-cross-origin"}, false},
		{[]string{"same-origin, no-referrer, of-the-future"}, true},
		{[]string{"same-origin", "no-referrer"}, true},
	} {
		for _, opts := range []middleware.Options{{}, {Template: own}, {Origin: "https://app.example"}} {
			for _, csp := range []string{"", "default-src 'self'; script-src 'none'"} {
				b := newBrowserOn(t, newPrompt(t, newGate(t, nil), &opts), func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["Referrer-Policy"] = tt.policies
					if csp != "" {
						w.Header().Set("Content-Security-Policy", csp)
					}
					w.Header().Set("Content-Type", "text/html")
					_, _ = io.WriteString(w, "<!doctype html><p>x</p></body></html>")
				})
				forms := formsIn(t, b.do(http.MethodGet, "/a/b?q=1&r=%22").body)
				require.NotEmpty(t, forms)
				for name, action := range forms {
					back := ""
					if tt.named {
						back = "/a/b?q=1&r=%22"
					}
					u, err := url.Parse(action)
					require.NoError(t, err)
					require.Equal(t, back, u.Query().Get("back"), "%s %v", name, tt.policies)
				}
				if tt.named {
					require.Equal(t, "/a/b?q=1&r=%22", b.do(http.MethodPost, forms["later"], form...).Header.Get("Location"))
				}
			}
		}
	}
}

func TestWayBackInAParameter(t *testing.T) {
	t.Parallel()
	m := newPrompt(t, newGate(t, nil), nil)
	for back, want := range map[string]string{
		"/settings?tab=2#x":        "/settings?tab=2",
		"/caf%C3%A9%2Fx":           "/caf%C3%A9%2Fx",
		"https://evil.example/":    "/referer",
		"//evil.example/":          "/referer",
		"javascript:alert(1)":      "/referer",
		"":                         "/referer",
		"\x00":                     "/referer",
		"evil.example":             "/",
		`/\evil.example`:           "/%5Cevil.example",
		`\\evil.example`:           "/",
		"///evil.example":          "/",
		"/%2F/evil.example":        "/%2F/evil.example",
		"/askonce/start?study=any": "/",
	} {
		r := httptest.NewRequest(http.MethodPost, "http://app.example/askonce/later?study=study-1&back="+url.QueryEscape(back), nil)
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Referer", "http://app.example/referer")
		r.Header.Set(userHeader, "ada")
		rec := httptest.NewRecorder()
		m.Endpoints().ServeHTTP(rec, r)
		require.Equal(t, http.StatusSeeOther, rec.Code)
		require.Equal(t, want, rec.Header().Get("Location"), back)
	}
}
