package memstore_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// BenchmarkMemory reports what an interview with ids of 36 bytes takes: with
// its job, with a transcript of no bytes in place of the job, and alone; then
// what look-ups take among many, of users who have completed the study and of
// others. ASKONCE_TEST_LONG=1 goes to 10 million.
func BenchmarkMemory(b *testing.B) {
	sizes := []int{10_000, 1_000_000}
	if os.Getenv("ASKONCE_TEST_LONG") != "" {
		sizes = append(sizes, 10_000_000)
	}
	for _, n := range sizes {
		before := heap()
		m := memstore.New()
		per := func() float64 { return float64(int64(heap()-before)) / float64(n) }
		for i := range n {
			if _, err := m.Record(b.Context(), numbered(i)); err != nil {
				b.Fatal(err)
			}
		}
		pending := per()
		finished := -1.0
		if n <= 1_000_000 {
			finishAll(b, m)
			finished = per()
		}
		m.ForgetJobs()
		alone := per()
		begun := time.Now()
		runtime.GC()
		gc := time.Since(begun)
		for _, of := range []string{"completed", "open"} {
			b.Run(fmt.Sprint(n, "/", of), func(b *testing.B) {
				keys := lookups(n, of)
				i := 0
				b.ReportAllocs()
				for b.Loop() {
					i = (i + 1) % len(keys)
					if done, err := m.Completed(b.Context(), keys[i]); err != nil || done != (of == "completed") {
						b.Fatal(done, err)
					}
				}
				b.ReportMetric(pending, "B/pending")
				b.ReportMetric(finished, "B/finished")
				b.ReportMetric(alone, "B/alone")
				b.ReportMetric(float64(gc.Milliseconds()), "GC-ms")
			})
		}
	}
}

func finishAll(b *testing.B, m *memstore.Store) {
	b.Helper()
	for {
		jobs, err := m.ClaimJobs(b.Context(), time.Now(), time.Minute, 1000)
		if err != nil {
			b.Fatal(err)
		}
		if len(jobs) == 0 {
			return
		}
		for _, j := range jobs {
			if err := m.FinishJob(b.Context(), j, store.Transcript{}); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// lookups returns keys that lie all over the place, made beforehand.
func lookups(n int, of string) []store.Key {
	keys := make([]store.Key, 1<<16)
	for i := range keys {
		k := i * 7919 % n
		if of == "open" {
			k += n
		}
		keys[i] = numbered(k).Key
	}
	return keys
}

func numbered(i int) store.Completion {
	return store.Completion{
		Key:         store.Key{StudyID: "e5f6a7b8-1234-56cd-ef78-222222222222", UserID: fmt.Sprintf("%036d", i)},
		InterviewID: fmt.Sprintf("i%035d", i), CompletedAt: time.Unix(1_760_000_000, int64(i)*1000), Duration: 754_321 * time.Millisecond,
		Quality: "successful", Language: "en",
	}
}

func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
