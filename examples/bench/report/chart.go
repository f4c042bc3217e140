package report

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

const (
	barHeight = 16
	labelSide = 330
	barSide   = 420
	width     = labelSide + barSide + 70
)

// Chart draws the comparisons that are for it as bars on a logarithmic scale,
// as SVG. It follows the reader's light or dark theme.
func Chart(parts []Part) string {
	var b strings.Builder
	y := 24
	fmt.Fprintf(&b, `<text x="4" y="14">Time or processor time, 1 = the bare operation; logarithmic, shorter is better</text>`+"\n")
	for _, p := range parts {
		for _, g := range p.Groups {
			if g.Chart {
				y = g.draw(&b, p.Title, y)
			}
		}
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui,sans-serif" font-size="11" role="img" aria-label="ratios to the bare operation">
<style>text{fill:#1f2328}.head{font-weight:600}.bar{fill:#afb8c1}.ours{fill:#0969da}.one{stroke:#8c959f;stroke-dasharray:2}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.bar{fill:#6e7681}.ours{fill:#4493f8}}</style>
%s</svg>
`, width, y, b.String())
}

// draw draws one comparison from y on and returns where it ends.
func (g Group) draw(b *strings.Builder, title string, y int) int {
	longest := 2.0
	for _, r := range g.Rows {
		longest = max(longest, r.Ratio)
	}
	// A ratio of 1/4 is where the bars begin.
	x := func(ratio float64) float64 {
		return barSide * (math.Log(max(ratio, 0.26)) - math.Log(0.25)) / (math.Log(longest) - math.Log(0.25))
	}
	y += barHeight
	fmt.Fprintf(b, `<text class="head" x="4" y="%d">%s: %s</text>`+"\n", y-4, escape(title), escape(g.What))
	top := y
	for _, r := range g.Rows {
		class := "bar"
		if r.Ours {
			class = "bar ours"
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelSide-6, y+12, escape(r.Name))
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%.0f" height="%d" rx="2"/>`, class, labelSide, y+2, x(r.Ratio), barHeight-4)
		fmt.Fprintf(b, `<text x="%.0f" y="%d">%.2f</text>`+"\n", labelSide+x(r.Ratio)+4, y+12, r.Ratio)
		y += barHeight
	}
	fmt.Fprintf(b, `<line class="one" x1="%.0f" x2="%.0f" y1="%d" y2="%d"/>`+"\n", labelSide+x(1), labelSide+x(1), top, y)
	return y + barHeight/2
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}
