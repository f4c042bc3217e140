package store_test

import (
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// BenchmarkCache compares the look-ups of a page view with one in a plain map.
func BenchmarkCache(b *testing.B) {
	s := store.NewCached(memstore.New(), &store.CacheOptions{Open: time.Hour})
	if _, err := s.Person(b.Context(), ada.UserID); err != nil {
		b.Fatal(err)
	}
	b.Run("map", func(b *testing.B) {
		m := map[store.Key]bool{ada: true}
		for b.Loop() {
			if !m[ada] {
				b.Fatal("not found")
			}
		}
	})
	b.Run("Peek", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, known := s.Peek(ada); !known {
				b.Fatal("not known")
			}
		}
	})
	b.Run("PeekPerson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, known := s.PeekPerson(ada.UserID); !known {
				b.Fatal("not known")
			}
		}
	})
	b.Run("Completed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if done, err := s.Completed(b.Context(), ada); err != nil || done {
				b.Fatal(done, err)
			}
		}
	})
}
