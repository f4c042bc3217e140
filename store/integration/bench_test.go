package integration

import (
	"database/sql"
	"slices"
	"testing"
	"time"

	"github.com/askonce/askonce/store/sqlstore"
	"github.com/stretchr/testify/require"
)

// BenchmarkCompleted compares a look-up with the same statement on a prepared
// *sql.Stmt of the driver.
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
			took := inTurns(b, func() {
				if done, err := s.Completed(b.Context(), c.Key); err != nil || !done {
					b.Fatal(done, err)
				}
			}, raw)
			b.ReportMetric(ratio(took[0], took[1]), "x-raw")
			b.ReportMetric(float64(took[0].Nanoseconds()), "ours-ns")
		})
	}
}

func benchStore(b *testing.B, d database) (*sql.DB, *sqlstore.Store, string) {
	b.Helper()
	prefix := d.fresh(b)
	db := d.open(b)
	return db, migrated(b, db, d.dialect, prefix), prefix
}

// lookup returns the store's own look-up as the driver does it.
func lookup(b *testing.B, db *sql.DB, d database, prefix string) (do, done func()) {
	b.Helper()
	mark := "?"
	if d.dialect == sqlstore.Postgres {
		mark = "$1"
	}
	text := "select completed_until from " + prefix + "person where study_id = 'crash' and user_hash = " + mark
	var hash []byte
	require.NoError(b, db.QueryRowContext(b.Context(), "select user_hash from "+prefix+"person where study_id = 'crash'").Scan(&hash))
	var until int64
	if d.dialect == sqlstore.Postgres { // where the store does not prepare either
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

// inTurns runs each in turn and returns their medians.
func inTurns(b *testing.B, each ...func()) []time.Duration {
	took := make([][]time.Duration, len(each))
	for b.Loop() {
		for i, do := range each {
			begun := time.Now()
			do()
			took[i] = append(took[i], time.Since(begun))
		}
	}
	medians := make([]time.Duration, len(each))
	for i, all := range took {
		slices.Sort(all)
		medians[i] = all[len(all)/2]
	}
	return medians
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }
