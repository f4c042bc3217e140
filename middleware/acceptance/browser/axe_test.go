package browser

import (
	"strings"
	"testing"

	"github.com/askonce/askonce/middleware"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

func TestAxe(t *testing.T) {
	t.Parallel()
	long(t)
	axe := axeCore.need(t)
	for _, tt := range []struct {
		name string
		look look
		path string
		opts middleware.Options
	}{
		{"light", look{}, "/", middleware.Options{}},
		{"dark", look{dark: true}, "/", middleware.Options{}},
		{"right to left", look{language: "he"}, "/?rtl", middleware.Options{Texts: hebrew}},
		{"phone", look{width: 360, height: 640}, "/", middleware.Options{}},
		{"banner", look{}, "/", middleware.Options{Position: middleware.PositionBanner}},
		{"banner, dark", look{dark: true}, "/", middleware.Options{Position: middleware.PositionBanner}},
		{"in the page", look{}, "/?here", middleware.Options{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, tt.look).open(newApp(t, &tt.opts, nil).url + tt.path)
			b.requirePrompts(1)
			b.eventually(`document.getAnimations().length === 0`)
			b.run(chromedp.Evaluate(axe, nil))
			// With the best practices, and not only what WCAG demands.
			found := eval[struct {
				Violations []string
				Passes     int
				Contrast   bool
				Unsure     []string
			}](b, `axe.run().then((r) => ({
				Violations: r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html.slice(0, 120) + " " + n.failureSummary)),
				Passes: r.passes.length,
				Unsure: r.incomplete.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html.slice(0, 120) + " " + n.failureSummary)),
				Contrast: r.passes.some((p) => p.id === "color-contrast" && p.nodes.some((n) => n.html.includes("/askonce/start"))),
			}))`)
			require.Empty(t, strings.Join(found.Violations, "\n"))
			require.Greater(t, found.Passes, 15)
			t.Logf("%d rules, no violation", found.Passes)
			require.True(t, found.Contrast, "the link's contrast was looked at: %s", found.Unsure)
		})
	}
}
