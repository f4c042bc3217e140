package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/stretchr/testify/require"
)

var ada = store.Key{StudyID: "onboarding", UserID: "ada"}

// The store's behaviour is tested against real databases in store/integration;
// here is what needs none.

// unreachable is a driver whose server is down.
type unreachable struct{ dials int }

var errDown = errors.New("connection refused")

func (u *unreachable) Connect(context.Context) (driver.Conn, error) { u.dials++; return nil, errDown }
func (u *unreachable) Driver() driver.Driver                        { return nil }

func TestNewSQLDoesNotDial(t *testing.T) {
	t.Parallel()
	down := &unreachable{}
	db := sql.OpenDB(down)
	defer db.Close()
	for _, d := range []sqlstore.Dialect{sqlstore.Postgres, sqlstore.MySQL, sqlstore.SQLite} {
		s, err := sqlstore.New(db, d, nil)
		require.NoError(t, err)
		require.Zero(t, down.dials)
		_, err = s.Completed(t.Context(), ada)
		require.ErrorIs(t, err, errDown)
		require.ErrorIs(t, s.Migrate(t.Context()), errDown)
		require.NoError(t, s.Close())
		_, err = s.Completed(t.Context(), ada)
		require.ErrorIs(t, err, store.ErrClosed)
		require.ErrorIs(t, s.Migrate(t.Context()), store.ErrClosed)
		down.dials = 0
	}
}

func TestNewSQLRefuses(t *testing.T) {
	t.Parallel()
	db := sql.OpenDB(&unreachable{})
	defer db.Close()
	for _, prefix := range []string{"1a", "a-b", "a b", "a;drop table x", `a"`, "public.a", strings.Repeat("a", 33), "é"} {
		_, err := sqlstore.New(db, sqlstore.Postgres, &sqlstore.Options{TablePrefix: prefix})
		require.ErrorContains(t, err, "TablePrefix", prefix)
		_, err = sqlstore.Schema(sqlstore.MySQL, &sqlstore.Options{TablePrefix: prefix})
		require.ErrorContains(t, err, "TablePrefix", prefix)
	}
	_, err := sqlstore.New(db, 0, &sqlstore.Options{TablePrefix: "1"})
	require.ErrorContains(t, err, "unknown dialect")
	require.ErrorContains(t, err, "TablePrefix", "all faults at once")
	require.PanicsWithValue(t, "store: New: db is nil", func() { _, _ = sqlstore.New(nil, sqlstore.SQLite, nil) })
}

func TestSchema(t *testing.T) {
	t.Parallel()
	for _, d := range []sqlstore.Dialect{sqlstore.Postgres, sqlstore.MySQL, sqlstore.SQLite} {
		script, err := sqlstore.Schema(d, &sqlstore.Options{TablePrefix: "shop_"})
		require.NoError(t, err)
		require.Contains(t, script, "create table if not exists shop_interview (", d.String())
		require.NotContains(t, script, "{prefix}")
		require.NotContains(t, script, "askonce_")
		defaults, err := sqlstore.Schema(d, nil)
		require.NoError(t, err)
		require.Equal(t, defaults, strings.ReplaceAll(script, "shop_", "askonce_"))
	}
	require.Equal(t, "Dialect(9)", sqlstore.Dialect(9).String())
}

func TestNewSQLRefusesBadIDsItself(t *testing.T) {
	t.Parallel()
	down := &unreachable{}
	db := sql.OpenDB(down)
	defer db.Close()
	s, err := sqlstore.New(db, sqlstore.Postgres, nil)
	require.NoError(t, err)
	for _, bad := range []string{"", "a\x00", "\xff", strings.Repeat("a", store.MaxIDLen+1)} {
		_, err := s.Completed(t.Context(), store.Key{StudyID: "study", UserID: bad})
		require.ErrorIs(t, err, store.ErrInvalid)
		_, err = s.Record(t.Context(), store.Completion{Key: ada, InterviewID: bad})
		require.ErrorIs(t, err, store.ErrInvalid)
		require.ErrorIs(t, s.Erase(t.Context(), bad), store.ErrInvalid)
	}
	require.Zero(t, down.dials, "the database saw a bad id")
}

// withoutJobs is a driver, a connection and its rows, of a database whose table
// of jobs nobody may use. Every other query finds "1000".
type withoutJobs struct{ prepared, rows int }

func (d *withoutJobs) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d *withoutJobs) Driver() driver.Driver                        { return nil }
func (d *withoutJobs) Begin() (driver.Tx, error)                    { return nil, driver.ErrSkip }
func (d *withoutJobs) Close() error                                 { return nil }
func (d *withoutJobs) Columns() []string                            { return []string{"one"} }

func (d *withoutJobs) Query(string, []driver.Value) (driver.Rows, error) { d.rows = 1; return d, nil }

func (d *withoutJobs) Next(row []driver.Value) error {
	if d.rows == 0 {
		return io.EOF
	}
	d.rows, row[0] = 0, []byte("1000")
	return nil
}

func (d *withoutJobs) Prepare(query string) (driver.Stmt, error) {
	if strings.Contains(query, "askonce_job") {
		return nil, errDenied
	}
	d.prepared++
	return &preparedStmt{d}, nil
}

var errDenied = errors.New("command denied")

type preparedStmt struct{ of *withoutJobs }

func (s *preparedStmt) Close() error                               { s.of.prepared--; return nil }
func (s *preparedStmt) NumInput() int                              { return -1 }
func (s *preparedStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }
func (s *preparedStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }

// TestSQLLeavesNoStatementBehind: each call prepares anew while that fails, and
// MySQL has a limit for the statements of all its clients.
func TestSQLLeavesNoStatementBehind(t *testing.T) {
	t.Parallel()
	d := &withoutJobs{}
	db := sql.OpenDB(d)
	defer db.Close()
	s, err := sqlstore.New(db, sqlstore.MySQL, nil)
	require.NoError(t, err)
	for range 3 {
		_, err := s.Completed(t.Context(), ada)
		require.ErrorIs(t, err, errDenied)
	}
	require.Zero(t, d.prepared)
}
