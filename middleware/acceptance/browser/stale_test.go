package browser

import (
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// inEachBrowser runs a test in a window of Chromium and in one of Firefox.
func inEachBrowser(t *testing.T, test func(t *testing.T, w window)) {
	t.Helper()
	t.Run("chromium", func(t *testing.T) {
		t.Parallel()
		test(t, chromiumWindow{newTab(t, look{})})
	})
	t.Run("firefox", func(t *testing.T) {
		t.Parallel()
		test(t, newFirefox(t))
	})
}

// eventually waits until an expression is true.
func eventually(t testing.TB, w window, expression string) {
	t.Helper()
	isTrue := false
	w.json(`new Promise((done) => {
		const until = performance.now() + `+strconv.FormatInt(patience.Milliseconds(), 10)+`;
		const look = () => (`+expression+`) ? done(true) : performance.now() > until ? done(false) : setTimeout(look, 20);
		look();
	})`, &isTrue)
	require.True(t, isTrue, expression)
}

// over are the ways in which the prompt of a page that is shown is no longer due.
var over = map[string]func(t *testing.T, a *app, w window){
	"No thanks": func(t *testing.T, _ *app, w window) {
		w.json(`(`+declineButton+`.click(), true)`, new(bool))
		eventually(t, w, answered("decline"))
	},
	"completion": func(t *testing.T, a *app, _ window) {
		_, err := a.store.Record(t.Context(), store.Completion{Key: store.Key{StudyID: a.study, UserID: "ada"}, InterviewID: "i", CompletedAt: time.Now()})
		require.NoError(t, err)
	},
}

// A page that the app lets a browser reuse for ten minutes is not reused once it has the
// prompt: an ordinary navigation shows what holds now.
func TestCachedPage(t *testing.T) {
	t.Parallel()
	inEachBrowser(t, func(t *testing.T, w window) {
		for name, fields := range map[string][]string{
			"max-age":                {"Cache-Control: max-age=600"},
			"stale-while-revalidate": {"Cache-Control: max-age=1, stale-while-revalidate=600"},
			"immutable":              {"Cache-Control: private, max-age=600, immutable", `Etag: "v1"`},
			"Expires":                {"Expires: Wed, 21 Oct 2065 07:28:00 GMT"},
			"Last-Modified":          {"Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT"},
			"an entity tag":          {"Cache-Control: no-cache", `Etag: "v1"`},
		} {
			for reason, end := range over {
				a := newApp(t, nil, always())
				page := a.url + "/?" + url.Values{"header": fields}.Encode()
				visit := func() (asking int) {
					t.Helper()
					w.visit(a.url + "/app.css") // a document without a prompt
					w.visit(page)
					navigation := ""
					w.json(`performance.getEntriesByType("navigation")[0].type`, &navigation)
					require.Equal(t, "navigate", navigation)
					w.json(prompts, &asking)
					return asking
				}
				require.Equal(t, 1, visit(), name)
				require.Equal(t, 1, visit(), "%s: it is still due", name)
				eventually(t, w, shown)
				end(t, a, w)
				require.Equal(t, 0, visit(), "%s: after %s", name, reason)
			}
		}
	})
}
