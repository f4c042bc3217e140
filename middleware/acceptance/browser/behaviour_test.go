package browser

import (
	"context"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// hear keeps the prompt's events on the tab's next pages in self.events.
func (b *tab) hear() *tab {
	b.t.Helper()
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(`self.events = [];
			for (const name of ["shown", "started", "later", "declined", "undone", "optedout"])
				document.addEventListener("askonce:" + name, (e) => events.push(name + " " + e.detail.study.length));`).Do(ctx)
		return err
	}))
	return b
}

func TestSeenIsReportedOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	b := newTab(t, look{}).hear().open(a.url + "/")
	b.eventually(shown)
	began := time.Now()
	b.until("shown", func() bool { return a.hasRecorded(store.InteractionShown) })
	require.Greater(t, time.Since(began), 700*time.Millisecond, "a second, less what it took to notice")
	b.eventually(`events.join().startsWith("shown ")`)
	require.True(t, eval[bool](b, swap))
	b.eventually(shown)
	require.Equal(t, 1, eval[int](b, `new Promise((done) => setTimeout(() => done(events.length), 1500))`), "it is the same page still")
	b.quiet()
}

func TestWhatIsNotSeenIsNotReported(t *testing.T) {
	t.Parallel()
	for name, hide := range map[string]string{
		"a place that is hidden": `document.querySelector("[data-askonce-here]").hidden = true`,
		"a place out of sight":   `document.querySelector("[data-askonce-here]").style.marginTop = "5000px"`,
		"under something else":   `document.body.append(Object.assign(document.createElement("div"), { style: "position:fixed;inset:0;z-index:2147483647;background:#fff" }))`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, nil, always())
			b := newTab(t, look{}).hear()
			b.open(a.url + "/?here")
			b.run(chromedp.Evaluate(hide, nil))
			require.Equal(t, 0, eval[int](b, `new Promise((done) => setTimeout(() => done(events.length), 1600))`))
			require.False(t, a.hasRecorded(store.InteractionShown))
		})
	}
}

func TestGoodbye(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	b := newTab(t, look{}).hear().open(a.url + "/")
	b.click(declineButton)
	b.eventuallyNone()
	b.answered("decline")
	b.click(undoButton)
	b.eventually(prompts + ` === 1`)
	b.until("undo", func() bool { return a.hasRecorded(store.InteractionUndone) })
	b.click(declineButton)
	b.eventuallyNone()
	b.click(neverButton)
	b.until("optout", func() bool { return a.hasRecorded(store.InteractionOptedOut) })
	b.eventually(said + `.includes("any interview again")`)
	require.Regexp(t, `^(shown \d+,)?declined \d+,undone \d+,declined \d+,optedout \d+$`, eval[string](b, `events.filter((e) => !e.startsWith("shown")).join()`))
	b.quiet()
}

func TestEventsOfTheOtherAnswers(t *testing.T) {
	t.Parallel()
	for name, button := range map[string]string{"later": laterButton, "started": startLink} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, look{}).hear().open(newApp(t, nil, always()).url + "/")
			b.click(button)
			b.eventually(`events.some((e) => e.startsWith("` + name + ` "))`)
			b.eventually(`!document.querySelector("aside.askonce")`)
		})
	}
}

// Whatever the prompt loads waits until the page's own deferred script has run and its
// DOMContentLoaded has come: neither waits for the prompt.
func TestThePageWaitsForNothing(t *testing.T) {
	t.Parallel()
	m, err := middleware.New(everybody{}, func(*http.Request) string { return "ada" }, &middleware.Options{CookieKeys: [][]byte{make([]byte, 32), make([]byte, 16)}})
	require.NoError(t, err)
	loaded := make(chan struct{})
	done := sync.OnceFunc(func() { close(loaded) })
	pages := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/own.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write([]byte(`addEventListener("DOMContentLoaded", () => fetch("/loaded"))`))
			return
		case "/loaded":
			done()
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>Page</title><script src="/own.js" defer></script><h1>Page</h1></body></html>`))
	}))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/askonce/prompt-") {
			select {
			case <-loaded:
			case <-r.Context().Done():
			case <-time.After(patience):
				t.Errorf("the page waits for %s", r.URL.Path)
			}
		}
		pages.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	newTab(t, look{}).open(srv.URL + "/").eventually(shown)
}

func TestDelay(t *testing.T) {
	t.Parallel()
	b := newTab(t, look{}).open(newApp(t, &middleware.Options{Delay: time.Second}, nil).url + "/")
	b.eventually(shown)
	require.Greater(t, eval[float64](b, `performance.now()`), 1000.0)
	b.quiet()
}

func TestWaitsForADialog(t *testing.T) {
	t.Parallel()
	b := newTab(t, look{}).open(newApp(t, nil, nil).url + "/")
	b.eventually(shown)
	b.run(chromedp.Evaluate(`(() => { const d = document.createElement("dialog"); d.append(document.createElement("input")); document.body.append(d); d.showModal(); self.dialog = d })()`, nil))
	b.eventually("!" + shown)
	b.run(chromedp.Evaluate(`self.dialog.close()`, nil))
	b.eventually(shown)
}

func TestCorners(t *testing.T) {
	t.Parallel()
	long(t)
	for position, want := range map[middleware.Position]string{
		middleware.PositionBottomEnd: "right bottom", middleware.PositionBottomStart: "left bottom",
		middleware.PositionTopEnd: "right top", middleware.PositionTopStart: "left top",
	} {
		t.Run(position.String(), func(t *testing.T) {
			t.Parallel()
			b := newTab(t, look{}).open(newApp(t, &middleware.Options{Position: position}, nil).url + "/")
			b.eventually(shown)
			require.Equal(t, want, eval[string](b, `(() => { const r = document.querySelector("aside.askonce").getBoundingClientRect();
				return (Math.round(r.left) === 20 ? "left" : Math.round(innerWidth - r.right) === 20 ? "right" : r.left) + " " + (Math.round(r.top) === 20 ? "top" : Math.round(innerHeight - r.bottom) === 20 ? "bottom" : r.top) })()`))
		})
	}
}

// A policy may name the app's own host, as browsers let it.
func TestPolicyThatNamesTheHost(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, nil)
	b := newTab(t, look{}).open(a.url + "/?csp=" + url.QueryEscape("default-src "+a.url+"/askonce/ "+a.url+"/app.css"))
	b.eventually(shown)
	b.click(laterButton)
	b.eventuallyNone()
	b.answered("later")
	b.quiet()
}

func TestAccent(t *testing.T) {
	t.Parallel()
	long(t)
	for accent, want := range map[string]string{"#ffe14d": "rgb(22, 24, 29)", "oklch(50% .2 260)": "rgb(255, 255, 255)", "rebeccapurple": "rgb(255, 255, 255)", "nonsense": "rgb(255, 255, 255)"} {
		t.Run(accent, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, look{}).open(newApp(t, nil, nil).url + "/?accent=" + url.QueryEscape(accent))
			b.eventually(shown)
			b.eventually(`getComputedStyle(` + startLink + `).color === "` + want + `"`)
		})
	}
}

// The content of an app's own template is the page's: its style sheets apply to it.
func TestOwnTemplate(t *testing.T) {
	t.Parallel()
	own := template.Must(template.New("").Parse(`<h2>{{.Texts.Title}}</h2><p>About {{.StudyName}}.</p><a href="{{.StartURL}}" target="_blank" rel="noopener">{{.Texts.Start}}</a>
<form method="post" action="{{.DeclineURL}}"><button>{{.Texts.Decline}}</button></form>`))
	for name, l := range map[string]look{"with JavaScript": {}, "without": {noJS: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, &middleware.Options{Template: own}, always())
			b := newTab(t, l).open(a.url + "/")
			b.eventually(`document.querySelector("aside.askonce h2").getClientRects().length === 1`)
			require.Equal(t, "rgb(170, 51, 0)", eval[string](b, `getComputedStyle(document.querySelector("aside.askonce a")).color`), "the page's links are of this colour")
			require.True(t, eval[bool](b, inViewport))
			b.click("aside.askonce form button")
			b.eventually(`!document.querySelector("aside.askonce") || !!` + inPrompt + `.querySelector(".bye:not(.off)")`)
			b.open(a.url + "/").requirePrompts(0)
		})
	}
}

// sandboxing puts every page into a sandbox after it has left the middleware, as a
// popup of a sandboxed frame is.
type sandboxing struct{ http.ResponseWriter }

func (w sandboxing) WriteHeader(status int) {
	w.Header().Set("Content-Security-Policy", "sandbox allow-scripts")
	w.ResponseWriter.WriteHeader(status)
}

// A page of an opaque origin could answer nothing. Browsers keep the prompt's style and
// script from it, so the prompt stays hidden, and the console says why.
func TestOpaqueOrigin(t *testing.T) {
	t.Parallel()
	m, err := middleware.New(everybody{}, func(*http.Request) string { return "ada" }, &middleware.Options{CookieKeys: [][]byte{make([]byte, 32), make([]byte, 16)}})
	require.NoError(t, err)
	pages := m.Handler(http.HandlerFunc(servePage))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pages.ServeHTTP(sandboxing{w}, r) }))
	t.Cleanup(srv.Close)
	b := newTab(t, look{}).open(srv.URL + "/")
	require.Equal(t, "null", eval[string](b, `origin`))
	b.eventuallyProblem("ERR_BLOCKED_BY_RESPONSE.NotSameOrigin")
	require.Equal(t, 0, eval[int](b, inPrompt+`.querySelector(".card").getClientRects().length`))
}
