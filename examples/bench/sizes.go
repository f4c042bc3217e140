package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/askonce/askonce/examples/bench/report"
	"github.com/askonce/askonce/store"
)

// sizes fills every store and measures, at each size, how much room a completion
// takes and how long a look-up does.
func sizes(ctx context.Context, e effort) (report.Part, error) {
	t := report.Table{Head: []string{"store, completions", "bytes each", "look-up, there", "look-up, not there"}}
	err := eachBackend(ctx, func(b *backend) error {
		rows, err := b.grow(ctx, e)
		t.Rows = append(t.Rows, rows...)
		return err
	})
	return report.Part{
		Title: "Sizes",
		Text: "Every store with ids of 36 bytes and all transcripts fetched, at its server's settings as installed. 4096 users spread over all are looked up, as\n" +
			"by a page view that no cache answers. The bytes are the server's own account, with indexes and without transcripts. The ids ascend, which packs trees\n" +
			"tightly: with random ids, expect a third more in the databases.",
		Tables: []report.Table{t},
	}, err
}

func (b *backend) grow(ctx context.Context, e effort) (rows [][]string, err error) {
	numbers := []int{10_000, 300_000}
	if e.quick {
		numbers = []int{1_000, 10_000}
	}
	empty, err := b.bytes(ctx)
	if err != nil {
		return nil, err
	}
	filled := 0
	for _, n := range numbers {
		if err := b.fill(ctx, filled, n); err != nil {
			return nil, err
		}
		filled = n
		full, err := b.bytes(ctx)
		if err != nil {
			return nil, err
		}
		if err := b.find(ctx, n-1); err != nil {
			return nil, err
		}
		there, err := b.lookUps(ctx, e, n, 0)
		if err != nil {
			return nil, err
		}
		notThere, err := b.lookUps(ctx, e, n, n)
		if err != nil {
			return nil, err
		}
		rows = append(rows, []string{
			b.name + ", " + strconv.Itoa(n), fmt.Sprintf("%.0f", float64(full-empty)/float64(n)), report.Round(there).String(), report.Round(notThere).String(),
		})
	}
	return rows, nil
}

// find checks that what was filled in past the store is what the store itself would have
// recorded.
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

// lookUps measures one look-up among n users. With a shift of n, the users are not there.
func (b *backend) lookUps(ctx context.Context, e effort, n, shift int) (t time.Duration, err error) {
	keys := make([]store.Key, 4096)
	for i := range keys {
		keys[i] = userKey(i*7919%n + shift)
	}
	next := 0
	t = compare(e, "", contender{run: func(times int) {
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
	return t, err
}

func userKey(i int) store.Key {
	return store.Key{StudyID: openStudy.ID, UserID: fmt.Sprintf("%08x-1111-4111-8111-%012x", i, i)}
}

// completion returns the i-th completion, one second after the one before.
func completion(i int) store.Completion {
	return store.Completion{
		Key: userKey(i), InterviewID: fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i),
		CompletedAt: time.Unix(1_700_000_000+int64(i), 0).UTC(), Quality: "successful", Language: "en", Duration: 10 * time.Minute,
	}
}
