package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/stretchr/testify/require"
)

var ada = store.Key{StudyID: "onboarding", UserID: "ada"}

// The store is tested against real databases in store/integration. These tests
// need none.

// unreachable is a driver whose server is down.
type unreachable struct{ dials int }

var errDown = errors.New("connection refused")

func (u *unreachable) Connect(context.Context) (driver.Conn, error) { u.dials++; return nil, errDown }
func (u *unreachable) Driver() driver.Driver                        { return nil }

func TestNewDoesNotConnect(t *testing.T) {
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

func TestNewRefuses(t *testing.T) {
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
	require.PanicsWithValue(t, "sqlstore: New: db is nil", func() { _, _ = sqlstore.New(nil, sqlstore.SQLite, nil) })
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

func TestBadIDsNeverReachTheDatabase(t *testing.T) {
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
