package report_test

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/examples/bench/report"
)

var parts = []report.Part{{
	Title: "Verification", Text: "Who is <fast>?", Machine: "a machine",
	Groups: []report.Group{{What: "not drawn"}, {What: "700 B & more", Chart: true, Rows: []report.Row{
		{Name: "crypto/hmac", Time: 1234567 * time.Nanosecond, Ratio: 1, Allocs: 6},
		{Name: "askonce", Time: 617 * time.Nanosecond, Ratio: 0.5, Allocs: 0, Ours: true},
		{Name: "nobody", Time: 3 * time.Second, Ratio: 1234, Allocs: -1},
	}}},
	Tables: []report.Table{{Title: "Sizes", Head: []string{"n", "bytes"}, Rows: [][]string{{"1", "2"}}, Text: "It grows."}},
}}

func TestDocument(t *testing.T) {
	t.Parallel()
	text := report.Document(parts)
	for _, want := range []string{
		"## Verification\n\nWho is <fast>?\n\n*Measured with a machine.*\n", "| 700 B & more | ratio | time | allocations |\n|---|--:|--:|--:|\n",
		"| crypto/hmac | 1.00 | 1.23ms | 6 |\n", "| **askonce** | 0.50 | 617ns | 0 |\n", "| nobody | 1234.00 | 3s | – |\n",
		"### Sizes\n\n| n | bytes |\n|---|--:|\n| 1 | 2 |\n\nIt grows.\n",
	} {
		require.Contains(t, text, want)
	}
}

func TestCurves(t *testing.T) {
	t.Parallel()
	svg := report.Curves([]report.Part{{Panels: []report.Panel{
		{Title: "Time & size", Unit: report.Duration, Curves: []report.Curve{
			{Name: "flat", Points: []report.Point{{X: 1_000, Y: 60_000}, {X: 10_000_000, Y: 60_000}}},
			{Name: "grows", Points: []report.Point{{X: 1_000, Y: 1_000}, {X: 10_000_000, Y: 10_000_000}}},
		}},
		{Title: "Nothing was measured", Unit: report.Bytes},
	}}})
	requireXML(t, svg)
	require.Contains(t, svg, "Time &amp; size")
	require.Contains(t, svg, `points="52.0,118.9 322.0,118.9"`, "one that does not grow is level, from edge to edge")
	require.Contains(t, svg, `points="52.0,190.0 322.0,30.0"`, "one that grows in proportion is straight")
	for _, want := range []string{">1k<", ">10M<", ">1µs<", ">10ms<", ">flat 60µs<"} {
		require.Contains(t, svg, want)
	}
}

func TestChartIsXML(t *testing.T) {
	t.Parallel()
	chart := report.Chart(parts)
	require.Equal(t, 1, strings.Count(chart, `class="bar ours"`))
	require.Contains(t, chart, "700 B &amp; more")
	require.NotContains(t, chart, "not drawn")
	requireXML(t, chart)
}

func requireXML(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		_, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
	}
}
