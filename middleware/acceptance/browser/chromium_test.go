package browser

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// skip skips the test because something is missing on this machine; in CI
// nothing may be.
func skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// long ends a test that a short run does without.
func long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: it takes long; go test ./browser without -short runs it")
	}
}

// Tests share two browsers, and each has a profile of its own in one of them. The shell
// is a Chromium without a user interface, so that a tab takes a quarter of the processor
// time. The whole one has what the shell has not: a back-forward cache.
var (
	shell = sync.OnceValues(func() (context.Context, error) {
		return startChromium(debianShell, "chrome-headless-shell", "chromium", "chromium-browser", "google-chrome")
	})
	whole = sync.OnceValues(func() (context.Context, error) {
		return startChromium("chromium", "chromium-browser", "google-chrome")
	})
	stops = make(chan func(), 2) // one for each
)

// debianShell is not on the PATH: a script is there, and if that were killed, the shell
// would run on.
const debianShell = "/usr/lib/chromium/chromium-headless-shell"

var errNoChromium = errors.New("no chromium: set ASKONCE_TEST_CHROMIUM to the path of a whole one")

func startChromium(names ...string) (context.Context, error) {
	path := os.Getenv("ASKONCE_TEST_CHROMIUM")
	for _, name := range names {
		if path == "" {
			path, _ = exec.LookPath(name)
		}
	}
	if path == "" {
		return nil, errNoChromium
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", "en-US"))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	stops <- func() {
		cancel()
		stop()
	}
	if err := chromedp.Run(ctx); err != nil {
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return ctx, nil
}

// needChromium returns the browser for a tab that is looked at in this way.
func needChromium(t testing.TB, l look) context.Context {
	t.Helper()
	start := shell
	if l.whole {
		start = whole
	}
	browser, err := start()
	if errors.Is(err, errNoChromium) {
		skip(t, "%v", err)
	}
	require.NoError(t, err)
	return browser
}

func TestMain(m *testing.M) {
	// Four at a time, whatever GOMAXPROCS is: a test mostly waits for its browser. The
	// -parallel flag overrides it.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err) // testing has no -parallel flag
	}
	flag.Parse()
	code := m.Run()
	for range len(stops) {
		(<-stops)()
	}
	for _, f := range idle.all {
		f.stop()
	}
	os.Exit(code)
}

// tab is one tab, with what went wrong and what was requested in it.
type tab struct {
	t       testing.TB
	ctx     context.Context
	browser context.Context
	profile cdp.BrowserContextID
	look    look

	mu       sync.Mutex
	problems []string // errors and warnings of the console, uncaught exceptions, violations
	requests []string
}

// look is how a page is looked at.
type look struct {
	width, height int64 // 1024 by 768 unless set
	dark, noJS    bool
	noMotion      bool
	language      string
	print         bool
	noCSS         bool
	touch         bool
	forcedColours bool
	scale         float64
	whole         bool          // with a back-forward cache
	patience      time.Duration // with the whole test
}

func (l look) viewport(width, height int64) chromedp.Action {
	options := []chromedp.EmulateViewportOption{chromedp.EmulateScale(cmp.Or(l.scale, 1))}
	if l.touch {
		options = append(options, chromedp.EmulateTouch)
	}
	return chromedp.EmulateViewport(width, height, options...)
}

// newTab opens a tab in a fresh profile.
func newTab(t testing.TB, l look) *tab {
	t.Helper()
	browser := needChromium(t, l)
	profile, err := target.CreateBrowserContext().Do(in(browser))
	require.NoError(t, err)
	t.Cleanup(func() { _ = target.DisposeBrowserContext(profile).Do(in(browser)) })
	return openTab(t, browser, profile, l)
}

// on returns the tab for a test within the one that opened it, which has its log.
func (b *tab) on(t testing.TB) *tab {
	return &tab{t: t, ctx: b.ctx, browser: b.browser, profile: b.profile, look: b.look}
}

// sibling opens another tab of the same profile.
func (b *tab) sibling() *tab {
	b.t.Helper()
	return openTab(b.t, b.browser, b.profile, look{})
}

// in returns the context for commands to a browser itself.
func in(browser context.Context) context.Context {
	return cdp.WithExecutor(browser, chromedp.FromContext(browser).Browser)
}

func openTab(t testing.TB, browser context.Context, profile cdp.BrowserContextID, l look) *tab {
	t.Helper()
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(in(browser))
	require.NoError(t, err)
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithTargetID(id))
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, cmp.Or(l.patience, 3*patience))
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx, browser: browser, profile: profile, look: l}
	chromedp.ListenTarget(ctx, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level != log.LevelInfo && e.Entry.Level != log.LevelVerbose && !strings.Contains(e.Entry.URL, "favicon") {
				b.problems = append(b.problems, string(e.Entry.Source)+": "+e.Entry.Text)
			}
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
				b.problems = append(b.problems, fmt.Sprintf("console: %s", e.Args[0].Value))
			}
		case *runtime.EventExceptionThrown:
			b.problems = append(b.problems, "exception: "+e.ExceptionDetails.Error())
		case *network.EventRequestWillBeSent:
			b.requests = append(b.requests, e.Request.URL)
		}
	})
	scheme, motion, media := "light", "no-preference", ""
	if l.dark {
		scheme = "dark"
	}
	if l.noMotion {
		motion = "reduce"
	}
	if l.print {
		media = "print"
	}
	forced := "none"
	if l.forcedColours {
		forced = "active"
	}
	b.run(
		log.Enable(), network.Enable(), runtime.Enable(),
		l.viewport(cmp.Or(l.width, 1024), cmp.Or(l.height, 768)),
		emulation.SetEmulatedMedia().WithMedia(media).WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion}, {Name: "forced-colors", Value: forced},
		}),
		emulation.SetScriptExecutionDisabled(l.noJS),
		network.SetExtraHTTPHeaders(network.Headers{"Accept-Language": cmp.Or(l.language, "en")}),
	)
	if l.noCSS {
		b.run(network.SetBlockedURLs([]string{"*.css"}))
	}
	return b
}

func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Run(b.ctx, actions...))
}

// open goes to a page and waits until it has been loaded.
func (b *tab) open(url string) *tab {
	b.t.Helper()
	b.run(chromedp.Navigate(url))
	return b
}

// eval evaluates an expression in the page, after it has settled if it is a promise.
func eval[T any](b *tab, expression string) (v T) {
	b.t.Helper()
	b.run(chromedp.Evaluate(expression, &v, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	return v
}

// patience is how long a test waits for what must happen: on a machine that has
// other things to do, too.
const patience = time.Minute

// pause is how long it waits before it looks again: to look takes the processor from the
// other tests.
const pause = 100 * time.Millisecond

// eventually waits until an expression is true.
func (b *tab) eventually(expression string) {
	b.t.Helper()
	b.until(expression, func() bool {
		var ok bool // and an error while a page gives way to the next
		return chromedp.Run(b.ctx, chromedp.Evaluate(expression, &ok)) == nil && ok
	})
}

func (b *tab) until(what string, happened func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !happened(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.t.Fatalf("not within %v: %s; the console says %q", patience, what, b.problems)
		}
	}
}

// answered is whether the app has taken the answer that a script has sent.
func answered(endpoint string) string {
	return `performance.getEntriesByType("resource").some((e) => e.name.includes("/askonce/` + endpoint + `") && e.responseStatus === 204)`
}

func (b *tab) answered(endpoint string) { b.t.Helper(); b.eventually(answered(endpoint)) }

// prompts counts those that still ask: one that has been declined says goodbye.
const prompts = `[...document.querySelectorAll("aside.askonce")].filter((a) => !a.shadowRoot?.querySelector(".card").matches(".off,.out")).length`

// shown is whether the prompt is on the screen.
const shown = `(() => { const a = document.querySelector("aside.askonce"); return !!a && !a.hidden && !("waits" in a.dataset) })()`

func (b *tab) requirePrompts(n int) {
	b.t.Helper()
	require.Equal(b.t, n, eval[int](b, prompts))
}

// eventuallyNone waits until the prompt is gone.
func (b *tab) eventuallyNone() { b.t.Helper(); b.eventually(prompts + " === 0") }

// click clicks with the mouse: on the first element of a selector, or on one that
// an expression gives.
func (b *tab) click(what string) {
	b.t.Helper()
	by := chromedp.ByQuery
	if strings.HasPrefix(what, inPrompt[:8]) {
		by = chromedp.ByJSPath
	}
	b.run(chromedp.Click(what, by, chromedp.NodeVisible))
}

const (
	inPrompt      = `document.querySelector("aside.askonce").shadowRoot`
	startLink     = inPrompt + `.querySelector("a")`
	laterButton   = inPrompt + `.querySelector(".x button")`
	declineButton = inPrompt + `.querySelector(".acts button")`
	undoButton    = inPrompt + `.querySelectorAll(".bye button")[0]`
	neverButton   = inPrompt + `.querySelectorAll(".bye button")[1]`
	againButton   = inPrompt + `.querySelectorAll(".bye button")[2]`
	said          = inPrompt + `.querySelector(".card:not(.off)").textContent`
)

// quiet requires that nothing went wrong in the console.
func (b *tab) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(b.t, b.problems)
}

// eventuallyProblem waits until the console has said something.
func (b *tab) eventuallyProblem(text string) {
	b.t.Helper()
	b.until(text, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return strings.Contains(strings.Join(b.problems, "\n"), text)
	})
}
