package browser

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/askonce/askonce/middleware"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

const axeVersion = "4.11.0"

// axeSource installs axe-core outside of the tree, once for all runs on a machine.
var axeSource = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "askonce-test", "axe-core-"+axeVersion)
	file := filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
	if _, err := os.Stat(file); err != nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
		install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, "axe-core@"+axeVersion)
		install.Dir, install.Stderr = dir, os.Stderr
		if err := install.Run(); err != nil {
			return "", err
		}
	}
	source, err := os.ReadFile(file)
	return string(source), err
})

func TestAxe(t *testing.T) {
	t.Parallel()
	axe, err := axeSource()
	if err != nil {
		skip(t, "no axe-core %s: npm with its registry, or the file in the user's cache, is missing: %v", axeVersion, err)
	}
	for _, tt := range []struct {
		name string
		look look
		path string
		opts middleware.Options
	}{
		{"light", look{}, "/", middleware.Options{}},
		{"dark", look{dark: true}, "/", middleware.Options{}},
		{"right to left", look{language: "ar"}, "/?rtl", middleware.Options{Texts: arabic}},
		{"without CSS", look{noCSS: true}, "/", middleware.Options{}},
		{"phone", look{width: 360, height: 640}, "/", middleware.Options{}},
		{"banner", look{}, "/", middleware.Options{Position: middleware.Banner}},
		{"banner, dark", look{dark: true}, "/", middleware.Options{Position: middleware.Banner}},
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
			if tt.look.language == "ar" {
				return // axe takes joined letters for the ligatures of an icon font and measures no contrast; the colours are those of "light"
			}
			require.True(t, found.Contrast, "the link's contrast was looked at: %s", found.Unsure)
		})
	}
}
