// Command bench measures askonce beside the bare operation and beside the
// libraries that people would use instead, all in one run, and writes a table
// and a chart.
//
//	go run ./examples/bench              # everything, about five minutes
//	go run ./examples/bench -only gate   # one part
//
// Contenders take turns in short rounds, and what is printed is the median over
// the rounds of the ratio to the first of them in the same round: what else the
// machine does meanwhile hits all of them alike. Read the ratios, not the
// nanoseconds.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/askonce/askonce/examples/bench/report"
)

// parts are what can be measured, in the order in which they are printed.
var parts = []struct {
	name string
	run  func(ctx context.Context, e effort) (report.Part, error)
}{
	{"injection", injection},
	{"server", server},
	{"verification", verification},
	{"gate", decisions},
	{"stores", stores},
	{"growth", growth},
}

// effort is how thorough a run is.
type effort struct {
	rounds int
	large  bool // the sizes that take minutes and gigabytes
}

func main() {
	if serveChild() {
		return
	}
	out := flag.String("out", "examples/bench", "`folder` for RESULTS.md and chart.svg; empty: print only")
	only := flag.String("only", "", "comma-separated `parts` to measure: "+names()+"; nothing is written")
	quick := flag.Bool("quick", false, "few rounds and small sizes: shows that it works, not how fast it is; nothing is written")
	large := flag.Bool("large", false, "grow to 10 million completions as well: needs about 4 GB of memory and ten minutes more")
	flag.Parse()
	e := effort{rounds: 15, large: *large}
	if *quick {
		e.rounds = 3
	}
	if err := run(context.Background(), e, *only); err != nil {
		log.Fatalln("bench:", err)
	}
	if *out == "" || *quick || *only != "" {
		return
	}
	if err := write(*out); err != nil {
		log.Fatalln("bench:", err)
	}
}

func names() string {
	var all []string
	for _, p := range parts {
		all = append(all, p.name)
	}
	return strings.Join(all, ", ")
}

var measured []report.Part

func run(ctx context.Context, e effort, only string) error {
	chosen := strings.Split(only, ",")
	for _, p := range parts {
		if only != "" && !slices.Contains(chosen, p.name) {
			continue
		}
		part, err := p.run(ctx, e)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Println(part.Markdown())
		measured = append(measured, part)
	}
	return nil
}

func write(dir string) error {
	text := report.Document(measured, machine())
	if err := os.WriteFile(filepath.Join(dir, "RESULTS.md"), []byte(text), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "chart.svg"), []byte(report.Chart(measured)), 0o644)
}
