// Package report turns measurements into a Markdown page and a chart.
package report

import (
	"fmt"
	"strings"
	"time"
)

// Part is one question and its answers.
type Part struct {
	Title  string
	Text   string // what is compared, and what it means
	Groups []Group
	Tables []Table // measurements that are no comparison
	Panels []Panel // how these grow

	Machine string // that all this was measured on
}

// Group is one comparison.
type Group struct {
	What  string
	Rows  []Row // the first is what the others are compared with
	Chart bool  // it is drawn, too
}

// Row is one contender's result.
type Row struct {
	Name   string
	Time   time.Duration // of one operation
	Ratio  float64       // to the group's first row
	Allocs float64       // negative: not measured
	Ours   bool
}

// Table is anything else.
type Table struct {
	Title string
	Head  []string
	Rows  [][]string
	Text  string // what it means
}

// Document is the whole page, with its chart in chart.svg and its curves in
// curves.svg.
func Document(parts []Part) string {
	var b strings.Builder
	b.WriteString("# Measurements\n\n")
	b.WriteString("Written by `go run ./examples/bench`. Contenders take turns in short rounds; a ratio is the median over the rounds of the time taken to that of\n")
	b.WriteString("the first row in the same round. Read the ratios: the times are one shared machine's.\n\n![chart](chart.svg)\n\n![curves](curves.svg)\n")
	for _, p := range parts {
		b.WriteString("\n" + p.Markdown())
	}
	return b.String()
}

// Markdown is the part as a section.
func (p Part) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n", p.Title, p.Text)
	if p.Machine != "" {
		fmt.Fprintf(&b, "\n*Measured with %s.*\n", p.Machine)
	}
	for _, g := range p.Groups {
		b.WriteString("\n" + g.markdown())
	}
	for _, t := range p.Tables {
		b.WriteString("\n" + t.markdown())
	}
	return b.String()
}

func (g Group) markdown() string {
	t := Table{Head: []string{g.What, "ratio", "time", "allocations"}}
	for _, r := range g.Rows {
		name, allocs := r.Name, "–"
		if r.Ours {
			name = "**" + name + "**"
		}
		if r.Allocs >= 0 {
			allocs = fmt.Sprintf("%.0f", r.Allocs)
		}
		t.Rows = append(t.Rows, []string{name, fmt.Sprintf("%.2f", r.Ratio), Round(r.Time).String(), allocs})
	}
	return t.markdown()
}

func (t Table) markdown() string {
	var b strings.Builder
	if t.Title != "" {
		fmt.Fprintf(&b, "### %s\n\n", t.Title)
	}
	fmt.Fprintf(&b, "| %s |\n|---|%s\n", strings.Join(t.Head, " | "), strings.Repeat("--:|", len(t.Head)-1))
	for _, r := range t.Rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(r, " | "))
	}
	if t.Text != "" {
		fmt.Fprintf(&b, "\n%s\n", t.Text)
	}
	return b.String()
}

// Round keeps three digits.
func Round(d time.Duration) time.Duration {
	unit := time.Nanosecond
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}
