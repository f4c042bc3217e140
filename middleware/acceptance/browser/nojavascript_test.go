package browser

import (
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

func TestWithoutJavaScript(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"", "no-referrer", "strict-origin"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, nil, always())
			page := a.url + "/deep/page?x=1&referrer=" + policy
			b := newTab(t, look{noJS: true}).open(page)
			b.requirePrompts(1)
			b.eventually(inViewport)
			b.until("shown", func() bool { return a.hasRecorded(store.InteractionShown) }) // by the image
			b.click(laterButton)
			b.eventually(`location.href === "` + page + `" && ` + prompts + ` === 0`)
			b.quiet()
		})
	}
}

// Without JavaScript, a page says goodbye, with the same two buttons.
func TestFarewellWithoutJavaScript(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	page := a.url + "/deep/page?x=1&referrer=no-referrer"
	b := newTab(t, look{noJS: true}).open(page)
	const undo, never, back = `form[action*="/undo"] button`, `form[action*="/optout"] button`, `a.go`
	b.click(declineButton)
	b.eventually(`document.querySelector("h1").textContent.includes("ask again")`)
	b.click(undo)
	b.eventually(`location.href === "` + page + `" && ` + prompts + ` === 1`)
	b.click(declineButton)
	b.click(never)
	b.eventually(`document.querySelector("h1").textContent.includes("ask you again")`)
	b.until("opted out", func() bool { return a.hasRecorded(store.InteractionOptedOut) })
	b.click(back)
	b.eventually(`location.href === "` + page + `" && ` + prompts + ` === 0`)
	b.quiet()
}

func TestWithoutJavaScriptTheLinkWorks(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, nil)
	b := newTab(t, look{noJS: true}).open(a.url + "/")
	b.click(startLink)
	require.Contains(t, b.otherTab().URL, "reference_id=ada")
}
