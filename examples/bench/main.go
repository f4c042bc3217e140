// Command bench measures askonce beside the bare operation and beside the
// libraries that people would use instead, all in one run, and writes a page
// and a chart.
//
//	go run ./examples/bench               # everything, under four minutes
//	go run ./examples/bench -only gate    # one part, printed only
//
// Contenders take turns in short rounds, so that whatever else the machine does slows
// all of them alike. Each figure is the median, over the rounds, of the ratio to the
// first contender in the same round, with its spread. Read the ratios, not the
// nanoseconds.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/askonce/askonce/examples/bench/report"
)

// parts are what can be measured, in the order in which they are printed.
var parts = []struct {
	name string
	run  func(ctx context.Context, e effort) (report.Part, error)
}{
	{"requests", requests},
	{"server", server},
	{"gate", decisions},
	{"webhook", deliveries},
	{"stores", stores},
	{"console", consoles},
	{"sizes", sizes},
}

// effort is how thorough a run is.
type effort struct {
	rounds int
	quick  bool // small sizes only
}

func main() {
	if serveChild() {
		return
	}
	out := flag.String("out", "examples/bench", "`folder` for RESULTS.md and chart.svg")
	only := flag.String("only", "", "comma-separated `parts` to measure and print: "+names())
	quick := flag.Bool("quick", false, "few rounds and small sizes: shows that it works, not how fast it is")
	flag.Parse()
	e := effort{rounds: 15, quick: *quick}
	if *quick {
		e.rounds = 3
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // so that tables are dropped
	measured, err := run(ctx, e, *only)
	stop()
	if err == nil && *only == "" && !*quick {
		err = write(*out, measured)
	}
	if err != nil {
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

func run(ctx context.Context, e effort, only string) (measured []report.Part, err error) {
	chosen := strings.Split(only, ",")
	for _, p := range parts {
		if only != "" && !slices.Contains(chosen, p.name) {
			continue
		}
		part, err := p.run(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Println(part.Markdown())
		measured = append(measured, part)
	}
	return measured, nil
}

func write(dir string, measured []report.Part) error {
	for name, content := range map[string]string{
		"RESULTS.md": report.Document(machine(), measured), "chart.svg": report.Chart(measured),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}
