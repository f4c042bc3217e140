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
// off, one declines.
func TestDemo(t *testing.T) {
	t.Parallel()
	if shared == nil {
		skip(t, "no chromium: set ASKONCE_TEST_CHROMIUM to its path")
	}
	url := startExample(t, "demo")
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
