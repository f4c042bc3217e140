package storetest

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/askonce/askonce/store"
)

// Bench measures what a page view and a delivery cost: Completed for a user who has
// completed the study and for one who has not, and Record, sequential and
// concurrent. Each call of open returns an empty store.
//
//	func BenchmarkStore(b *testing.B) {
//		storetest.Bench(b, func(b *testing.B) store.Store { return mystore.New(freshDatabase(b)) })
//	}
func Bench(b *testing.B, open func(b *testing.B) store.Store) {
	b.Run("Completed", func(b *testing.B) {
		s, c := open(b), newCompletion()
		if _, err := s.Record(b.Context(), c); err != nil {
			b.Fatal(err)
		}
		for _, of := range []struct {
			name string
			k    store.Key
			want bool
		}{{"true", c.Key, true}, {"false", store.Key{StudyID: c.StudyID, UserID: newID()}, false}} {
			b.Run(of.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if done, err := s.Completed(b.Context(), of.k); err != nil || done != of.want {
						b.Fatalf("Completed = %v, %v; want %v, nil", done, err, of.want)
					}
				}
			})
		}
	})
	b.Run("Record", func(b *testing.B) {
		s, next := open(b), recorder(b)
		b.ReportAllocs()
		for b.Loop() {
			next(s)
		}
	})
	b.Run("RecordParallel", func(b *testing.B) {
		s, next := open(b), recorder(b)
		b.ReportAllocs()
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				next(s)
			}
		})
	})
}

// recorder returns a function that records another interview of another user each
// time.
func recorder(b *testing.B) func(s store.Store) {
	var n atomic.Int64
	c := newCompletion()
	return func(s store.Store) {
		c, id := c, strconv.FormatInt(n.Add(1), 10)
		c.UserID, c.InterviewID = c.UserID+id, c.InterviewID+id
		if first, err := s.Record(b.Context(), c); err != nil || !first {
			b.Errorf("Record = %v, %v; want true, nil", first, err)
		}
	}
}
