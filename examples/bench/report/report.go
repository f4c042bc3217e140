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
	Spread float64       // of the ratio: half of what lies between its quartiles
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

// Document is the whole page, with its chart in chart.svg.
func Document(machine string, parts []Part) string {
	var b strings.Builder
	b.WriteString("# Measurements\n\n")
	b.WriteString("Written by `go run ./examples/bench`. Contenders take turns in short rounds. A ratio is the median over the rounds of the time taken to that of\n")
	b.WriteString("the first row in the same round, ± half of the distance between its quartiles. Read the ratios: the times are one shared machine's.\n\n")
	fmt.Fprintf(&b, "*Measured with %s.*\n\n![chart](chart.svg)\n", machine)
	for _, p := range parts {
		b.WriteString("\n" + p.Markdown())
	}
	return b.String()
}

// Markdown is the part as a section.
func (p Part) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n", p.Title, p.Text)
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
	for i, r := range g.Rows {
		name, ratio, allocs := r.Name, "1", "–"
		if i > 0 {
			ratio = fmt.Sprintf("%.2f ± %.2f", r.Ratio, r.Spread)
		}
		if r.Ours {
			name = "**" + name + "**"
		}
		if r.Allocs >= 0 {
			allocs = fmt.Sprintf("%.0f", r.Allocs)
		}
		t.Rows = append(t.Rows, []string{name, ratio, Round(r.Time).String(), allocs})
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
