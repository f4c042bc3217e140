package integration

import (
	"database/sql"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/stretchr/testify/require"
)

// BenchmarkLookUp compares what a page view asks with a look-up of one row by the
// driver alone: Completed, and Person for a user who has seen three prompts.
func BenchmarkLookUp(b *testing.B) {
	eachDriver(b, func(b *testing.B, d database) {
		db, s, prefix := benchStore(b, d)
		c := crashInterview("i1")
		_, err := s.Record(b.Context(), c)
		require.NoError(b, err)
		for i := range 3 {
			shown := store.Interaction{Key: c.Key, Kind: store.InteractionShown, At: time.Unix(int64(i), 0)}
			require.NoError(b, s.Note(b.Context(), shown))
		}
		raw, done := lookup(b, db, d, prefix)
		defer done()
		took := inTurns(b, func() {
			if done, err := s.Completed(b.Context(), c.Key); err != nil || !done {
				b.Fatal(done, err)
			}
		}, func() {
			if p, err := s.Person(b.Context(), c.UserID); err != nil || len(p.Studies) != 1 {
				b.Fatal(p, err)
			}
		}, raw)
		b.ReportMetric(ratio(took[0], took[2]), "completed-x-raw")
		b.ReportMetric(ratio(took[1], took[2]), "person-x-raw")
		b.ReportMetric(float64(took[1].Nanoseconds()), "person-ns")
	})
}

// BenchmarkNote measures first showings of one study, which all count in one row of
// the funnel, by several users at once.
func BenchmarkNote(b *testing.B) {
	eachDriver(b, func(b *testing.B, d database) {
		_, s, _ := benchStore(b, d)
		var users atomic.Int64
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				k := store.Key{StudyID: "study", UserID: strconv.FormatInt(users.Add(1), 10)}
				if err := s.Note(b.Context(), store.Interaction{Key: k, Kind: store.InteractionShown, At: time.Now()}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func eachDriver(b *testing.B, run func(b *testing.B, d database)) {
	for _, d := range databases {
		if slices.Contains(drivers, d.name) {
			b.Run(d.name, func(b *testing.B) { run(b, d) })
		}
	}
}

func benchStore(b *testing.B, d database) (*sql.DB, *sqlstore.Store, string) {
	b.Helper()
	prefix := d.fresh(b)
	db := d.open(b)
	return db, migrated(b, db, d.dialect, prefix), prefix
}

// lookup returns the same look-up through the driver alone.
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
