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

// compare lets the contenders take turns. The first is what the others are
// compared with.
func compare(e effort, what string, contenders ...contender) report.Group {
	times := make([][]float64, len(contenders)) // ns per operation, by round
	counts := make([]int, len(contenders))
	allocs := make([]float64, len(contenders))
	for i, c := range contenders {
		counts[i] = calibrate(c.run)
		allocs[i] = allocations(c.run, min(counts[i], 200))
	}
	for range e.rounds {
		for i, c := range contenders {
			begun := time.Now()
			c.run(counts[i])
			times[i] = append(times[i], float64(time.Since(begun))/float64(counts[i]))
		}
	}
	g := report.Group{What: what}
	for i, c := range contenders {
		ratios := make([]float64, e.rounds)
		for r := range ratios {
			ratios[r] = times[i][r] / times[0][r]
		}
		g.Rows = append(g.Rows, report.Row{Name: c.name, Time: time.Duration(median(times[i])), Ratio: median(ratios), Allocs: allocs[i], Ours: c.ours})
	}
	return g
}

// calibrate finds how often run has to repeat to fill a round.
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

// machine says what the figures were measured on.
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
