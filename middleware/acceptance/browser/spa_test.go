package browser

import (
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The single-page app among the examples: the prompt stays from view to view, and every
// answer holds after a reload.
func TestSinglePageExample(t *testing.T) {
	t.Parallel()
	needChromium(t, look{}) // before it builds the example
	url := startExample(t, "spa", "-fake", "-db", filepath.Join(t.TempDir(), "spa.db"))
	const asked, title = `!!document.querySelector(".prompt .go")`, `document.querySelector("main h1")?.textContent`
	login := func(user string) *tab {
		b := newTab(t, look{}).hear().open(url + "/")
		b.eventually(`!!document.querySelector("form input")`)
		b.run(chromedp.SendKeys("form input", user, chromedp.ByQuery))
		b.click("form button")
		b.eventually(title + ` === "Hello, ` + user + `"`)
		return b
	}

	b := login("ada")
	b.eventually(asked)
	b.click(`a[href="/notes/2"]`)
	b.eventually(title + ` === "Ask users often"`)
	require.Equal(t, url+"/notes/2", eval[string](b, "location.href"))
	require.Equal(t, 1, eval[int](b, `document.querySelectorAll(".prompt").length`))
	b.eventually(`events.join().startsWith("shown ")`)
	b.back()
	b.eventually(title + ` === "Hello, ada"`)
	require.Equal(t, 1, eval[int](b, `document.querySelectorAll(".prompt").length`))
	b.open(url + "/notes/3")
	b.eventually(asked)

	const first, second, status = `.prompt .actions button`, `.prompt .actions button:nth-child(2)`, `document.querySelector(".prompt [role=status]")?.textContent`
	b.run(network.SetBlockedURLs([]string{"*/askonce/decline?*"}))
	b.click(first) // "No thanks"
	b.eventually(status + ` === "Your answer could not be saved."`)
	b.run(network.SetBlockedURLs([]string{}))
	b.click(first) // "Try again"
	b.eventually(status + ` === "Thanks, we won’t ask again."`)
	b.click(first) // "Undo"
	b.eventually(asked)
	require.Equal(t, "declined,declined,undone", eval[string](b, `events.map((e) => e.split(" ")[0]).filter((e) => e !== "shown").join()`))
	b.click(first)
	b.eventually(status + ` === "Thanks, we won’t ask again."`)
	b.click(second) // "Never ask me"
	b.eventually(`document.querySelectorAll(".prompt button").length === 0`)
	b.answered("optout")
	b.open(url + "/")
	b.eventually(title + ` === "Hello, ada"`)
	require.False(t, eval[bool](b, asked))

	b = login("bob")
	b.eventually(asked)
	b.click(".prompt .close")
	b.eventually(`!document.querySelector(".prompt")`)
	b.click(`a[href="/notes/1"]`)
	b.eventually(title + ` === "Ask users early"`)
	require.False(t, eval[bool](b, asked))
	b.quiet()
}
