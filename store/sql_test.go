package store_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

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
	for _, d := range []store.Dialect{store.Postgres, store.MySQL, store.SQLite} {
		s, err := store.NewSQL(db, d, nil)
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
		_, err := store.NewSQL(db, store.Postgres, &store.SQLOptions{TablePrefix: prefix})
		require.ErrorContains(t, err, "TablePrefix", prefix)
		_, err = store.Schema(store.MySQL, &store.SQLOptions{TablePrefix: prefix})
		require.ErrorContains(t, err, "TablePrefix", prefix)
	}
	_, err := store.NewSQL(db, 0, &store.SQLOptions{TablePrefix: "1"})
	require.ErrorContains(t, err, "unknown dialect")
	require.ErrorContains(t, err, "TablePrefix", "all faults at once")
	require.PanicsWithValue(t, "store: NewSQL: db is nil", func() { _, _ = store.NewSQL(nil, store.SQLite, nil) })
}

func TestSchema(t *testing.T) {
	t.Parallel()
	for _, d := range []store.Dialect{store.Postgres, store.MySQL, store.SQLite} {
		script, err := store.Schema(d, &store.SQLOptions{TablePrefix: "shop_"})
		require.NoError(t, err)
		require.Contains(t, script, "create table if not exists shop_interview (", d.String())
		require.NotContains(t, script, "{prefix}")
		require.NotContains(t, script, "askonce_")
		defaults, err := store.Schema(d, nil)
		require.NoError(t, err)
		require.Equal(t, defaults, strings.ReplaceAll(script, "shop_", "askonce_"))
	}
	require.Equal(t, "Dialect(9)", store.Dialect(9).String())
}

func TestNewSQLRefusesBadIDsItself(t *testing.T) {
	t.Parallel()
	down := &unreachable{}
	db := sql.OpenDB(down)
	defer db.Close()
	s, err := store.NewSQL(db, store.Postgres, nil)
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
