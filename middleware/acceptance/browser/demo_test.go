package browser

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var greeting = regexp.MustCompile(`open (http://\S+) and log in`)

// startExample builds an example as a user would and returns where it serves.
func startExample(t *testing.T, name string, args ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir, build.Env = filepath.Join("..", "..", "..", "examples", name), append(os.Environ(), "GOWORK=off")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	example := exec.Command(binary, append(args, "-addr", "127.0.0.1:0")...)
	stdout, err := example.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, example.Start())
	t.Cleanup(func() {
		_ = example.Process.Signal(os.Interrupt)
		_ = example.Wait()
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if found := greeting.FindStringSubmatch(lines.Text()); found != nil {
			go func() { // so that it never waits for a reader; ends with the example
				for lines.Scan() {
				}
			}()
			return found[1]
		}
	}
	t.Fatal("the example said no address")
	return ""
}

// The whole story, with real clicks: one user finishes the interview, one puts it
// off, one declines, and nobody reloads a page.
func TestDemo(t *testing.T) {
	t.Parallel()
	b := newTab(t, look{width: 1280, height: 800, noMotion: true})
	url := startExample(t, "demo")
	b.open(url + "/")
	login := func(user, name string) {
		b.click(`.users button[value="` + user + `"]`)
		b.eventually(`document.querySelector("h1").textContent === "Hello, ` + name + `" && document.readyState === "complete"`)
		b.requirePrompts(1)
		b.run(chromedp.Evaluate(`self.notReloaded = true`, nil))
	}
	// says waits until the page says how the user stands, by itself.
	says := func(user, reason string) {
		b.eventually(`self.notReloaded && document.querySelector("#standing-` + user + ` code").textContent === "` + reason + `"`)
	}

	login("ada", "Ada")
	b.eventually(`/shown/.test(document.querySelector("#entries").textContent)`)
	b.click(startLink)
	b.eventuallyNone()
	says("ada", "opened")
	interview := b.otherTab()
	require.Contains(t, interview.URL, "reference_id=ada")
	ctx, cancel := chromedp.NewContext(b.browser, chromedp.WithTargetID(interview.TargetID))
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Run(ctx, chromedp.Click("button", chromedp.ByQuery)))
	says("ada", "completed") // although the interview's tab is in front
	b.run(page.BringToFront())
	b.eventually(`/200 accepted.*A friend told me/s.test([...document.querySelectorAll("#entries li")].reverse().map((e) => e.textContent).join())`)
	b.open(url + "/plants").requirePrompts(0)
	require.Equal(t, "completed", eval[string](b, `[...document.querySelectorAll("#entries li.page code")][0].textContent`), "the newest page view's decision")

	login("bob", "Bob")
	b.eventually(`/was asked/.test(document.querySelector("#standing-bob").textContent)`)
	b.picture("demo")
	b.click(laterButton)
	b.eventuallyNone()
	says("bob", "snoozed")
	login("cleo", "Cleo")
	b.click(declineButton)
	b.eventuallyNone()
	says("cleo", "declined")

	b.click(`button[formaction="/demo/forge"]`)
	b.eventually(`/401 bad_signature/.test(document.querySelector("#entries").textContent)`)
	b.click(`button[formaction="/demo/reset"]`)
	b.eventually(`document.querySelectorAll(".standing code.eligible").length === 3 && document.readyState === "complete"`)
	b.requirePrompts(1)
	b.quiet()
}

// Fernly and what stands beside it, in every look: axe minds nothing, and nothing
// is too wide.
func TestDemoLooks(t *testing.T) {
	t.Parallel()
	long(t)
	axe := axeCore.need(t)
	url := startExample(t, "demo")
	for name, l := range map[string]look{
		"light":  {width: 1280, height: 800},
		"dark":   {width: 1280, height: 800, dark: true},
		"phone":  {width: 360, height: 740},
		"tablet": {width: 768, height: 1024, dark: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, l)
			for _, path := range []string{"/", "/plants", "/visits"} {
				b.open(url + path)
				if path == "/" { // where nobody is signed in
					b.click(`.users button[value="ada"]`)
				}
				b.eventually(shown)
				b.eventually(`document.getAnimations().length === 0`)
				b.run(chromedp.Evaluate(axe, nil))
				require.Empty(t, eval[[]string](b, `axe.run().then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html.slice(0, 120) + " " + n.failureSummary)))`), path)
				require.LessOrEqual(t, eval[int](b, `document.documentElement.scrollWidth - innerWidth`), 0, path)
			}
			b.quiet()
		})
	}
}
