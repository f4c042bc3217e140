package browser

import (
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What readers set for themselves, in every language and from the narrowest window on.
func TestReadersOwnSettings(t *testing.T) {
	t.Parallel()
	long(t)
	site := zooServer(t)
	for name, tt := range map[string]struct {
		look look
		want map[string]any
	}{
		"text spacing, as WCAG 1.4.12 has it": {look{noMotion: true}, map[string]any{
			"style": `*{line-height:1.5!important;letter-spacing:.12em!important;word-spacing:.16em!important}p{margin-bottom:2em!important}`,
		}},
		"a finger":       {look{noMotion: true, touch: true}, map[string]any{"target": 44}},
		"forced colours": {look{noMotion: true, forcedColours: true}, map[string]any{"edges": true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := tt.look
			l.patience = 10 * patience
			w := chromiumWindow{newTab(t, l)}
			for i, language := range zooLanguages {
				for s, size := range zooSizes {
					if s%2 != i%2 {
						continue // half of them are enough: no two languages are alike
					}
					w.resize(size.width, size.height)
					w.visit(site + "/0?" + url.Values{"font": {zooFonts[i%len(zooFonts)]}, "lang": {language}}.Encode())
					// A monospaced font with wider spacing needs a second line for the longest words there.
					want := map[string]any{"waits": false, "mayWrap": size.width < 320}
					maps.Copy(want, tt.want)
					var faults []string
					w.json(looksAt(want), &faults)
					require.Empty(t, strings.Join(faults, "\n"), "%s, %d by %d", language, size.width, size.height)
				}
			}
		})
	}
}
