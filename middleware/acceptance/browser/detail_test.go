package browser

import (
	"fmt"
	"testing"

	"github.com/askonce/askonce/middleware"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// A bar, and a page around a prompt of its own, keep their height when the user
// declines: nothing jumps under the pointer.
func TestGoodbyeKeepsThePlace(t *testing.T) {
	t.Parallel()
	long(t)
	const height = `document.querySelector("aside.askonce").getBoundingClientRect().height`
	for name, where := range map[string]struct {
		position middleware.Position
		path     string
	}{"banner": {middleware.PositionBanner, "/report"}, "in the page": {middleware.PositionBottomEnd, "/report?here"}} {
		for _, width := range []int64{375, 768, 1280} {
			t.Run(fmt.Sprintf("%s at %d", name, width), func(t *testing.T) {
				t.Parallel()
				b := newTab(t, look{width: width, noMotion: true}).open(newApp(t, &middleware.Options{Position: where.position}, nil).url + where.path)
				b.eventually(shown)
				before := eval[float64](b, height)
				b.click(declineButton)
				b.eventually(inPrompt + `.querySelector(".bye").getClientRects().length === 1`)
				require.Equal(t, 0, eval[int](b, inPrompt+`.querySelector(".card").getClientRects().length`))
				require.InDelta(t, before, eval[float64](b, height), 1)
			})
		}
	}
}

// On a phone a bar has one row of words and one of buttons.
func TestNarrowBanner(t *testing.T) {
	t.Parallel()
	long(t)
	b := newTab(t, look{width: 600, height: 667}).open(newApp(t, &middleware.Options{Position: middleware.PositionBanner}, nil).url + "/report")
	b.eventually(shown)
	require.Equal(t, 2, eval[int](b, `new Set([...`+inPrompt+`.querySelectorAll("h2,p,li,.from span,.acts a,.acts button")].filter((e) => e.getClientRects().length && !e.closest(".sr")).map((e) => Math.round(e.getBoundingClientRect().top))).size`))
}

func TestButtonsFeelPressed(t *testing.T) {
	t.Parallel()
	b := newTab(t, look{noMotion: true}).open(newApp(t, nil, nil).url + "/report")
	b.eventually(shown)
	at := eval[[]float64](b, `(() => { const r = `+declineButton+`.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()`)
	b.run(chromedp.MouseEvent(input.MouseMoved, at[0], at[1]), chromedp.MouseEvent(input.MousePressed, at[0], at[1], chromedp.ButtonLeft))
	b.eventually(`getComputedStyle(` + declineButton + `).opacity === "0.7"`)

	// Headless Chromium has no mouse to hover with, so the rules are looked at: after a touch such a style would stay.
	const hovers = `[...` + inPrompt + `.styleSheets].flatMap((s) => [...s.cssRules]).flatMap((r) => [r, ...(r.cssRules ?? [])]).filter((r) => /:hover/.test(r.selectorText)).map((r) => r.parentRule?.conditionText ?? "")`
	require.Equal(t, []string{"(hover: hover)", "(hover: hover)"}, eval[[]string](b, hovers))
}

func TestCloseIsInItsCorner(t *testing.T) {
	t.Parallel()
	long(t)
	for name, l := range map[string]look{"desktop": {}, "tablet": {width: 768, height: 1024, touch: true}, "phone": {width: 390, height: 844, touch: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l.noMotion = true
			b := newTab(t, l).open(newApp(t, nil, nil).url + "/report")
			b.eventually(shown)
			got := eval[[]float64](b, `(() => { const of = (s) => `+inPrompt+`.querySelector(s).getBoundingClientRect(), x = of(".x path"), acts = of(".acts"), mark = of(".mark");
				return [acts.right - (x.right + 0.75), (x.top + x.bottom) / 2 - (mark.top + mark.bottom) / 2] })()`)
			require.InDeltaSlice(t, []float64{0, 0}, got, 1.5, "the edge of its line is that of the buttons, its middle that of the sign")
		})
	}
}

func TestFontSmoothingIsThePages(t *testing.T) {
	t.Parallel()
	b := newTab(t, look{}).open(newApp(t, nil, nil).url + "/report")
	b.eventually(shown)
	b.run(chromedp.Evaluate(`document.documentElement.style.webkitFontSmoothing = "antialiased"`, nil))
	require.Equal(t, "antialiased", eval[string](b, `getComputedStyle(`+inPrompt+`.querySelector("h2")).webkitFontSmoothing`))
}
