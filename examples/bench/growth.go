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
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// growth shows how the cost grows with the work.
func growth(ctx context.Context, e effort) (report.Part, error) {
	p := report.Part{Title: "Growth", Text: "How memory and time grow with completions, page size, studies, and requests while the provider hangs."}
	for _, measure := range []func(context.Context, effort) (report.Table, error){completions, pageSizes, studies, hanging} {
		t, err := measure(ctx, e)
		if err != nil {
			return p, err
		}
		p.Tables = append(p.Tables, t)
	}
	return p, nil
}

// completions fills the memory store.
func completions(ctx context.Context, e effort) (report.Table, error) {
	t := report.Table{
		Title: "Completions in the memory store",
		Head:  []string{"completions", "bytes each", "look-up, there", "look-up, not there", "garbage collection"},
		Text: "A completion is one interview, so a million is more than most studies ever see; the memory store is for tests and first tries all the same. What a\n" +
			"look-up costs grows with the processor's cache misses alone.",
	}
	sizes := []int{1_000, 10_000, 100_000}
	if e.rounds > 3 {
		sizes = append(sizes, 1_000_000)
	}
	if e.large {
		sizes = append(sizes, 10_000_000)
	}
	for _, n := range sizes {
		before := heap()
		s := store.NewMemory()
		for i := range n {
			// Until it is fetched, a transcript's job costs memory too.
			c := store.Completion{Key: userKey(i), InterviewID: fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i), CompletedAt: time.Unix(int64(i), 0)}
			if _, err := s.Record(ctx, c); err != nil {
				return t, err
			}
		}
		for {
			jobs, err := s.ClaimJobs(ctx, time.Now().Add(time.Hour), time.Minute, 10_000)
			if err != nil {
				return t, err
			}
			for _, j := range jobs {
				if err := s.FinishJob(ctx, j, store.Transcript{}); err != nil {
					return t, err
				}
			}
			if len(jobs) == 0 {
				break
			}
		}
		bytes := float64(heap()-before) / float64(n)
		begun := time.Now()
		runtime.GC()
		collected := time.Since(begun)
		t.Rows = append(t.Rows, []string{
			strconv.Itoa(n), fmt.Sprintf("%.0f", bytes), lookUp(ctx, s, n, 0).String(), lookUp(ctx, s, n, n).String(), report.Round(collected).String(),
		})
		runtime.KeepAlive(s)
	}
	return t, nil
}

func userKey(i int) store.Key {
	return store.Key{StudyID: openStudy.ID, UserID: fmt.Sprintf("%08x-1111-4111-8111-%012x", i, i)}
}

// lookUp asks for users spread over all, shifted out of them by shift.
func lookUp(ctx context.Context, s store.Store, n, shift int) time.Duration {
	keys := make([]store.Key, 4096)
	for i := range keys {
		keys[i] = userKey(i*7919%n + shift)
	}
	run := func(times int) {
		for i := range times {
			_, _ = s.Completed(ctx, keys[i%len(keys)]) // a memory store does not fail
		}
	}
	count := calibrate(run)
	begun := time.Now()
	run(count)
	return report.Round(time.Since(begun) / time.Duration(count))
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// pageSizes serves ever larger pages to a user who is asked.
func pageSizes(_ context.Context, e effort) (report.Table, error) {
	t := report.Table{
		Title: "Page size, user is asked, 4 KB Writes",
		Head:  []string{"page", "first byte after", "of the handler's", "bytes allocated per request"},
		Text:  "The page is not collected: its first bytes leave as soon as 4 KB have come, and what one request allocates does not grow with the page.",
	}
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20, 16 << 20} {
		var first, whole []float64
		var allocated uint64
		h, err := wrap(writePieces(page(size), 4<<10), "ada")
		if err != nil {
			return t, err
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
	}
	return t, nil
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
func studies(ctx context.Context, e effort) (report.Table, error) {
	t := report.Table{
		Title: "Studies, gate.First, none asks",
		Head:  []string{"studies", "one decision", "per study"},
		Text:  "Each study is asked in turn until one wants the user; here none does. Few apps have more than three.",
	}
	for _, n := range []int{1, 10, 100, 1000} {
		done := store.NewMemory()
		var gates []*gate.Gate
		for i := range n {
			s := openStudy
			s.ID = fmt.Sprintf("study-%d", i)
			g, err := gate.New(s, s.ID, done, &gate.Options{Sample: -1})
			if err != nil {
				return t, err
			}
			if err := g.Warm(ctx); err != nil {
				return t, err
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
	}
	return t, nil
}

// hangs is a provider that takes the request and never answers.
type hangs struct{ asked atomic.Int64 }

func (h *hangs) FindStudy(ctx context.Context, _ string) (userjourneys.Study, error) {
	h.asked.Add(1)
	<-ctx.Done()
	return userjourneys.Study{}, ctx.Err()
}

// hanging decides for many users at once while nothing is known of the study.
func hanging(ctx context.Context, _ effort) (report.Table, error) {
	t := report.Table{
		Title: "Requests at once, the provider hangs, nothing cached",
		Head:  []string{"requests at once", "requests to the provider", "median wait", "longest wait"},
		Text: "The deadline of a decision is 150 ms; beyond that nobody waits, however many there are. It is the worst case: with an answer of the last 15 minutes\n" +
			"nobody waits at all.",
	}
	for _, n := range []int{1, 100, 1_000, 10_000} {
		provider := &hangs{}
		g, err := gate.New(provider, "study", store.NewMemory(), nil)
		if err != nil {
			return t, err
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
	}
	return t, nil
}
