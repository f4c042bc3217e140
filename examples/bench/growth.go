package main

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/askonce/askonce/examples/bench/report"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
)

// growth shows how the cost grows with the work.
func growth(ctx context.Context, e effort) (report.Part, error) {
	p := report.Part{Title: "Growth", Text: "How memory and time grow with page size, studies, and requests while the provider hangs."}
	for _, measure := range []func(context.Context, effort) (report.Table, []report.Panel, error){pageSizes, studies, hanging} {
		t, panels, err := measure(ctx, e)
		if err != nil {
			return p, err
		}
		p.Tables, p.Panels = append(p.Tables, t), append(p.Panels, panels...)
	}
	return p, nil
}

// pageSizes serves ever larger pages to a user who is asked.
func pageSizes(_ context.Context, e effort) (report.Table, []report.Panel, error) {
	t := report.Table{
		Title: "Page size, user is asked, 4 KB Writes",
		Head:  []string{"page", "first byte after", "of the handler's", "bytes allocated per request"},
		Text:  "The page is not collected: its first bytes leave as soon as 4 KB have come, and what one request allocates does not grow with the page.",
	}
	begins, ends, takes := report.Curve{Name: "first byte"}, report.Curve{Name: "whole page"}, report.Curve{Name: "request"}
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20, 16 << 20} {
		var first, whole []float64
		var allocated uint64
		h, err := wrap(writePieces(page(size), 4<<10), "ada")
		if err != nil {
			return t, nil, err
		}
		r := request()
		for range e.rounds {
			w := &firstByte{discard: discard{header: http.Header{}}}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			w.begun = time.Now()
			h.ServeHTTP(w, r)
			whole = append(whole, float64(time.Since(w.begun)))
			runtime.ReadMemStats(&after)
			first, allocated = append(first, float64(w.first)), after.TotalAlloc-before.TotalAlloc
		}
		t.Rows = append(t.Rows, []string{
			fmt.Sprintf("%d KB", size>>10), report.Round(time.Duration(median(first))).String(),
			report.Round(time.Duration(median(whole))).String(), strconv.FormatUint(allocated, 10),
		})
		begins.Points = append(begins.Points, report.Point{X: float64(size), Y: median(first)})
		ends.Points = append(ends.Points, report.Point{X: float64(size), Y: median(whole)})
		takes.Points = append(takes.Points, report.Point{X: float64(size), Y: float64(allocated)})
	}
	return t, []report.Panel{
		{Title: "First byte and whole page, by page size", Unit: report.Duration, Curves: []report.Curve{begins, ends}},
		{Title: "Allocated for one request, by page size", Unit: report.Bytes, Curves: []report.Curve{takes}},
	}, nil
}

type firstByte struct {
	discard
	begun time.Time
	first time.Duration
}

func (f *firstByte) Write(p []byte) (int, error) {
	if f.n == 0 {
		f.first = time.Since(f.begun)
	}
	return f.discard.Write(p)
}

// studies asks ever more gates in turn.
func studies(ctx context.Context, e effort) (report.Table, []report.Panel, error) {
	t := report.Table{
		Title: "Studies, gate.First, none asks",
		Head:  []string{"studies", "one decision", "per study"},
		Text:  "Each study is asked in turn until one wants the user; here none does. Few apps have more than three.",
	}
	decision := report.Curve{Name: "decision"}
	for _, n := range []int{1, 10, 100, 1000} {
		done := memstore.New()
		var gates []*gate.Gate
		for i := range n {
			s := openStudy
			s.ID = fmt.Sprintf("study-%d", i)
			g, err := gate.New(s, s.ID, done, &gate.Options{Holdout: 1})
			if err != nil {
				return t, nil, err
			}
			if err := g.Warm(ctx); err != nil {
				return t, nil, err
			}
			gates = append(gates, g)
		}
		d, v := gate.First(gates...), gate.Visitor{UserID: "ada"}
		g := compare(e, "", contender{run: func(times int) {
			for range times {
				d.Decide(ctx, v)
			}
		}})
		one := g.Rows[0].Time
		t.Rows = append(t.Rows, []string{strconv.Itoa(n), report.Round(one).String(), report.Round(one / time.Duration(n)).String()})
		decision.Points = append(decision.Points, report.Point{X: float64(n), Y: float64(one)})
	}
	return t, []report.Panel{{Title: "A decision, by studies", Unit: report.Duration, Curves: []report.Curve{decision}}}, nil
}

// hangs is a provider that takes the request and never answers.
type hangs struct{ asked atomic.Int64 }

func (h *hangs) FindStudy(ctx context.Context, _ string) (userjourneys.Study, error) {
	h.asked.Add(1)
	<-ctx.Done()
	return userjourneys.Study{}, ctx.Err()
}

// hanging decides for many users at once while nothing is known of the study.
func hanging(ctx context.Context, _ effort) (report.Table, []report.Panel, error) {
	t := report.Table{
		Title: "Requests at once, the provider hangs, nothing cached",
		Head:  []string{"requests at once", "requests to the provider", "median wait", "longest wait"},
		Text: "The deadline of a decision is 150 ms; beyond that nobody waits, however many there are. It is the worst case: with an answer of the last 15 minutes\n" +
			"nobody waits at all.",
	}
	longest := report.Curve{Name: "longest"}
	for _, n := range []int{1, 10, 100, 1_000, 10_000} {
		provider := &hangs{}
		g, err := gate.New(provider, "study", memstore.New(), nil)
		if err != nil {
			return t, nil, err
		}
		waits := make([]time.Duration, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				begun := time.Now()
				g.Decide(ctx, gate.Visitor{UserID: strconv.Itoa(i)})
				waits[i] = time.Since(begun)
			})
		}
		wg.Wait()
		slices.Sort(waits)
		t.Rows = append(t.Rows, []string{
			strconv.Itoa(n), strconv.FormatInt(provider.asked.Load(), 10), report.Round(waits[n/2]).String(), report.Round(waits[n-1]).String(),
		})
		longest.Points = append(longest.Points, report.Point{X: float64(n), Y: float64(waits[n-1])})
	}
	return t, []report.Panel{{Title: "Wait for a hanging provider, by requests at once", Unit: report.Duration, Curves: []report.Curve{longest}}}, nil
}
