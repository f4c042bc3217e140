// Command bench measures askonce beside the bare operation and beside the
// libraries that people would use instead, all in one run, and writes a table
// and a chart.
//
//	go run ./examples/bench                             # everything, about three minutes
//	go run ./examples/bench -only gate                  # one part
//	go run ./examples/bench -only completions -large    # up to 10 million in every store, about twenty minutes
//
// The measurements are kept in results.json, so that the page is always of all
// parts, each as it was measured last.
//
// Contenders take turns in short rounds, and what is printed is the median over
// the rounds of the ratio to the first of them in the same round: what else the
// machine does meanwhile hits all of them alike. Read the ratios, not the
// nanoseconds.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"maps"
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
	{"injection", injection},
	{"server", server},
	{"verification", verification},
	{"gate", decisions},
	{"stores", stores},
	{"completions", completions},
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
	out := flag.String("out", "examples/bench", "`folder` for results.json, RESULTS.md and the charts; empty: print only")
	only := flag.String("only", "", "comma-separated `parts` to measure: "+names()+"; the others stay as they were")
	quick := flag.Bool("quick", false, "few rounds and small sizes: shows that it works, not how fast it is; nothing is written")
	large := flag.Bool("large", false, "grow to 10 million completions as well: needs about 10 GB of memory and of disk")
	flag.Parse()
	e := effort{rounds: 15, large: *large}
	if *quick {
		e.rounds = 3
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // or tables would stay in the databases
	err := run(ctx, e, *only)
	stop()
	if err != nil {
		log.Fatalln("bench:", err)
	}
	if *out == "" || *quick {
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

var measured = map[string]report.Part{} // by name

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
		part.Machine = machine()
		fmt.Println(part.Markdown())
		measured[p.name] = part
	}
	return nil
}

// write adds what was measured to what is kept from earlier runs, and writes
// the page and its charts from all of it.
func write(dir string) error {
	file := filepath.Join(dir, "results.json")
	kept := map[string]report.Part{}
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &kept)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	maps.Copy(kept, measured)
	if b, err = json.MarshalIndent(kept, "", "\t"); err != nil {
		return err
	}
	var all []report.Part
	for _, p := range parts {
		if part, ok := kept[p.name]; ok {
			all = append(all, part)
		}
	}
	for name, content := range map[string]string{
		"results.json": string(b) + "\n", "RESULTS.md": report.Document(all), "chart.svg": report.Chart(all), "curves.svg": report.Curves(all),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}
