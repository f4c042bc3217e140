package browser

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/askonce/askonce/middleware"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var screenshots = flag.Bool("screenshots", false, "render the pictures in screenshots/ anew")

func TestScreenshots(t *testing.T) {
	t.Parallel()
	long(t)
	for _, tt := range []struct {
		file string
		look look
		path string
		opts middleware.Options
	}{
		{"light", look{width: 960, height: 540, noMotion: true}, "/report", middleware.Options{Sender: middleware.Sender{Name: "Ledger"}}},
		{"dark", look{width: 960, height: 540, noMotion: true, dark: true}, "/report", middleware.Options{Sender: middleware.Sender{Name: "Ledger"}}},
		{"phone", look{width: 375, height: 667, noMotion: true, touch: true, scale: 2}, "/report", middleware.Options{}},
		{"banner", look{width: 960, height: 540, noMotion: true}, "/report?lang=de", middleware.Options{Position: middleware.PositionBanner}},
		{"inline", look{width: 960, height: 540, noMotion: true}, "/report?here", middleware.Options{}},
		{"rtl", look{width: 960, height: 540, noMotion: true, language: "he"}, "/report?rtl", middleware.Options{Texts: hebrew}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, tt.look).open(newApp(t, &tt.opts, nil).url + tt.path)
			b.eventually(shown)
			b.picture(tt.file)
		})
	}
}

// picture renders what the tab shows.
func (b *tab) picture(file string) {
	b.t.Helper()
	var png []byte
	b.run(chromedp.CaptureScreenshot(&png))
	require.Greater(b.t, len(png), 5000)
	require.Less(b.t, len(png), 200_000, "small enough for a repository")
	if *screenshots {
		require.NoError(b.t, os.MkdirAll("screenshots", 0o755))
		require.NoError(b.t, os.WriteFile(filepath.Join("screenshots", file+".png"), png, 0o644))
	}
}
