package browser

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/askonce/askonce/middleware"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// inViewport is whether the prompt is wholly visible, and nothing scrolls sideways.
const inViewport = `(() => { const r = document.querySelector("aside.askonce").getBoundingClientRect();
	return r.width > 0 && r.left >= 0 && r.top >= 0 && r.right <= innerWidth && r.bottom <= innerHeight
		&& document.documentElement.scrollWidth <= innerWidth })()`

func TestPromptStaysAway(t *testing.T) {
	t.Parallel()
	for name, button := range map[string]string{"later": laterButton, "decline": declineButton} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, nil, always())
			b := newTab(t, look{}).open(a.url + "/")
			b.requirePrompts(1)
			require.True(t, eval[bool](b, inViewport))
			b.click(button)
			b.eventuallyNone()
			require.Equal(t, a.url+"/", eval[string](b, "location.href"), "the page was not left")
			// The answer may still be on its way when the next page is asked for.
			require.Eventually(t, func() bool { return eval[int](b.open(a.url+"/"), prompts) == 0 }, 10*time.Second, 50*time.Millisecond)
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
	require.Eventually(b.t, func() bool {
		infos, err := chromedp.Targets(b.ctx)
		require.NoError(b.t, err)
		for _, info := range infos {
			if info.Type == "page" && info.BrowserContextID == b.profile && strings.Contains(info.URL, "/i/") {
				found = info
			}
		}
		return found != nil
	}, 10*time.Second, 20*time.Millisecond, "no tab with the interview")
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
			b := newTab(t, look{}).open(a.url + "/?csp=" + url.QueryEscape(policy))
			require.Equal(t, "fixed", eval[string](b, `getComputedStyle(document.querySelector("aside.askonce")).position`), "the style is there")
			b.eventually(`document.querySelector("aside.askonce [role=status]").textContent !== ""`)
			b.click(laterButton)
			b.eventuallyNone()
			b.eventually(`performance.getEntriesByName(location.origin + "/askonce/later?study=" + "", "resource") && performance.getEntriesByType("resource").some((e) => e.name.includes("/askonce/later"))`)
			b.quiet()
		})
	}
}

func TestWithoutJavaScript(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	b := newTab(t, look{noJS: true}).open(a.url + "/deep/page?x=1")
	b.requirePrompts(1)
	require.True(t, eval[bool](b, inViewport))
	b.click(laterButton)
	b.eventuallyNone()
	require.Equal(t, a.url+"/deep/page?x=1", eval[string](b, "location.href"), "back on the page")
	b.open(a.url + "/")
	b.requirePrompts(0)
	b.quiet()
}

func TestWithoutJavaScriptTheLinkWorks(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, nil)
	b := newTab(t, look{noJS: true, noCSS: true}).open(a.url + "/")
	b.run(chromedp.ScrollIntoView(startLink, chromedp.ByQuery))
	b.click(startLink)
	require.Contains(t, b.otherTab().URL, "reference_id=ada")
}

func TestKeyboard(t *testing.T) {
	t.Parallel()
	const active = `(document.activeElement.id || document.activeElement.textContent || document.activeElement.tagName).trim()`
	a := newApp(t, nil, always())
	b := newTab(t, look{}).open(a.url + "/")
	require.Equal(t, "BODY", eval[string](b, `document.activeElement.tagName`), "focus is not taken")
	b.run(chromedp.KeyEvent(kb.Escape))
	b.requirePrompts(1)
	var order []string
	for range 5 {
		b.run(chromedp.KeyEvent(kb.Tab))
		order = append(order, eval[string](b, active))
	}
	require.Equal(t, []string{"first", "second", "Start the interview", "Later", "No thanks"}, order)
	require.NotEqual(t, "none", eval[string](b, `getComputedStyle(document.activeElement).outlineStyle`), "focus is to be seen")
	b.run(chromedp.KeyEvent(kb.Tab))
	require.False(t, eval[bool](b, `!!document.activeElement.closest("aside.askonce")`), "it is no trap")

	b.run(chromedp.Focus("#second", chromedp.ByQuery), chromedp.KeyEvent(kb.Escape))
	b.requirePrompts(1)
	b.run(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Escape))
	b.requirePrompts(0)
	require.Equal(t, "second", eval[string](b, active), "focus goes back to where it came from")

	b.open(a.url + "/")
	b.requirePrompts(1)
	b.run(chromedp.Focus(declineButton, chromedp.ByQuery), chromedp.KeyEvent(kb.Enter))
	b.eventuallyNone()
	require.Equal(t, "MAIN", eval[string](b, `document.activeElement.tagName`), "focus came from nowhere: the main part")
	b.run(chromedp.KeyEvent(kb.Tab))
	require.Equal(t, "first", eval[string](b, active))
	require.False(t, eval[bool](b, `document.querySelector("main").hasAttribute("tabindex")`), "the page is as it was")
	b.quiet()
}

func TestAnnouncedOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	b := newTab(t, look{}).open(a.url + "/")
	const status = `document.querySelector("aside.askonce [role=status]").textContent`
	b.eventually(status + ` === "Do you have a few minutes for us?"`)
	b.eventually(status + ` === ""`)
	require.True(t, eval[bool](b, swap))
	b.requirePrompts(1)
	require.Equal(t, "", eval[string](b, `new Promise((done) => setTimeout(() => done(`+status+`), 800))`))
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

func TestBackAgain(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	b := newTab(t, look{}).open(a.url + "/")
	require.True(t, eval[bool](b, `(() => { addEventListener("pageshow", (e) => (self.restored = e.persisted)); return true })()`))
	b.open(a.url + "/other")
	b.back()
	b.eventually(`document.readyState === "complete" && location.pathname === "/"`)
	require.Equal(t, 1, eval[int](b, `new Promise((done) => setTimeout(() => done(`+prompts+`), 500))`), "nothing has been answered")
	t.Logf("from the back-forward cache: %v", eval[bool](b, "self.restored === true"))

	b.open(a.url + "/other")
	b.click(declineButton)
	b.eventuallyNone()
	b.eventually(`performance.getEntriesByType("resource").some((e) => e.name.includes("/askonce/decline") && e.responseStatus === 204)`)
	b.back()
	b.eventually(`location.pathname === "/"`)
	b.eventuallyNone()
	b.quiet()
}

// back goes back; a page from the back-forward cache is not loaded again, so there is no load to wait for.
func (b *tab) back() {
	b.t.Helper()
	b.run(chromedp.Evaluate(`setTimeout(() => history.back())`, nil))
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	const box = `(() => { const r = document.querySelector("aside.askonce").getBoundingClientRect(); return [r.left, innerWidth - r.right, innerHeight - r.bottom, r.width].map(Math.round) })()`
	t.Run("corner", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, look{}).open(newApp(t, nil, nil).url + "/")
		b.eventually(`document.getAnimations().length === 0`)
		got := eval[[]int](b, box)
		require.Equal(t, []int{20, 20}, got[1:3])
		require.Equal(t, 368, got[3])
	})
	t.Run("right to left", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, look{language: "ar"}).open(newApp(t, &middleware.Options{Texts: arabic}, nil).url + "/?rtl")
		require.Equal(t, 20, eval[[]int](b, box)[0])
		require.Equal(t, "rtl", eval[string](b, `getComputedStyle(document.querySelector("aside.askonce")).direction`))
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
		b := newTab(t, look{width: 320, height: 200, language: "fr"}).open(newApp(t, nil, nil).url + "/")
		b.eventually(inViewport)
	})
	t.Run("banner", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, look{}).open(newApp(t, &middleware.Options{Position: middleware.Banner}, nil).url + "/")
		b.eventually(`document.getAnimations().length === 0`)
		require.Equal(t, []int{0, 0, 0, 1024}, eval[[]int](b, box))
	})
	t.Run("where the page wants it", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, look{}).open(newApp(t, nil, nil).url + "/?here")
		require.Equal(t, "static", eval[string](b, `getComputedStyle(document.querySelector("main [data-askonce-here] > aside.askonce")).position`))
	})
	t.Run("printed", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, look{print: true}).open(newApp(t, nil, nil).url + "/")
		require.Equal(t, "none", eval[string](b, `getComputedStyle(document.querySelector("aside.askonce")).display`))
	})
	t.Run("motion", func(t *testing.T) {
		t.Parallel()
		const animation = `getComputedStyle(document.querySelector("aside.askonce")).animationName`
		a := newApp(t, nil, always())
		require.Equal(t, "askonce", eval[string](newTab(t, look{}).open(a.url+"/"), animation))
		require.Equal(t, "none", eval[string](newTab(t, look{noMotion: true}).open(a.url+"/"), animation))
	})
	t.Run("dark where the page is", func(t *testing.T) {
		t.Parallel()
		const background = `getComputedStyle(document.querySelector("aside.askonce")).backgroundColor`
		a := newApp(t, nil, always())
		require.Equal(t, "rgb(255, 255, 255)", eval[string](newTab(t, look{}).open(a.url+"/"), background))
		require.Equal(t, "rgb(31, 34, 41)", eval[string](newTab(t, look{dark: true}).open(a.url+"/"), background))
		require.Equal(t, "rgb(255, 255, 255)", eval[string](newTab(t, look{dark: true}).open(a.url+"/?plain"), background), "a page that knows no dark is light")
	})
}

func TestUnclosedElements(t *testing.T) {
	t.Parallel()
	for _, open := range []string{"hidden", "form"} {
		t.Run(open, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, look{}).open(newApp(t, nil, nil).url + "/?open=" + open)
			b.requirePrompts(1)
			b.eventually(inViewport)
			b.click(laterButton0)
			b.eventuallyNone()
			b.eventually(`performance.getEntriesByType("resource").some((e) => e.name.includes("/askonce/later"))`)
			require.NotContains(t, eval[string](b, "location.href"), "/elsewhere")
			b.quiet()
		})
	}
}

// laterButton0 finds the button even if the page's open form has swallowed its own.
const laterButton0 = `aside.askonce button[formaction*="/later"]`

func TestLeavesNoTrace(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	b := newTab(t, look{}).open(a.url + "/")
	b.eventually(`document.querySelector("aside.askonce [role=status]").textContent !== ""`)
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

func arabic(_, _ string, t middleware.Texts) middleware.Texts {
	t.Language, t.Title, t.Text = "ar", "هل لديك بضع دقائق؟", "نود أن نسمع منك ما يعجبك وما لا يعجبك."
	t.Facts = []string{"مقابلة صوتية", "حوالي 10 دقائق", "تحتاج إلى ميكروفون", "تفتح في علامة تبويب جديدة"}
	t.Start, t.Later, t.Decline = "ابدأ المقابلة", "لاحقًا", "لا، شكرًا"
	return t
}
