package browser

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/askonce/askonce/middleware"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// inViewport is whether the prompt is wholly visible, and nothing scrolls sideways.
const inViewport = `(() => { const a = document.querySelector("aside.askonce"), r = a.getBoundingClientRect();
	return r.width > 0 && !("waits" in a.dataset) && r.left >= 0 && r.top >= 0 && r.right <= innerWidth && r.bottom <= innerHeight
		&& document.documentElement.scrollWidth <= innerWidth })()`

func TestPromptStaysAway(t *testing.T) {
	t.Parallel()
	for name, button := range map[string]string{"later": laterButton, "decline": declineButton} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, nil, always())
			b := newTab(t, look{}).open(a.url + "/")
			b.requirePrompts(1)
			b.eventually(inViewport)
			b.click(button)
			b.eventuallyNone()
			require.Equal(t, a.url+"/", eval[string](b, "location.href"), "the page was not left")
			b.answered(name)
			b.open(a.url + "/").requirePrompts(0)
			b.quiet()
		})
	}
}

func TestLinkOpensAnotherTab(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, nil)
	b := newTab(t, look{}).open(a.url + "/")
	b.click(startLink)
	b.eventuallyNone()
	interview := b.otherTab()
	require.Contains(t, interview.URL, "reference_id=ada")
	require.Equal(t, a.url+"/", eval[string](b, "location.href"))
	b.open(a.url + "/")
	b.requirePrompts(0)
	b.quiet()
}

// otherTab is the tab of the profile that shows an interview.
func (b *tab) otherTab() (found *target.Info) {
	b.t.Helper()
	b.until("no tab with the interview", func() bool {
		infos, err := chromedp.Targets(b.ctx)
		require.NoError(b.t, err)
		for _, info := range infos {
			if info.Type == "page" && info.BrowserContextID == b.profile && strings.Contains(info.URL, "/i/") {
				found = info
			}
		}
		return found != nil
	})
	return found
}

func TestStrictPolicies(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]string{
		"self":  "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
		"nonce": "default-src 'none'; connect-src 'self'; script-src 'nonce-r4nd0m' 'strict-dynamic'; style-src 'self' 'nonce-r4nd0m'; form-action 'self'; base-uri 'none'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, nil, nil)
			b := newTab(t, look{}).listen().open(a.url + "/?csp=" + url.QueryEscape(policy))
			b.eventually(shown)
			require.Equal(t, "fixed", eval[string](b, `getComputedStyle(document.querySelector("aside.askonce")).position`), "the style is there")
			b.eventually(`heard.length === 3`)
			b.click(laterButton)
			b.eventuallyNone()
			b.answered("later")
			b.quiet()
		})
	}
}

// A policy may forbid scripts to send anything: then a form does it.
func TestPolicyForbidsRequests(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	there := a.url + "/report/7?csp=" + url.QueryEscape("default-src 'self'; connect-src 'none'; form-action 'self'")
	b := newTab(t, look{}).open(there)
	b.requirePrompts(1)
	b.run(chromedp.Evaluate(`self.before = true`, nil))
	b.click(declineButton)
	b.eventually(`!self.before && document.readyState === "complete"`)
	b.click("a.go")
	b.eventually(`location.href === "` + there + `" && document.readyState === "complete"`)
	b.requirePrompts(0)
	b.open(a.url + "/").requirePrompts(0)
	b.quiet()
}

func TestWithoutItsStyleThePromptStaysHidden(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]look{"with JavaScript": {noCSS: true}, "without": {noCSS: true, noJS: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, l).open(newApp(t, nil, nil).url + "/")
			require.Equal(t, 0, eval[int](b, inPrompt+`.querySelector(".card").getClientRects().length`))
		})
	}
}

// What the app does not take is told to the developer, and the prompt is out of
// the way all the same.
func TestAnswerIsNotTaken(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	b := newTab(t, look{}).open(a.url + "/")
	b.run(network.SetBlockedURLs([]string{"*/askonce/later*"}))
	b.click(laterButton)
	b.eventuallyNone()
	b.eventuallyProblem("askonce: not recorded")
	require.Equal(t, a.url+"/", eval[string](b, "location.href"))
}

func TestKeyboard(t *testing.T) {
	t.Parallel()
	const active = `((e) => (e.id || e.ariaLabel || e.textContent || e.tagName).trim())(document.activeElement.shadowRoot?.activeElement ?? document.activeElement)`
	a := newApp(t, nil, always())
	b := newTab(t, look{}).open(a.url + "/")
	b.eventually(shown)
	require.Equal(t, "BODY", eval[string](b, `document.activeElement.tagName`), "focus is not taken")
	b.run(chromedp.KeyEvent(kb.Escape))
	b.requirePrompts(1)
	var order []string
	for range 5 {
		b.run(chromedp.KeyEvent(kb.Tab))
		order = append(order, eval[string](b, active))
	}
	require.Equal(t, []string{"first", "second", "Start the interview (opens in a new tab)", "No thanks", "Ask me later"}, order)
	require.NotEqual(t, "none", eval[string](b, `getComputedStyle(document.activeElement.shadowRoot.activeElement).outlineStyle`), "focus is to be seen")
	b.run(chromedp.KeyEvent(kb.Tab))
	require.False(t, eval[bool](b, `!!document.activeElement.closest("aside.askonce")`), "it is no trap")

	b.run(chromedp.Focus("#second", chromedp.ByQuery), chromedp.KeyEvent(kb.Escape))
	b.requirePrompts(1)
	b.run(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Escape))
	b.eventually(`!document.querySelector("aside.askonce")`)
	require.Equal(t, "second", eval[string](b, active), "focus goes back to where it came from")

	b.answered("later") // Escape is the × button's key
	b.quiet()

	b = newTab(t, look{}).open(newApp(t, nil, always()).url + "/")
	b.eventually(shown)
	b.run(chromedp.Focus(declineButton, chromedp.ByJSPath), chromedp.KeyEvent(kb.Enter))
	b.eventuallyNone()
	require.Equal(t, "Undo", eval[string](b, active), "focus goes on to what took the button's place")
	b.run(chromedp.KeyEvent(kb.Escape))
	b.eventually(`!document.querySelector("aside.askonce")`)
	require.Equal(t, "MAIN", eval[string](b, `document.activeElement.tagName`), "focus came from nowhere: the main part")
	b.run(chromedp.KeyEvent(kb.Tab))
	require.Equal(t, "first", eval[string](b, active))
	require.False(t, eval[bool](b, `document.querySelector("main").hasAttribute("tabindex")`), "the page is as it was")
	b.quiet()
}

func TestAnnouncedOnce(t *testing.T) {
	t.Parallel()
	long(t)
	a := newApp(t, nil, always())
	b := newTab(t, look{}).listen().open(a.url + "/")
	const heard = `JSON.stringify(heard)`
	want := `["","Do you have a few minutes for us?",""]`
	b.eventually(`heard.length === 3`)
	require.Equal(t, want, eval[string](b, heard), "the region is there before its text")
	require.True(t, eval[bool](b, swap))
	b.requirePrompts(1)
	// The page's timers end in their order, so an announcement would have been made before.
	require.Equal(t, want, eval[string](b, `new Promise((done) => setTimeout(() => done(`+heard+`), 800))`))
}

// listen keeps what the status region of the tab's next pages says, from when it
// is there.
func (b *tab) listen() *tab {
	b.t.Helper()
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(`self.heard = [];
			const watched = new WeakSet(), options = { childList: true, subtree: true, characterData: true };
			const listen = () => document.querySelectorAll("aside.askonce").forEach(({ shadowRoot: s }) => {
				if (!s) return;
				if (!watched.has(s)) watched.add(s), observer.observe(s, options);
				const text = s.querySelector("[role=status]")?.textContent;
				if (text !== undefined && text !== heard.at(-1)) heard.push(text);
			});
			const observer = new MutationObserver(listen);
			observer.observe(document, options)`).Do(ctx)
		return err
	}))
	return b
}

func TestTwoTabs(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	one := newTab(t, look{}).open(a.url + "/")
	two := one.sibling().open(a.url + "/other")
	one.requirePrompts(1)
	two.requirePrompts(1)
	two.click(declineButton)
	two.eventuallyNone()
	one.eventuallyNone()
	one.quiet()
	two.quiet()
}

// swap does what Turbo and htmx do: it replaces the body by that of another page
// and runs the scripts in it.
const swap = `fetch("/swapped", { headers: { Accept: "text/html", "X-Turbo-Request-Id": "1" } }).then((r) => r.text()).then(async (text) => {
	const next = new DOMParser().parseFromString(text, "text/html");
	document.body.replaceWith(next.body);
	for (const old of document.body.querySelectorAll("script")) {
		const s = document.createElement("script");
		s.src = old.src;
		const loaded = new Promise((done) => (s.onload = done));
		old.replaceWith(s);
		await loaded;
	}
	return true;
})`

func TestSwappedPages(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	b := newTab(t, look{}).open(a.url + "/")
	for range 3 {
		require.True(t, eval[bool](b, swap))
		b.requirePrompts(1)
	}
	// A library that puts a page together from two has both prompts in it.
	require.True(t, eval[bool](b, `(() => { const c = document.querySelector("aside.askonce"); document.body.prepend(c.cloneNode(true)); self[Symbol.for("askonce")](); return true })()`))
	b.requirePrompts(1)
	require.True(t, eval[bool](b, `(() => { self.kept = document.body.cloneNode(true); return true })()`))
	b.click(declineButton)
	b.eventuallyNone()
	// A snapshot from before, as it comes back from the library's own cache.
	require.True(t, eval[bool](b, `(() => { document.body.replaceWith(self.kept); self[Symbol.for("askonce")](); return true })()`))
	b.requirePrompts(0)
	b.quiet()
}

// The libraries themselves, as apps use them.
func TestLibrariesThatSwapPages(t *testing.T) {
	t.Parallel()
	long(t)
	for name, library := range map[string]*npmFile{"turbo": turbo, "htmx": htmx} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			library.need(t)
			a := newApp(t, nil, always())
			b := newTab(t, look{}).open(a.url + "/?library=" + name)
			b.requirePrompts(1)
			b.run(chromedp.Evaluate(`self.loadedOnce = true`, nil))
			for range 2 {
				b.run(chromedp.Evaluate(`document.querySelector("h1").dataset.old = ""`, nil))
				b.click("#first")
				b.eventually(`location.pathname === "/other" && !("old" in document.querySelector("h1").dataset)`)
				b.eventually(prompts + ` === 1`)
				b.eventually(`!!document.querySelector("aside.askonce")[Symbol.for("askonce")]`)
			}
			b.click(declineButton)
			b.eventuallyNone()
			b.answered("decline")
			b.back()
			b.eventually(`document.querySelector("h1") && document.readyState === "complete"`)
			b.eventuallyNone()
			b.click("#first")
			b.eventuallyNone()
			require.True(t, eval[bool](b, `self.loadedOnce === true`), "the page was swapped, not loaded")
			b.quiet()
		})
	}
}

func TestSinglePageNavigation(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, nil)
	b := newTab(t, look{}).open(a.url + "/")
	require.True(t, eval[bool](b, `(() => { history.pushState({}, "", "/view/2"); document.querySelector("main").textContent = "Another view"; return true })()`))
	b.requirePrompts(1)
	b.click(laterButton)
	b.eventuallyNone()
	b.quiet()
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	long(t)
	const box = `(() => { const r = document.querySelector("aside.askonce").getBoundingClientRect(); return [r.left, innerWidth - r.right, innerHeight - r.bottom, r.width].map(Math.round) })()`
	t.Run("corner", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, look{}).open(newApp(t, nil, nil).url + "/")
		b.eventually(shown + ` && document.getAnimations().length === 0`)
		got := eval[[]int](b, box)
		require.Equal(t, []int{20, 20}, got[1:3])
		require.Equal(t, 384, got[3])
	})
	t.Run("right to left", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, look{language: "he"}).open(newApp(t, &middleware.Options{Texts: hebrew}, nil).url + "/?rtl")
		b.eventually(shown)
		require.Equal(t, 20, eval[[]int](b, box)[0])
		require.Equal(t, "rtl", eval[string](b, `getComputedStyle(`+inPrompt+`.querySelector(".card")).direction`))
		b.quiet()
	})
	t.Run("narrow", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, look{width: 320, height: 568}).open(newApp(t, nil, nil).url + "/")
		b.eventually(inViewport)
		require.Equal(t, 296, eval[[]int](b, box)[3])
	})
	t.Run("tiny, as when zoomed to 400 %", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, look{width: 320, height: 200}).open(newApp(t, nil, nil).url + "/?lang=fr")
		b.eventually(inViewport)
	})
	t.Run("banner", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, look{}).open(newApp(t, &middleware.Options{Position: middleware.PositionBanner}, nil).url + "/")
		b.eventually(shown + ` && document.getAnimations().length === 0`)
		require.Equal(t, []int{0, 0, 0, 1024}, eval[[]int](b, box))
	})
	t.Run("where the page wants it", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, look{}).open(newApp(t, nil, nil).url + "/?here")
		b.eventually(shown)
		require.Equal(t, "static", eval[string](b, `getComputedStyle(document.querySelector("main [data-askonce-here] > aside.askonce")).position`))
	})
	t.Run("printed", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, look{print: true}).open(newApp(t, nil, nil).url + "/")
		b.eventually(`!document.querySelector("aside.askonce").hidden && getComputedStyle(document.querySelector("aside.askonce")).display === "none"`)
	})
	t.Run("motion", func(t *testing.T) {
		t.Parallel()
		const animation = shown + ` && getComputedStyle(` + inPrompt + `.querySelector(".card")).animation`
		a := newApp(t, nil, always())
		newTab(t, look{}).open(a.url + "/").eventually(animation + `.includes("0.15s")`)
		newTab(t, look{noMotion: true}).open(a.url + "/").eventually(animation + `Name === "none"`)
	})
	t.Run("dark where the page is", func(t *testing.T) {
		t.Parallel()
		const background = shown + ` && getComputedStyle(` + inPrompt + `.querySelector(".card")).backgroundColor`
		a := newApp(t, nil, always())
		newTab(t, look{}).open(a.url + "/").eventually(background + ` === "rgb(255, 255, 255)"`)
		newTab(t, look{dark: true}).open(a.url + "/").eventually(background + ` === "rgb(36, 38, 42)"`)
		newTab(t, look{dark: true}).open(a.url + "/?light").eventually(background + ` === "rgb(255, 255, 255)"`) // whatever the system would like

		late := newTab(t, look{}).open(a.url + "/")
		late.eventually(background + ` === "rgb(255, 255, 255)"`)
		eval[any](late, `document.head.append(Object.assign(document.createElement("link"), {rel: "stylesheet", href: "data:text/css,body{background:%2314161a}"})), 0`)
		late.eventually(background + ` === "rgb(36, 38, 42)"`)
	})
}

func TestUnclosedElements(t *testing.T) {
	t.Parallel()
	long(t)
	for _, open := range []string{"hidden", "form"} {
		t.Run(open, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, look{}).open(newApp(t, nil, nil).url + "/?open=" + open)
			b.requirePrompts(1)
			b.eventually(inViewport)
			b.click(laterButton)
			b.eventuallyNone()
			b.answered("later")
			require.NotContains(t, eval[string](b, "location.href"), "/elsewhere")
			b.quiet()
		})
	}
}

func TestLeavesNoTrace(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	b := newTab(t, look{}).listen().open(a.url + "/")
	b.eventually(`heard.length === 3`)
	b.open(a.url + "/other")
	b.click(laterButton)
	b.eventuallyNone()
	require.Equal(t, 0, eval[int](b, "localStorage.length + sessionStorage.length"))
	require.Equal(t, "", eval[string](b, "document.cookie"), "nothing of ours is for scripts")
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.requests {
		require.True(t, strings.HasPrefix(r, a.url+"/"), r)
	}
}

func hebrew(_, _ string, t middleware.Texts) middleware.Texts {
	t.Language, t.Kind, t.Title, t.Text = "he", "ריאיון קולי", "יש לכם כמה דקות בשבילנו?", "נשמח לשמוע מכם, במילים שלכם, מה עובד טוב בשבילכם ומה פחות."
	t.Facts = []string{"כ־10 דקות", "דרוש מיקרופון"}
	t.Start, t.Later, t.Decline = "התחלת הריאיון", "אחר כך", "לא, תודה"
	return t
}
