package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/askonce/askonce/examples/bench/report"
	"github.com/askonce/askonce/store"
)

// completions fills every store and asks it, at each size, how much room it
// takes and how long a look-up does.
func completions(ctx context.Context, e effort) (report.Part, error) {
	t := report.Table{Head: []string{"store, completions", "bytes each", "look-up, there", "look-up, not there", "garbage collection"}}
	times := report.Panel{Title: "Look-up of a user who has completed, by completions", Unit: report.Duration}
	room := report.Panel{Title: "Bytes per completion, by completions", Unit: report.Bytes}
	dir, err := os.MkdirTemp("", "askonce-bench")
	if err != nil {
		return report.Part{}, err
	}
	defer os.RemoveAll(dir)
	for _, open := range append([]opener{openMemory}, backends...) {
		b, err := open(ctx, dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, "left out:", err)
			continue
		}
		rows, err := b.grow(ctx, e)
		b.remove()
		b.close()
		if err != nil {
			return report.Part{}, fmt.Errorf("%s: %w", b.name, err)
		}
		timeCurve, roomCurve := report.Curve{Name: b.name}, report.Curve{Name: b.name}
		for _, r := range rows {
			collected := "–"
			if r.collected > 0 {
				collected = report.Round(r.collected).String()
			}
			t.Rows = append(t.Rows, []string{
				b.name + ", " + strconv.Itoa(r.n), fmt.Sprintf("%.0f", r.bytes), report.Round(r.there).String(), report.Round(r.notThere).String(), collected,
			})
			timeCurve.Points = append(timeCurve.Points, report.Point{X: float64(r.n), Y: float64(r.there)})
			roomCurve.Points = append(roomCurve.Points, report.Point{X: float64(r.n), Y: r.bytes})
		}
		times.Curves, room.Curves = append(times.Curves, timeCurve), append(room.Curves, roomCurve)
	}
	return report.Part{
		Title: "Growth: completions",
		Text: "Every store with ids of 36 bytes and all transcripts fetched (Memory keeps an empty one of each), at its server's settings as installed: 128 MB\n" +
			"of buffers in PostgreSQL and MariaDB. 4096 users spread over all are looked up, as by a page view that no cache answers. The bytes are the server's\n" +
			"own account, with indexes and without transcripts. The ids ascend, which packs trees tightly; of random ones, which come over months, reckon with\n" +
			"a third more in the databases.\n\n" +
			"For sizing: a look-up in a database finds one row by a hash of 16 bytes. As long as these rows and their index, 100 bytes a completion in PostgreSQL\n" +
			"and less elsewhere, are in memory, the time is the round trip, however many there are; beyond that it is a read from disk too. Disk grows in\n" +
			"proportion: a million interviews, more than most apps ever see, are under a gigabyte in most. Redis and Memory hold everything in memory, and Memory is\n" +
			"for tests.",
		Tables: []report.Table{t},
		Panels: []report.Panel{times, room},
	}, nil
}

// size is what a store of n completions costs.
type size struct {
	n               int
	bytes           float64 // of one completion
	there, notThere time.Duration
	collected       time.Duration // by the garbage collector, where it has to look at them
}

func (b *backend) grow(ctx context.Context, e effort) ([]size, error) {
	sizes := []int{1_000, 10_000}
	if e.rounds > 3 {
		sizes = append(sizes, 100_000, 1_000_000)
	}
	if e.large {
		sizes = append(sizes, 10_000_000)
	}
	if _, err := b.store.Completed(ctx, userKey(0)); err != nil { // makes the store's key
		return nil, err
	}
	empty, err := b.bytes(ctx)
	if err != nil {
		return nil, err
	}
	var all []size
	filled := 0
	for _, n := range sizes {
		if err := b.fill(ctx, filled, n); err != nil {
			return nil, err
		}
		filled = n
		full, err := b.bytes(ctx)
		if err != nil {
			return nil, err
		}
		s := size{n: n, bytes: float64(full-empty) / float64(n)}
		if err := errors.Join(b.find(ctx, n-1), b.lookUps(ctx, e, n, &s)); err != nil {
			return nil, err
		}
		if b.inProcess {
			begun := time.Now()
			runtime.GC()
			s.collected = time.Since(begun)
		}
		fmt.Fprintf(os.Stderr, "%s: %d completions, %.0f bytes each, look-up %s\n", b.name, n, s.bytes, report.Round(s.there))
		all = append(all, s)
	}
	return all, nil
}

// find sees to it that what was filled in past the store is as the store
// itself would have recorded it.
func (b *backend) find(ctx context.Context, i int) error {
	lister, ok := store.As[store.Lister](b.store)
	if !ok {
		return errors.New("it cannot list")
	}
	found := 0
	for c, err := range lister.Completions(ctx, store.Filter{UserID: userKey(i).UserID}) {
		if err != nil {
			return err
		}
		if want := completion(i); c != want {
			return fmt.Errorf("it holds %+v, not %+v", c, want)
		}
		found++
	}
	if found != 1 {
		return fmt.Errorf("it holds %d interviews of a user who had one", found)
	}
	return nil
}

func (b *backend) lookUps(ctx context.Context, e effort, n int, s *size) (err error) {
	lookUp := func(shift int) time.Duration {
		keys := make([]store.Key, 4096)
		for i := range keys {
			keys[i] = userKey(i*7919%n + shift)
		}
		next := 0
		return compare(e, "", contender{run: func(times int) {
			for range times {
				completed, failed := b.store.Completed(ctx, keys[next%len(keys)])
				if failed == nil && completed != (shift == 0) {
					failed = errors.New("a look-up has the wrong answer")
				}
				if failed != nil {
					err = failed
				}
				next++
			}
		}}).Rows[0].Time
	}
	s.there, s.notThere = lookUp(0), lookUp(n)
	return err
}

func userKey(i int) store.Key {
	return store.Key{StudyID: openStudy.ID, UserID: fmt.Sprintf("%08x-1111-4111-8111-%012x", i, i)}
}

// completion is the i-th, at the i-th second of a time.
func completion(i int) store.Completion {
	return store.Completion{
		Key: userKey(i), InterviewID: fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i),
		CompletedAt: time.Unix(1_700_000_000+int64(i), 0).UTC(), Quality: "successful", Language: "en", Duration: 10 * time.Minute,
	}
}
