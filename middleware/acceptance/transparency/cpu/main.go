//go:build unix

// Command cpu measures what the middleware costs a server: the processor time of a
// server process per page, over loopback, in turns. It prints three ratios of each kind
// of page, medians of those of the rounds, and the target of the last one:
//
//	not asked   the user gets no prompt, over the bare handler
//	by hand     the handler itself writes a prompt into its page, over the bare handler
//	prompt      the middleware places the prompt, over the prompt by hand
//
// No library can do better than the handler by hand: 1.00 means that the middleware
// itself costs nothing.
//
// The server has one processor and the client another, where there are two and
// the system has taskset: a server whose threads wander costs twice as much in
// one run as in the next. With one connection, as by default, a good part of a
// page's cost is that the server is woken for it; with -conns 16 it always has
// something to do, a bare page costs less, and the same addition is a larger
// part of it.
//
// The command is its own server and needs nothing else:
//
//	go run ./middleware/acceptance/transparency/cpu
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

func main() {
	serve := flag.Bool("serve", false, "be the server (for the command itself)")
	rounds := flag.Int("rounds", 150, "how many turns each handler has")
	conns := flag.Int("conns", 1, "how many connections ask at once")
	flag.Parse()
	run := func() error { return measure(os.Stdout, *rounds, *conns) }
	if *serve {
		run = beServer
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type measured struct {
	kind     string
	size     int
	requests int // of one turn: a few milliseconds
	target   float64
}

var cases = []measured{
	{"one write", 4 << 10, 100, 1.05},
	{"one write", 64 << 10, 60, 1.05},
	{"one write", 1 << 20, 15, 1.05},
	{"64-byte writes", 64 << 10, 30, 1.00},
	{"64-byte writes", 1 << 20, 4, 1.00},
	{"FileServer", 1 << 20, 8, 1.05},
}

func (c measured) path() string {
	return "/" + strings.ReplaceAll(c.kind, " ", "-") + "/" + strconv.Itoa(c.size)
}

// variants are what is measured of each case.
var variants = []variant{
	bare:     {"/bare", false},
	notAsked: {"/not-asked", false},
	byHand:   {"/by-hand", true},
	asked:    {"/asked", true},
}

const (
	bare = iota
	notAsked
	byHand
	asked
)

type variant struct {
	path   string
	prompt bool
}

func measure(out io.Writer, rounds, conns int) error {
	s, err := startServer(conns)
	if err != nil {
		return err
	}
	defer s.stop()
	if !s.pinned {
		fmt.Fprintln(out, "server and client share the processors: the ratios will vary from run to run")
	}
	fmt.Fprintf(out, "%-14s %7s %13s %10s %8s %8s %8s\n", "handler", "page", "bare", "not asked", "by hand", "prompt", "target")
	for _, c := range cases {
		took, err := compare(s, c, rounds)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-14s %4d KB %10.1f µs %10.2f %8.2f %8.2f %8.2f\n", c.kind, c.size>>10, median(took[bare])/1e3,
			ratio(took[notAsked], took[bare]), ratio(took[byHand], took[bare]), ratio(took[asked], took[byHand]), c.target)
	}
	return nil
}

// compare returns what each variant costs in each round.
func compare(s *server, c measured, rounds int) (took [asked + 1][]float64, err error) {
	for round := range rounds + 1 {
		for i := range variants {
			n := (i + round) % len(variants) // none always follows the same one
			cost, err := s.turn(variants[n], c)
			if err != nil {
				return took, err
			}
			if round > 0 { // the first one warms up
				took[n] = append(took[n], cost)
			}
		}
	}
	return took, nil
}

// ratio is the median of the ratios of the rounds.
func ratio(a, b []float64) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return median(ratios)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
