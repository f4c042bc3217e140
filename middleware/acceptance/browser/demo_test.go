package browser

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var demoURL = regexp.MustCompile(`open (http://\S+) and log in`)

// startDemo builds the demo as a user would and returns where it serves.
func startDemo(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "demo")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir, build.Env = filepath.Join("..", "..", "..", "examples", "demo"), append(os.Environ(), "GOWORK=off")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	demo := exec.Command(binary, "-addr", "127.0.0.1:0")
	stdout, err := demo.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, demo.Start())
	t.Cleanup(func() {
		_ = demo.Process.Signal(os.Interrupt)
		_ = demo.Wait()
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if found := demoURL.FindStringSubmatch(lines.Text()); found != nil {
			go func() { // so that it never waits for a reader; ends with the demo
				for lines.Scan() {
				}
			}()
			return found[1]
		}
	}
	t.Fatal("the demo said no address")
	return ""
}

// The whole story, with real clicks: one user finishes the interview, one puts it
// off, one declines.
func TestDemo(t *testing.T) {
	t.Parallel()
	if shared == nil {
		skip(t, "no chromium: set ASKONCE_TEST_CHROMIUM to its path")
	}
	url := startDemo(t)
	b := newTab(t, look{})
	login := func(user string) {
		b.open(url + "/")
		b.click(`button[value="` + user + `"]`)
		b.eventually(`document.querySelector("h1").textContent === "Hello, ` + user + `" && document.readyState === "complete"`)
	}

	login("ada")
	b.requirePrompts(1)
	b.click(startLink)
	b.eventuallyNone()
	interview := b.otherTab()
	require.Contains(t, interview.URL, "reference_id=ada")
	ctx, cancel := chromedp.NewContext(shared, chromedp.WithTargetID(interview.TargetID))
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Run(ctx, chromedp.Click("button", chromedp.ByQuery)))
	b.open(url + "/underneath")
	b.eventually(`/200\s*accepted/.test(document.body.textContent)`)
	b.eventually(`[...document.querySelectorAll("section strong")].some((e) => e.textContent === "ada")`)
	b.open(url + "/")
	b.requirePrompts(0)

	for user, answer := range map[string]struct{ button, endpoint string }{"bob": {laterButton, "later"}, "cleo": {declineButton, "decline"}} {
		login(user)
		b.requirePrompts(1)
		b.click(answer.button)
		b.eventuallyNone()
		b.answered(answer.endpoint)
		b.open(url + "/")
		b.requirePrompts(0)
	}
	b.quiet()
}
