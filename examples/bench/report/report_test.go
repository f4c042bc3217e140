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
	Title: "Verification", Text: "Who is <fast>?",
	Groups: []report.Group{{What: "not drawn"}, {What: "700 B & more", Chart: true, Rows: []report.Row{
		{Name: "crypto/hmac", Time: 1234567 * time.Nanosecond, Ratio: 1, Allocs: 6},
		{Name: "askonce", Time: 617 * time.Nanosecond, Ratio: 0.5, Spread: 0.02, Allocs: 0, Ours: true},
		{Name: "nobody", Time: 3 * time.Second, Ratio: 1234, Allocs: -1},
	}}},
	Tables: []report.Table{{Title: "Sizes", Head: []string{"n", "bytes"}, Rows: [][]string{{"1", "2"}}, Text: "It grows."}},
}}

func TestDocument(t *testing.T) {
	t.Parallel()
	text := report.Document("a machine", parts)
	for _, want := range []string{
		"*Measured with a machine.*\n", "## Verification\n\nWho is <fast>?\n\n", "| 700 B & more | ratio | time | allocations |\n|---|--:|--:|--:|\n",
		"| crypto/hmac | 1 | 1.23ms | 6 |\n", "| **askonce** | 0.50 ± 0.02 | 617ns | 0 |\n", "| nobody | 1234.00 ± 0.00 | 3s | – |\n",
		"### Sizes\n\n| n | bytes |\n|---|--:|\n| 1 | 2 |\n\nIt grows.\n",
	} {
		require.Contains(t, text, want)
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
