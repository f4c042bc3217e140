package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/askonce/askonce/examples/bench/report"
)

// contender is one way to do the same thing.
type contender struct {
	name string
	run  func(n int) // does it n times
	ours bool
}

const roundTime = 20 * time.Millisecond // of one contender in one round

// compare lets the contenders take turns, and compares the others with the first. The
// first round warms up and does not count.
func compare(e effort, what string, contenders ...contender) report.Group {
	times := make([][]float64, len(contenders)) // ns per operation, by round
	counts := make([]int, len(contenders))
	allocs := make([]float64, len(contenders))
	for i, c := range contenders {
		counts[i] = calibrate(c.run)
		allocs[i] = allocations(c.run, min(counts[i], 200))
	}
	for range e.rounds + 1 {
		for i, c := range contenders {
			begun := time.Now()
			c.run(counts[i])
			times[i] = append(times[i], float64(time.Since(begun))/float64(counts[i]))
		}
	}
	g := report.Group{What: what}
	for i, c := range contenders {
		r := row(times[i][1:], times[0][1:])
		r.Name, r.Ours, r.Allocs = c.name, c.ours, allocs[i]
		g.Rows = append(g.Rows, r)
	}
	return g
}

// row compares one contender's rounds with those of the first, which ran at the
// same times.
func row(times, first []float64) report.Row {
	ratios := make([]float64, len(times))
	for r := range ratios {
		ratios[r] = times[r] / first[r]
	}
	slices.Sort(ratios)
	return report.Row{
		Time: time.Duration(median(times)), Ratio: median(ratios),
		Spread: (ratios[len(ratios)*3/4] - ratios[len(ratios)/4]) / 2,
	}
}

// calibrate returns how many repetitions of run fill a round.
func calibrate(run func(int)) int {
	for n := 1; ; n *= 2 {
		begun := time.Now()
		run(n)
		if t := time.Since(begun); t > roundTime/2 {
			return max(1, int(float64(n)*float64(roundTime)/float64(t)))
		}
	}
}

func allocations(run func(int), n int) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run(n)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// machine describes where the figures were measured.
func machine() string {
	return fmt.Sprintf("%s, %d cores of %s, %s/%s", runtime.Version(), runtime.NumCPU(), processor(), runtime.GOOS, runtime.GOARCH)
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "an unknown processor"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "an unknown processor"
}
