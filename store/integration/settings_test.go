package integration

import (
	"bytes"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// TestUnusableSettings has settings that the store cannot work with: the first call
// says which and what to do.
func TestUnusableSettings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		dialect sqlstore.Dialect
		driver  string
		dsn     func(testing.TB) string
		says    []string
	}{
		{"PostgreSQL that is taken for MySQL", sqlstore.MySQL, "pgx", postgresWith(nil), []string{"does not speak mysql", "sqlstore.Postgres"}},
		{"PostgreSQL that is taken for SQLite", sqlstore.SQLite, "postgres", postgresWith(nil), []string{"does not speak sqlite", "sqlstore.Postgres"}},
		{"MySQL that is taken for PostgreSQL", sqlstore.Postgres, "mysql", mysqlWith(func(*mysql.Config) {}), []string{"does not speak postgres", "sqlstore.MySQL"}},
		{"MySQL that is taken for SQLite", sqlstore.SQLite, "mysql", mysqlWith(func(*mysql.Config) {}), []string{"does not speak sqlite", "sqlstore.MySQL"}},
		{"SQLite that is taken for PostgreSQL", sqlstore.Postgres, "sqlite", sqliteWith(modernc), []string{"does not speak postgres", "sqlstore.SQLite"}},
		{"SQLite that is taken for MySQL", sqlstore.MySQL, "sqlite", sqliteWith(modernc), []string{"does not speak mysql", "sqlstore.SQLite"}},
		{"MySQL without autocommit", sqlstore.MySQL, "mysql", mysqlWith(func(c *mysql.Config) { c.Params = map[string]string{"autocommit": "0"} }), []string{"autocommit is off", "remove"}},
		{"PostgreSQL in Latin 1, pgx", sqlstore.Postgres, "pgx", encodedAs("LATIN1", "pgx"), []string{"LATIN1", "UTF8"}},
		{"PostgreSQL in Latin 1, lib/pq", sqlstore.Postgres, "postgres", encodedAs("LATIN1", "pq"), []string{"LATIN1", "UTF8"}},
		{"PostgreSQL in Japanese", sqlstore.Postgres, "pgx", encodedAs("EUC_JP", "pgx"), []string{"EUC_JP", "UTF8"}},
		{"PostgreSQL that does not know what it holds", sqlstore.Postgres, "pgx", encodedAs("SQL_ASCII", "pgx"), []string{"SQL_ASCII", "UTF8"}},
		{"a setting that PostgreSQL does not take", sqlstore.Postgres, "pgx", postgresWith(url.Values{"default_transaction_isolation": {"none"}}), []string{"invalid value for parameter"}},
		{"bytea that pgx cannot read", sqlstore.Postgres, "pgx", postgresWith(url.Values{"default_query_exec_mode": {"exec"}, "bytea_output": {"escape"}}), []string{"bytea", "remove bytea_output=escape"}},
		{"SQLite in memory, with several connections", sqlstore.SQLite, "sqlite", func(testing.TB) string { return ":memory:" }, []string{"SetMaxOpenConns(1)"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, err := sqlstore.New(pool(t, tc.driver, tc.dsn(t)), tc.dialect, &sqlstore.Options{TablePrefix: "unusable_"})
			require.NoError(t, err)
			err = s.Migrate(t.Context())
			for _, text := range tc.says {
				require.ErrorContains(t, err, text)
			}
			require.NotErrorIs(t, err, store.ErrPermanent, "it is cured by another setting")
			if tc.driver != "sqlite" || tc.dialect != sqlstore.SQLite {
				_, err = s.Completed(t.Context(), store.Key{StudyID: "s", UserID: "u"})
				require.ErrorContains(t, err, tc.says[0])
			}
		})
	}
}

// encodedAs creates a database in an encoding, for one test.
func encodedAs(encoding, tag string) func(testing.TB) string {
	return func(t testing.TB) string {
		dsn, err := url.Parse(postgresWith(nil)(t))
		require.NoError(t, err)
		name := "askonce_" + strings.ToLower(encoding) + "_" + tag
		admin := pool(t, "pgx", dsn.String())
		_, err = admin.Exec("drop database if exists " + name)
		require.NoError(t, err)
		_, err = admin.Exec("create database " + name + " encoding '" + encoding + "' template template0 lc_collate 'C' lc_ctype 'C'")
		require.NoError(t, err)
		t.Cleanup(func() {
			_, err := admin.Exec("drop database " + name + " with (force)")
			require.NoError(t, err)
		})
		dsn.Path = "/" + name
		return dsn.String()
	}
}

// TestDangerousSettings has settings that endanger the data: they are warned about
// once.
func TestDangerousSettings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		d    database
		says []string // nothing: no warning
	}{
		{"PostgreSQL as it should be", database{"", sqlstore.Postgres, "pgx", postgresWith(nil)}, nil},
		{"MySQL as it should be", database{"", sqlstore.MySQL, "mysql", mysqlWith(func(*mysql.Config) {})}, nil},
		{"SQLite as documented", database{"", sqlstore.SQLite, "sqlite", sqliteWith(modernc)}, nil},
		{"PostgreSQL that does not wait for the disk", database{"", sqlstore.Postgres, "pgx", postgresWith(url.Values{"synchronous_commit": {"off"}})}, []string{"synchronous_commit is off"}},
		{"SQLite with the driver's defaults", database{"", sqlstore.SQLite, "sqlite", sqliteWith("?_pragma=synchronous(NORMAL)")}, []string{"synchronous is below FULL", "busy_timeout is 0", "secure_delete is off"}},
		{"SQLite without a journal", database{"", sqlstore.SQLite, "sqlite", sqliteWith("?_pragma=journal_mode(MEMORY)")}, []string{"journal_mode is memory"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			s, err := sqlstore.New(tc.d.open(t), tc.d.dialect, &sqlstore.Options{TablePrefix: tc.d.fresh(t), Logger: slog.New(slog.NewTextHandler(&log, nil))})
			require.NoError(t, err)
			require.NoError(t, s.Migrate(t.Context()))
			for range 3 {
				_, err = s.Completed(t.Context(), store.Key{StudyID: "s", UserID: "u"})
				require.NoError(t, err)
			}
			if tc.says == nil {
				require.Empty(t, log.String())
				return
			}
			require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
			for _, text := range tc.says {
				require.Contains(t, log.String(), text)
			}
		})
	}
}

// TestMemoryWithOneConnection has the one kind of SQLite in memory that works.
func TestMemoryWithOneConnection(t *testing.T) {
	t.Parallel()
	db := pool(t, "sqlite", ":memory:")
	db.SetMaxOpenConns(1)
	_, err := migrated(t, db, sqlstore.SQLite, "askonce_").Record(t.Context(), crashInterview("i1"))
	require.NoError(t, err)
	shared := pool(t, "sqlite", "file:"+t.Name()+"?mode=memory&cache=shared")
	_, err = migrated(t, shared, sqlstore.SQLite, "askonce_").Record(t.Context(), crashInterview("i1"))
	require.NoError(t, err)
}
