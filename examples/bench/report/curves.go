package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Panel shows how something grows with something else, on logarithmic scales.
type Panel struct {
	Title  string
	Unit   Unit // of what grows
	Curves []Curve
}

// Curve is one line of a panel.
type Curve struct {
	Name   string
	Points []Point // from left to right
}

// Point is one measurement; neither may be zero.
type Point struct{ X, Y float64 }

// Unit says how a value is written.
type Unit string

const (
	Duration Unit = "ns"
	Bytes    Unit = "B"
)

const (
	panelWidth  = 430
	panelHeight = 230
	plotLeft    = 52
	plotWidth   = 270
	plotTop     = 30
	plotHeight  = 160
)

// Curves draws all panels of the parts, two in a row, as SVG. It follows the
// reader's light or dark theme.
func Curves(parts []Part) string {
	var b strings.Builder
	n := 0
	for _, p := range parts {
		for _, panel := range p.Panels {
			fmt.Fprintf(&b, `<g transform="translate(%d %d)">`+"\n", n%2*panelWidth, n/2*panelHeight)
			panel.draw(&b)
			b.WriteString("</g>\n")
			n++
		}
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui,sans-serif" font-size="11" role="img" aria-label="how the cost grows">
<style>text{fill:#1f2328}.head{font-weight:600}.grid{stroke:#d1d9e0}.line{fill:none;stroke:currentColor;stroke-width:2}.name{fill:currentColor}.c0{color:#0969da}.c1{color:#bc4c00}.c2{color:#1a7f37}.c3{color:#8250df}.c4{color:#cf222e}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#3d444d}}</style>
%s</svg>
`, 2*panelWidth, (n+1)/2*panelHeight, b.String())
}

func (p Panel) draw(b *strings.Builder) {
	fmt.Fprintf(b, `<text class="head" x="4" y="16">%s</text>`+"\n", escape(p.Title))
	var xs, ys []float64
	for _, c := range p.Curves {
		for _, point := range c.Points {
			xs, ys = append(xs, point.X), append(ys, point.Y)
		}
	}
	if len(xs) == 0 {
		return
	}
	x, fromX, toX := scale(xs, plotLeft, plotWidth)
	y, fromY, toY := scale(ys, plotTop+plotHeight, -plotHeight)
	for e := fromX; e <= toX; e++ {
		at := x(math.Pow10(e))
		fmt.Fprintf(b, `<line class="grid" x1="%.0f" x2="%.0f" y1="%d" y2="%d"/>`, at, at, plotTop, plotTop+plotHeight)
		fmt.Fprintf(b, `<text x="%.0f" y="%d" text-anchor="middle">%s</text>`+"\n", at, plotTop+plotHeight+15, count(math.Pow10(e)))
	}
	for e := fromY; e <= toY; e++ {
		at := y(math.Pow10(e))
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.0f" y2="%.0f"/>`, plotLeft, plotLeft+plotWidth, at, at)
		fmt.Fprintf(b, `<text x="%d" y="%.0f" text-anchor="end">%s</text>`+"\n", plotLeft-5, at+4, p.Unit.write(math.Pow10(e)))
	}
	for i, c := range p.Curves {
		var line []string
		for _, point := range c.Points {
			line = append(line, fmt.Sprintf("%.1f,%.1f", x(point.X), y(point.Y)))
		}
		fmt.Fprintf(b, `<polyline class="line c%d" points="%s"/>`+"\n", i, strings.Join(line, " "))
	}
	for _, l := range p.labels(y) {
		fmt.Fprintf(b, `<text class="name c%d" x="%d" y="%.0f">%s</text>`+"\n", l.curve, plotLeft+plotWidth+5, l.at+4, escape(l.text))
	}
}

type label struct {
	text  string
	at    float64
	curve int
}

// labels name the curves at their ends, moved apart where these meet.
func (p Panel) labels(y func(float64) float64) (all []label) {
	for i, c := range p.Curves {
		last := c.Points[len(c.Points)-1]
		all = append(all, label{c.Name + " " + p.Unit.write(last.Y), y(last.Y), i})
	}
	slices.SortFunc(all, func(a, b label) int { return int(a.at - b.at) })
	for i := range all[1:] {
		all[i+1].at = max(all[i+1].at, all[i].at+12)
	}
	return all
}

// scale maps values to a logarithmic axis of whole powers of ten, and says
// which.
func scale(values []float64, from, length float64) (place func(float64) float64, least, greatest int) {
	least = int(math.Floor(math.Log10(slices.Min(values))))
	greatest = max(int(math.Ceil(math.Log10(slices.Max(values)))), least+1)
	return func(v float64) float64 {
		return from + length*(math.Log10(v)-float64(least))/float64(greatest-least)
	}, least, greatest
}

func (u Unit) write(v float64) string {
	if u == Duration {
		return Round(time.Duration(v)).String()
	}
	return count(v) + " " + string(u)
}

// count writes 10M, 1.2k and 450.
func count(v float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= unit.of {
			return strconv.FormatFloat(v/unit.of, 'g', 3, 64) + unit.name
		}
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
