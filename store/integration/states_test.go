//go:build unix

package integration

import (
	"bytes"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// TestReadOnly starts a process that may only read: look-ups work, and writes fail
// in a way that a repetition may cure.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	readers := map[string]func(t *testing.T, d database, db *sql.DB) string{
		"postgres-pgx": func(t *testing.T, _ database, _ *sql.DB) string {
			return postgresWith(url.Values{"default_transaction_read_only": {"on"}})(t)
		},
		"mysql": func(t *testing.T, _ database, db *sql.DB) string {
			user := "reader" + strings.ToLower(t.Name()[len(t.Name())-5:])
			for _, statement := range []string{"create or replace user %s@'%%'", "grant select on *.* to %s@'%%'"} {
				_, err := db.Exec(fmt.Sprintf(statement, user))
				require.NoError(t, err)
			}
			t.Cleanup(func() {
				_, err := pool(t, "mysql", mysqlDSN()).Exec("drop user " + user + "@'%'")
				require.NoError(t, err)
			})
			return mysqlWith(func(c *mysql.Config) { c.User = user })(t)
		},
		"sqlite-modernc": func(t *testing.T, d database, _ *sql.DB) string { return d.dsn(t) + "&mode=ro" },
	}
	eachDatabase(t, []string{"postgres-pgx", "mysql", "sqlite-modernc"}, func(t *testing.T, d database) {
		db, prefix := d.open(t), d.fresh(t)
		writer := migrated(t, db, d.dialect, prefix)
		dsn := readers[d.name](t, d, db)
		for _, filled := range []bool{false, true} {
			done := crashInterview("done")
			if filled {
				done, _ = fillKeyed(t, writer)
			}
			s, err := sqlstore.New(pool(t, d.driver, dsn), d.dialect, &sqlstore.Options{TablePrefix: prefix})
			require.NoError(t, err)
			completed, err := s.Completed(t.Context(), done.Key)
			require.NoError(t, err)
			require.Equal(t, filled, completed)
			p, err := s.Person(t.Context(), "no")
			require.NoError(t, err)
			require.Equal(t, filled, !p.Study("crash").AnsweredAt.IsZero())
			_, err = s.Funnel(t.Context(), "crash", time.Now(), time.Now())
			require.NoError(t, err)
			require.NoError(t, firstOf(s.Completions(t.Context(), store.Filter{})))
			require.NoError(t, firstOf(s.PendingJobs(t.Context())))
			_, err = s.Record(t.Context(), crashInterview("new"))
			require.Error(t, err)
			require.NotErrorIs(t, err, store.ErrPermanent)
		}
	})
}

// TestKilledConnections has the server end the connections of the pool, as it does
// when it is restarted: no call fails.
func TestKilledConnections(t *testing.T) {
	t.Parallel()
	eachDatabase(t, []string{"postgres-pgx", "postgres-pq"}, func(t *testing.T, d database) {
		db, admin := d.open(t), d.open(t)
		s := migrated(t, db, d.dialect, d.fresh(t))
		db.SetMaxOpenConns(1)
		for i := range 4 {
			var pid int
			require.NoError(t, db.QueryRowContext(t.Context(), "select pg_backend_pid()").Scan(&pid))
			_, err := admin.ExecContext(t.Context(), "select pg_terminate_backend($1, 1000)", pid)
			require.NoError(t, err)
			c := crashInterview(fmt.Sprint("i", i/2))
			if i%2 == 0 {
				first, err := s.Record(t.Context(), c)
				require.NoError(t, err)
				require.True(t, first)
				continue
			}
			done, err := s.Completed(t.Context(), c.Key)
			require.NoError(t, err)
			require.True(t, done)
		}
	})
}

// TestIdleConnections has the server close connections that were idle for a second,
// as wait_timeout does after eight hours: no call fails.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	eachDatabase(t, []string{"mysql"}, func(t *testing.T, d database) {
		admin, prefix := d.open(t), d.fresh(t)
		db := pool(t, d.driver, mysqlWith(func(c *mysql.Config) { c.Params = map[string]string{"wait_timeout": "1"} })(t))
		db.SetMaxOpenConns(1)
		s := migrated(t, db, d.dialect, prefix)
		for i := range 2 {
			c := crashInterview(fmt.Sprint("i", i))
			first, err := s.Record(t.Context(), c)
			require.NoError(t, err)
			require.True(t, first)
			var id, left int
			require.NoError(t, db.QueryRowContext(t.Context(), "select connection_id()").Scan(&id))
			require.Eventually(t, func() bool {
				err := admin.QueryRowContext(t.Context(), "select count(*) from information_schema.processlist where id = ?", id).Scan(&left)
				return err == nil && left == 0
			}, 20*time.Second, 20*time.Millisecond)
			done, err := s.Completed(t.Context(), c.Key)
			require.NoError(t, err)
			require.True(t, done)
		}
	})
}

// TestStatementTimeout has the server end statements that wait for a lock.
func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	eachDatabase(t, []string{"postgres-pgx", "postgres-pq"}, func(t *testing.T, d database) {
		db, prefix := d.open(t), d.fresh(t)
		s := migrated(t, db, d.dialect, prefix)
		_, err := s.Record(t.Context(), crashInterview("i1"))
		require.NoError(t, err)
		hurried, err := sqlstore.New(pool(t, d.driver, postgresWith(url.Values{"statement_timeout": {"1s"}})(t)), d.dialect, &sqlstore.Options{TablePrefix: prefix})
		require.NoError(t, err)
		lock, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer lock.Rollback()
		_, err = lock.ExecContext(t.Context(), "lock table "+prefix+"interview in exclusive mode")
		require.NoError(t, err)
		first, err := hurried.Record(t.Context(), crashInterview("i2"))
		require.ErrorContains(t, err, "canceling statement due to") // lib/pq cancels it once more
		require.NotErrorIs(t, err, store.ErrPermanent)
		require.False(t, first)
		require.NoError(t, lock.Rollback())
		requireWhole(t, s)
		first, err = s.Record(t.Context(), crashInterview("i2"))
		require.NoError(t, err)
		require.True(t, first)
		requireWhole(t, s)
	})
}

// TestChangedColumns changes the type of a column under prepared statements.
func TestChangedColumns(t *testing.T) {
	t.Parallel()
	eachDatabase(t, []string{"postgres-pgx", "postgres-pq", "mysql"}, func(t *testing.T, d database) {
		db, prefix := d.open(t), d.fresh(t)
		s := migrated(t, db, d.dialect, prefix)
		_, err := s.Record(t.Context(), crashInterview("i1"))
		require.NoError(t, err)
		db.SetMaxOpenConns(1) // so that the same connection sees both
		alter := "alter table " + prefix + "interview alter column attempts type %s"
		if d.dialect == sqlstore.MySQL {
			alter = "alter table " + prefix + "interview modify attempts %s not null default 0"
		}
		for _, column := range []string{"bigint", "int"} {
			require.NoError(t, firstOf(s.PendingJobs(t.Context())))
			_, err := db.ExecContext(t.Context(), fmt.Sprintf(alter, column))
			require.NoError(t, err)
			require.NoError(t, firstOf(s.PendingJobs(t.Context())))
		}
	})
}

// TestStatesOfMariaDB changes settings that a server shares among its clients, so it
// has a server of its own.
func TestStatesOfMariaDB(t *testing.T) {
	t.Parallel()
	srv := privateMariaDB(t)
	srv.start()
	migrated(t, srv.db, sqlstore.MySQL, "askonce_")
	started := func(setting string) (*sqlstore.Store, *bytes.Buffer) {
		_, err := srv.db.Exec("set global " + setting)
		require.NoError(t, err)
		log := &bytes.Buffer{}
		s, err := sqlstore.New(srv.db, sqlstore.MySQL, &sqlstore.Options{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		require.NoError(t, err)
		return s, log
	}

	s, log := started("innodb_flush_log_at_trx_commit = 0")
	_, err := s.Record(t.Context(), crashInterview("i1"))
	require.NoError(t, err)
	require.Contains(t, log.String(), "innodb_flush_log_at_trx_commit is 0")
	require.NoError(t, s.Close())

	// As when other clients have used up the statements that the server allows.
	s, log = started("max_prepared_stmt_count = 3")
	for _, use := range uses(t.Context(), s)[:9] {
		require.NoError(t, use.do(), use.name)
	}
	require.Contains(t, log.String(), "statement not prepared")
	var left string
	require.NoError(t, srv.db.QueryRow("show global status like 'Prepared_stmt_count'").Scan(new(string), &left))
	require.Equal(t, "0", left, "statements that are still prepared")
}
