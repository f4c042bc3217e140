package browser

import (
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// client loads the client for apps that render the prompt themselves.
const client = `import("/askonce/askonce.js").then((m) => (self.askonce = m.createAskonce())).then(() => true)`

func TestClient(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	b := newTab(t, look{}).hear()
	b.open(a.url + "/app.css") // a document without a prompt, on the app's origin
	require.True(t, eval[bool](b, client))
	require.True(t, eval[bool](b, `Promise.all([1, 2, 3, 4, 5].map(() => askonce.decide())).then((all) => (self.d = all[0], all.every((d) => d.ask && d.texts.title && d.links.optOut)))`),
		"to ask five times at once is to ask")
	require.True(t, eval[bool](b, `(() => { const e = document.createElement("p"); e.textContent = d.texts.title; document.body.prepend(e); self.stop = askonce.observe(e, d); return true })()`))
	b.until("shown", func() bool { return a.hasRecorded(store.InteractionShown) })
	require.True(t, eval[bool](b, `(askonce.started(d), askonce.undo(d))`))
	require.True(t, eval[bool](b, `askonce.optOut(d)`))
	require.True(t, eval[bool](b, `askonce.decline(d)`))
	require.Equal(t, "declined", eval[string](b, `askonce.decide().then((d) => d.reason)`))
	require.True(t, eval[bool](b, `askonce.later(d)`))
	require.Equal(t, "shown,started,undone,optedout,declined,later", eval[string](b, `events.map((e) => e.split(" ")[0]).join()`))
	require.True(t, eval[bool](b, `askonce.decide({ study: "another" }).then((d) => !d.ask)`))
	b.quiet()
}

// A policy forbids what the client does no more than what the prompt does.
func TestClientUnderAStrictPolicy(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	b := newTab(t, look{}).open(a.url + "/?csp=default-src%20'self'%3B%20require-trusted-types-for%20'script'%3B%20trusted-types%20'none'")
	b.eventually(shown)
	require.True(t, eval[bool](b, client))
	require.True(t, eval[bool](b, `askonce.decide().then((d) => d.ask)`))
	b.quiet()
}

// An app may let another user sign in without a new page: what that user sees counts too.
func TestClientOfTheNextUser(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, nil)
	b := newTab(t, look{}).open(a.url + "/app.css")
	require.True(t, eval[bool](b, client))
	const show = `askonce.decide().then((d) => d.ask && Promise.all([askonce.shown(d), askonce.shown(d)]).then((all) => all.every(Boolean)))`
	require.True(t, eval[bool](b, show))
	require.True(t, eval[bool](b, show))
	require.Equal(t, 1, a.count(store.InteractionShown))
	require.True(t, eval[bool](b, `(document.cookie = "user=bob; path=/", `+show+`)`))
	require.Equal(t, 2, a.count(store.InteractionShown))
	b.quiet()
}

// Where the endpoints are not mounted, an app's fallback answers with its own page and 200.
func TestClientWithoutEndpoints(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, nil)
	b := newTab(t, look{}).open(a.url + "/app.css")
	require.True(t, eval[bool](b, `import("/askonce/askonce.js").then((m) => (self.askonce = m.createAskonce("/elsewhere/"))).then(() => true)`))
	require.Equal(t, "askonce: no decision at "+a.url+"/elsewhere/decision, status 200: are the endpoints mounted there?",
		eval[string](b, `askonce.decide().then(() => "", (e) => e.message)`))
	require.False(t, eval[bool](b, `askonce.later({ study: "study-1", links: { later: "/elsewhere/later" } })`))
	b.eventuallyProblem("askonce: not recorded")
}
