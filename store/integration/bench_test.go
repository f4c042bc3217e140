package integration

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// BenchmarkCompleted compares a look-up with the same statement on a prepared
// *sql.Stmt of the driver: "ratio" is ours over the driver's, taken in turns.
func BenchmarkCompleted(b *testing.B) {
	for _, d := range databases {
		if !slices.Contains(drivers, d.name) {
			continue
		}
		b.Run(d.name, func(b *testing.B) {
			db, s, prefix := benchStore(b, d)
			c := crashInterview("i1")
			_, err := s.Record(b.Context(), c)
			require.NoError(b, err)
			raw, done := lookup(b, db, d, prefix)
			defer done()
			compare(b, func() {
				if done, err := s.Completed(b.Context(), c.Key); err != nil || !done {
					b.Fatal(done, err)
				}
			}, raw)
		})
	}
}

// BenchmarkRecord compares a Record with one insert of the same interview
// through the driver, in a transaction of its own.
func BenchmarkRecord(b *testing.B) {
	for _, d := range databases {
		if !slices.Contains(drivers, d.name) {
			continue
		}
		b.Run(d.name, func(b *testing.B) {
			db, s, prefix := benchStore(b, d)
			marks := "?, ?, ?, 1, 2, 3, '', ''"
			if d.dialect == store.Postgres {
				marks = "$1, $2, $3, 1, 2, 3, '', ''"
			}
			insert := "insert into " + prefix + "interview (interview_id, study_id, user_id, completed_at, until_at, duration, quality, language) values (" + marks + ")"
			ours, theirs := 0, 0
			compare(b, func() {
				ours++
				if first, err := s.Record(b.Context(), crashInterview(fmt.Sprint("ours", ours))); err != nil || !first {
					b.Fatal(first, err)
				}
			}, func() {
				theirs++
				id := fmt.Sprint("theirs", theirs)
				if _, err := db.ExecContext(b.Context(), insert, id, "crash", "user of "+id); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func benchStore(b *testing.B, d database) (*sql.DB, *store.SQL, string) {
	b.Helper()
	prefix := d.fresh(b)
	db := d.open(b)
	return db, migrated(b, db, d.dialect, prefix), prefix
}

// lookup returns the store's own look-up as the driver does it.
func lookup(b *testing.B, db *sql.DB, d database, prefix string) (do, done func()) {
	b.Helper()
	mark := "?"
	if d.dialect == store.Postgres {
		mark = "$1"
	}
	text := "select until_at from " + prefix + "mark where key_hash = " + mark
	var hash []byte
	require.NoError(b, db.QueryRowContext(b.Context(), "select key_hash from "+prefix+"mark").Scan(&hash))
	var until int64
	if d.dialect == store.Postgres { // where the store does not prepare either
		return func() {
			if err := db.QueryRowContext(b.Context(), text, hash).Scan(&until); err != nil {
				b.Fatal(err)
			}
		}, func() {}
	}
	stmt, err := db.PrepareContext(b.Context(), text)
	require.NoError(b, err)
	return func() {
		if err := stmt.QueryRowContext(b.Context(), hash).Scan(&until); err != nil {
			b.Fatal(err)
		}
	}, func() { stmt.Close() }
}

// compare runs both in turns and reports the ratio of the medians.
func compare(b *testing.B, ours, raw func()) {
	var took, rawTook []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		begun := time.Now()
		ours()
		between := time.Now()
		raw()
		took, rawTook = append(took, between.Sub(begun)), append(rawTook, time.Since(between))
	}
	slices.Sort(took)
	slices.Sort(rawTook)
	median := took[len(took)/2]
	b.ReportMetric(float64(median)/float64(rawTook[len(rawTook)/2]), "ratio")
	b.ReportMetric(float64(median.Nanoseconds()), "ours-ns")
}
