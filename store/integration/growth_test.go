package integration

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// BenchmarkGrowth reports what a look-up takes, and an interview whose
// transcript has been dealt with, while a database grows to 100,000 of them:
// with ASKONCE_TEST_LONG=1 to 10 million, which takes a while and 5 GB.
func BenchmarkGrowth(b *testing.B) {
	sizes := []int{1_000, 10_000, 100_000}
	if os.Getenv(longVariable) != "" {
		sizes = append(sizes, 1_000_000, 10_000_000)
	}
	for _, d := range databases {
		if !slices.Contains([]string{"postgres-pgx", "mysql", "sqlite-modernc"}, d.name) {
			continue
		}
		b.Run(d.name, func(b *testing.B) {
			small, big := growing(b, d), growing(b, d)
			small.grow(b, 10_000)
			for _, n := range sizes {
				big.grow(b, n)
				perInterview := big.size(b) / float64(n)
				b.Run(fmt.Sprint(n), func(b *testing.B) {
					took := inTurns(b, big.lookup(b, true), small.lookup(b, true), big.lookup(b, false), small.lookup(b, false))
					b.ReportMetric(float64(took[0].Nanoseconds()), "completed-ns")
					b.ReportMetric(ratio(took[0], took[1]), "completed-x-10k")
					b.ReportMetric(float64(took[2].Nanoseconds()), "open-ns")
					b.ReportMetric(ratio(took[2], took[3]), "open-x-10k")
					b.ReportMetric(perInterview, "B/interview")
				})
			}
		})
	}
}

// growth is a store that grows without Record, which would take too long.
type growth struct {
	db     *sql.DB
	d      store.Dialect
	store  *store.SQL
	prefix string
	n      int
}

func growing(b *testing.B, d database) *growth {
	b.Helper()
	if d.dialect == store.SQLite {
		d.dsn = sqliteWith(modernc) // a file of its own
	}
	db, s, prefix := benchStore(b, d)
	return &growth{db, d.dialect, s, prefix, 0}
}

// lookup returns a look-up of somebody among those who have completed the study,
// or among as many others.
func (g *growth) lookup(b *testing.B, completed bool) func() {
	first := grownFirst
	if !completed {
		first += g.n
	}
	return func() {
		k := store.Key{StudyID: grownStudy, UserID: fmt.Sprint(grownUser, first+rand.IntN(g.n))}
		if done, err := g.store.Completed(b.Context(), k); err != nil || done != completed {
			b.Fatal(done, err)
		}
	}
}

// The ids of what grows have 36 bytes.
const (
	grownStudy     = "e5f6a7b8-1234-56cd-ef78-222222222222"
	grownUser      = "user-of-the-growing-table-" // and ten digits
	grownInterview = "interview-of-growing-table"
	grownFirst     = 1_000_000_000
)

// grow makes rows as Record and FinishJob leave them, a million in a transaction. The marks are sorted in each, for they are hashes: in the order
// in which they come each would take a page of its own from the disk.
func (g *growth) grow(b *testing.B, to int) {
	b.Helper()
	var secret []byte
	require.NoError(b, g.db.QueryRowContext(b.Context(), "select secret from "+g.prefix+"secret").Scan(&secret))
	mac := hmac.New(sha256.New, secret)
	for g.n < to {
		tx, err := g.db.BeginTx(b.Context(), nil)
		require.NoError(b, err)
		from := g.n
		g.n = min(from+1_000_000, to)
		var marks [][]byte
		for i := from; i < g.n; i++ {
			mac.Reset()
			fmt.Fprint(mac, grownStudy, "\x00", grownUser, grownFirst+i)
			marks = append(marks, mac.Sum(nil)[:16])
		}
		slices.SortFunc(marks, bytes.Compare)
		for i := from; i < g.n; i += 1000 { // more is too deep a recursion for MariaDB
			last := min(i+1000, g.n)
			g.interviews(b, tx, i, last)
			g.marks(b, tx, marks[i-from:last-from])
		}
		require.NoError(b, tx.Commit())
	}
}

func (g *growth) interviews(b *testing.B, tx *sql.Tx, from, to int) {
	text := func(begin string) string {
		if g.d == store.MySQL {
			return "concat('" + begin + "', i)"
		}
		return "'" + begin + "' || i"
	}
	_, err := tx.ExecContext(b.Context(), fmt.Sprintf(`insert into %sinterview
		(interview_id, study_id, user_id, completed_at, until_at, duration, quality, language)
		with recursive n(i) as (select %d union all select i+1 from n where i < %d)
		select %s, '%s', %s, 1760000000000000 + i, 9223372036854775807, 754321000, 'successful', 'en' from n`,
		g.prefix, grownFirst+from, grownFirst+to-1, text(grownInterview), grownStudy, text(grownUser)))
	require.NoError(b, err)
}

func (g *growth) marks(b *testing.B, tx *sql.Tx, marks [][]byte) {
	var values strings.Builder
	args := make([]any, len(marks))
	for i, m := range marks {
		mark := "?"
		if g.d == store.Postgres {
			mark = fmt.Sprint("$", i+1)
		}
		fmt.Fprintf(&values, ", (%s, 9223372036854775807)", mark)
		args[i] = m
	}
	_, err := tx.ExecContext(b.Context(), "insert into "+g.prefix+"mark (key_hash, until_at) values "+values.String()[2:], args...)
	require.NoError(b, err)
}

// size returns the bytes of the two tables, in a state that a server comes to by
// itself.
func (g *growth) size(b *testing.B) (bytes float64) {
	b.Helper()
	tidy, query := "vacuum analyze {prefix}interview, {prefix}mark", "select pg_total_relation_size('{prefix}interview') + pg_total_relation_size('{prefix}mark')"
	switch g.d {
	case store.MySQL:
		tidy, query = "analyze table {prefix}interview, {prefix}mark", "select sum(data_length + index_length) from information_schema.tables where table_schema = database() and table_name in ('{prefix}interview', '{prefix}mark')"
	case store.SQLite:
		tidy, query = "pragma wal_checkpoint(truncate)", "select page_count * page_size from pragma_page_count, pragma_page_size"
	}
	expand := func(text string) string { return strings.ReplaceAll(text, "{prefix}", g.prefix) }
	_, err := g.db.ExecContext(context.WithoutCancel(b.Context()), expand(tidy))
	require.NoError(b, err)
	require.NoError(b, g.db.QueryRowContext(b.Context(), expand(query)).Scan(&bytes))
	return bytes
}
