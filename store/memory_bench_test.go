package store_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/askonce/askonce/store"
)

// BenchmarkMemory reports what an interview with ids of 36 bytes takes, with
// the job of its transcript and without, and what a look-up takes among many.
// ASKONCE_TEST_LONG=1 goes to 10 million.
func BenchmarkMemory(b *testing.B) {
	sizes := []int{10_000, 1_000_000}
	if os.Getenv("ASKONCE_TEST_LONG") != "" {
		sizes = append(sizes, 10_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			before := heap()
			m := store.NewMemory()
			for i := range n {
				if _, err := m.Record(b.Context(), numbered(i)); err != nil {
					b.Fatal(err)
				}
			}
			perEntry := float64(heap()-before) / float64(n)
			i := 0
			for b.Loop() {
				i = (i + 7919) % n
				if done, err := m.Completed(b.Context(), numbered(i).Key); err != nil || !done {
					b.Fatal(done, err)
				}
			}
			b.ReportMetric(perEntry, "B/entry")
			runtime.KeepAlive(m)
		})
	}
}

func numbered(i int) store.Completion {
	return store.Completion{
		Key:         store.Key{StudyID: "e5f6a7b8-1234-56cd-ef78-222222222222", UserID: fmt.Sprintf("%036d", i)},
		InterviewID: fmt.Sprintf("i%035d", i), Quality: "successful", Language: "en",
	}
}

func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
