package browser

import (
	"net/url"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// inEachBrowser runs a test in a window of Chromium and in one of Firefox.
func inEachBrowser(t *testing.T, test func(t *testing.T, w window)) {
	t.Helper()
	long(t)
	t.Run("chromium", func(t *testing.T) {
		t.Parallel()
		test(t, chromiumWindow{newTab(t, look{})})
	})
	t.Run("firefox", func(t *testing.T) {
		t.Parallel()
		test(t, newFirefox(t))
	})
}

// over are the ways in which the prompt of a page that is shown is no longer due.
var over = map[string]func(t *testing.T, a *app, w window){
	"No thanks": func(t *testing.T, _ *app, w window) {
		w.json(`(`+declineButton+`.click(), true)`, new(bool))
		w.eventually(answered("decline"))
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
			"max-age":       {"Cache-Control: max-age=600, stale-while-revalidate=600"},
			"an entity tag": {"Cache-Control: private, max-age=600, immutable", `Etag: "v1"`},
			"other fields":  {"Expires: Wed, 21 Oct 2065 07:28:00 GMT", "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT"},
		} {
			for reason, end := range over {
				a := newApp(t, nil, always())
				page := a.url + "/?" + url.Values{"header": fields}.Encode()
				require.Equal(t, 1, visitAgain(t, w, a, page), name)
				require.Equal(t, 1, visitAgain(t, w, a, page), "%s: it is still due", name)
				w.eventually(shown)
				end(t, a, w)
				require.Equal(t, 0, visitAgain(t, w, a, page), "%s: after %s", name, reason)
			}
		}
	})
}

// visitAgain navigates to a page as a link does, from one that has no prompt. It returns
// how many prompts the page has.
func visitAgain(t *testing.T, w window, a *app, page string) (n int) {
	t.Helper()
	w.visit(a.url + "/app.css")
	w.visit(page)
	navigation := ""
	w.json(navigationType, &navigation)
	require.Equal(t, "navigate", navigation)
	w.json(prompts, &n)
	return n
}

const (
	navigationType = `performance.getEntriesByType("navigation")[0].type`
	fromCache      = `performance.getEntriesByType("navigation")[0].transferSize === 0`
	gone           = `!document.querySelector("aside.askonce")`
)

// Going back to a page that is not in the back-forward cache shows it from the browser's
// cache, which is not asked whether it is fresh.
func TestBackToACachedPage(t *testing.T) {
	t.Parallel()
	inEachBrowser(t, func(t *testing.T, w window) {
		a := newApp(t, nil, always())
		w.visit(a.url + "/")
		w.json(`(addEventListener("unload", () => {}), true)`, new(bool)) // it keeps a page out of the back-forward cache
		w.eventually(shown)
		over["completion"](t, a, w)
		w.visit(a.url + "/app.css")
		w.json(`(setTimeout(() => history.back()), true)`, new(bool))
		w.eventually(`location.pathname === "/" && document.readyState === "complete"`)
		navigation := ""
		w.json(navigationType, &navigation)
		require.Equal(t, "back_forward", navigation)
		w.eventually(gone)
	})
}

// staleWhileRevalidate is a service worker that answers everything from its cache if it can,
// the decision too, and brings the cache up to date after that.
const staleWhileRevalidate = `addEventListener("fetch", (e) => e.request.method === "GET" && e.respondWith((async () => {
	const cache = await caches.open("all"), cached = await cache.match(e.request);
	const fresh = fetch(e.request).then((r) => (cache.put(e.request, r.clone()), r));
	return cached || fresh;
})()));
addEventListener("activate", (e) => e.waitUntil(clients.claim()));`

// A service worker keeps whatever it likes, and the prompt is not shown if it is over.
func TestPageOfAServiceWorker(t *testing.T) {
	t.Parallel()
	inEachBrowser(t, func(t *testing.T, w window) {
		a := newApp(t, nil, always())
		page := a.url + "/?page"
		w.visit(a.url + "/app.css")
		w.json(`navigator.serviceWorker.register("/worker.js").then(() => navigator.serviceWorker.ready).then(() => true)`, new(bool))
		for range 3 {
			require.Equal(t, 1, visitAgain(t, w, a, page))
			w.eventually(shown)
		}
		w.eventually(fromCache)
		over["No thanks"](t, a, w)
		visitAgain(t, w, a, page)
		w.eventually(fromCache)
		w.eventually(gone)
		require.Equal(t, 0, visitAgain(t, w, a, page), "the worker's cache is up to date")
	})
}
