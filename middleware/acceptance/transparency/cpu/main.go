//go:build unix

// Command cpu measures what the middleware costs a server: the processor time
// of a server process per page, over that of the bare handler, over loopback, in
// turns. It prints four ratios of each kind of page, medians of those of the
// rounds, and what we want the third one to be at most:
//
//	not asked   the user gets no prompt
//	by hand     the handler itself writes a prompt into its page
//	prompt      the middleware places it
//	counted     and the showing is noted in a sealed cookie, as it is with the
//	            first page that shows it; by default that is one in a day
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
	{"one write", 4 << 10, 100, 1.20},
	{"one write", 64 << 10, 60, 1.15},
	{"one write", 1 << 20, 15, 1.08},
	{"64-byte writes", 64 << 10, 30, 0.95},
	{"64-byte writes", 1 << 20, 4, 0.75},
	{"FileServer", 1 << 20, 8, 1.15},
}

func (c measured) path() string {
	return "/" + strings.ReplaceAll(c.kind, " ", "-") + "/" + strconv.Itoa(c.size)
}

// variants are what is measured of each case, the bare handler first: the
// beginning of the path and a field of the request's header.
var variants = []variant{
	{"/bare", unknownField, false},
	{"/not-asked", unknownField, false},
	{"/by-hand", unknownField, true},
	{"/asked", "Sec-Purpose: prefetch", true}, // what is not looked at is not counted
	{"/asked", unknownField, true},
}

const unknownField = "X-Purpose__: prefetch" // as long, so that all requests cost the same to read

type variant struct {
	path, field string
	prompt      bool
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
	fmt.Fprintf(out, "%-14s %8s %12s   %9s %9s %9s %9s %9s\n", "handler", "page", "bare", "not asked", "by hand", "prompt", "counted", "target")
	for _, c := range cases {
		bare, ratios, err := compare(s, c, rounds)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-14s %5d KB %9.1f µs  ", c.kind, c.size>>10, median(bare)/1e3)
		for _, r := range ratios {
			if len(r) == 0 {
				fmt.Fprintf(out, " %9s", "-")
				continue
			}
			fmt.Fprintf(out, " %9.2f", median(r))
		}
		fmt.Fprintf(out, " %9.2f\n", c.target)
	}
	return nil
}

// compare returns what the bare handler costs in each round and, for each other
// variant, how many times as much that one does in the same round.
func compare(s *server, c measured, rounds int) (bare []float64, ratios [][]float64, err error) {
	ratios = make([][]float64, len(variants)-1)
	for round := range rounds + 1 {
		took := make([]float64, len(variants))
		for i := range variants {
			n := (i + round) % len(variants) // none always follows the same one
			v := variants[n]
			if v.path == "/by-hand" && byHand(c) == nil {
				continue
			}
			if took[n], err = s.turn(v, c); err != nil {
				return nil, nil, err
			}
		}
		if round == 0 {
			continue // it warms up
		}
		bare = append(bare, took[0])
		for n, t := range took[1:] {
			if t > 0 {
				ratios[n] = append(ratios[n], t/took[0])
			}
		}
	}
	return bare, ratios, nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
