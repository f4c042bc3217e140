package integration

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"slices"
	"strings"
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

// BenchmarkRecord compares a Record with what the driver takes for the same
// rows in its cheapest form, which is what our code adds, and for a single row,
// which is what the contract costs: the mark and the job come with the interview.
func BenchmarkRecord(b *testing.B) {
	for _, d := range databases {
		if !slices.Contains(drivers, d.name) {
			continue
		}
		b.Run(d.name, func(b *testing.B) {
			db, s, prefix := benchStore(b, d)
			rows := rawRows(b, db, d, prefix)
			n := 0
			took := inTurns(b, func() {
				if first, err := s.Record(b.Context(), crashInterview(fmt.Sprint("ours", n))); err != nil || !first {
					b.Fatal(first, err)
				}
			}, func() {
				require.NoError(b, rows.all(b.Context(), fmt.Sprint("theirs", n)))
			}, func() {
				_, err := rows.interview.ExecContext(b.Context(), fmt.Sprint("single", n), fmt.Sprint("user of single", n))
				require.NoError(b, err)
				n++
			})
			b.ReportMetric(ratio(took[0], took[1]), "x-same-rows")
			b.ReportMetric(ratio(took[0], took[2]), "x-one-insert")
			b.ReportMetric(ratio(took[1], took[2]), "same-rows-x-one-insert")
			b.ReportMetric(float64(took[0].Nanoseconds()), "ours-ns")
		})
	}
}

// raw inserts through prepared statements of the driver.
type raw struct {
	db                           *sql.DB
	interview, mark, job, atOnce *sql.Stmt // atOnce is nil where it takes a statement for each table
}

func rawRows(b *testing.B, db *sql.DB, d database, prefix string) raw {
	b.Helper()
	const (
		interview = "insert into %[1]sinterview (interview_id, study_id, user_id, completed_at, until_at, duration, quality, language) values (?, 'crash', ?, 1, 2, 3, '', '')"
		mark      = "insert into %[1]smark (key_hash, until_at) values (?, 2)"
		job       = "insert into %[1]sjob (interview_id, dead, queued_at, due_at, attempts, reason, claim) values (?, 0, 1, 1, 0, '', '')"
	)
	prepare := func(text string) *sql.Stmt {
		text = fmt.Sprintf(text, prefix)
		for n := 1; d.dialect == sqlstore.Postgres && strings.Contains(text, "?"); n++ {
			text = strings.Replace(text, "?", fmt.Sprint("$", n), 1)
		}
		stmt, err := db.PrepareContext(b.Context(), text)
		require.NoError(b, err)
		b.Cleanup(func() { stmt.Close() })
		return stmt
	}
	rows := raw{db: db, interview: prepare(interview)}
	if d.dialect == sqlstore.Postgres {
		rows.atOnce = prepare("with i as (" + interview + "), m as (" + mark + ") " + job)
	} else {
		rows.mark, rows.job = prepare(mark), prepare(job)
	}
	return rows
}

func (r raw) all(ctx context.Context, id string) error {
	hash := sha256.Sum256([]byte(id))
	if r.atOnce != nil {
		_, err := r.atOnce.ExecContext(ctx, id, "user of "+id, hash[:16], id)
		return err
	}
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, step := range []struct {
		stmt *sql.Stmt
		args []any
	}{{r.interview, []any{id, "user of " + id}}, {r.mark, []any{hash[:16]}}, {r.job, []any{id}}} {
		if _, err := tx.StmtContext(ctx, step.stmt).ExecContext(ctx, step.args...); err != nil {
			return err
		}
	}
	return tx.Commit()
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
	text := "select until_at from " + prefix + "person where study_id <> '' and user_hash = " + mark
	var hash []byte
	require.NoError(b, db.QueryRowContext(b.Context(), "select user_hash from "+prefix+"person where study_id <> ''").Scan(&hash))
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
