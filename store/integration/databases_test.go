// Package integration runs the contract of package store against real
// databases and Cached in front of them, and breaks them in every way that
// production knows.
package integration

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// skip skips the test because something is missing; what says what to do about
// it. On CI everything must be there.
func skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// A database is a driver with settings that users have.
type database struct {
	name    string
	dialect store.Dialect
	// open opens a pool. What it opens in one test is the same database.
	open func(t testing.TB) *sql.DB
}

var databases = []database{
	{"postgres-pgx", store.Postgres, postgresBy("pgx", nil)},
	{"postgres-pgx-simple-protocol", store.Postgres, postgresBy("pgx", url.Values{"default_query_exec_mode": {"simple_protocol"}})},
	{"postgres-pgx-exec", store.Postgres, postgresBy("pgx", url.Values{"default_query_exec_mode": {"exec"}})},
	{"postgres-pgx-serializable", store.Postgres, postgresBy("pgx", url.Values{"default_transaction_isolation": {"serializable"}})},
	{"postgres-pq", store.Postgres, postgresBy("postgres", nil)},
	{"postgres-pq-binary-parameters", store.Postgres, postgresBy("postgres", url.Values{"binary_parameters": {"yes"}})},
	{"mysql", store.MySQL, mysqlWith(func(*mysql.Config) {})},
	{"mysql-parseTime", store.MySQL, mysqlWith(func(c *mysql.Config) { c.ParseTime = true })},
	{"mysql-clientFoundRows", store.MySQL, mysqlWith(func(c *mysql.Config) { c.ClientFoundRows = true })},
	{"mysql-interpolateParams", store.MySQL, mysqlWith(func(c *mysql.Config) { c.InterpolateParams = true })},
	{"mysql-latin1-not-strict", store.MySQL, mysqlWith(func(c *mysql.Config) { c.Params = map[string]string{"charset": "latin1", "sql_mode": "''"} })},
	{"sqlite-modernc", store.SQLite, sqliteBy("sqlite", modernc)},
	{"sqlite-mattn", store.SQLite, sqliteBy("sqlite3", mattn)},
}

// The data source names that NewSQL's documentation gives.
const (
	modernc = "?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=secure_delete(1)"
	mattn   = "?_txlock=immediate&_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000&_secure_delete=true"
)

const (
	postgresVariable = "ASKONCE_TEST_POSTGRES"
	mysqlVariable    = "ASKONCE_TEST_MYSQL"
	longVariable     = "ASKONCE_TEST_LONG"
)

func postgresDSN() string {
	return cmp.Or(os.Getenv(postgresVariable), "postgres://postgres@127.0.0.1:5432/test?sslmode=disable")
}

func mysqlDSN() string { return cmp.Or(os.Getenv(mysqlVariable), "root@tcp(127.0.0.1:3306)/test") }

// reachable asks each server once.
var reachable = struct {
	sync.Mutex
	asked map[string]error
}{asked: map[string]error{}}

func requireServer(t testing.TB, variable, driver, dsn string) {
	t.Helper()
	reachable.Lock()
	defer reachable.Unlock()
	err, asked := reachable.asked[variable]
	if !asked {
		err = ping(driver, dsn)
		reachable.asked[variable] = err
	}
	if err != nil {
		skip(t, "no server: %v; set %s to the data source name of a database for tests", err, variable)
	}
}

func ping(driver, dsn string) error {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return db.PingContext(ctx)
}

func postgresBy(driver string, settings url.Values) func(testing.TB) *sql.DB {
	return func(t testing.TB) *sql.DB {
		t.Helper()
		requireServer(t, postgresVariable, "pgx", postgresDSN())
		dsn, err := url.Parse(postgresDSN())
		require.NoError(t, err, postgresVariable)
		query := dsn.Query()
		for name, values := range settings {
			query[name] = values
		}
		dsn.RawQuery = query.Encode()
		return pool(t, driver, dsn.String())
	}
}

func mysqlWith(set func(*mysql.Config)) func(testing.TB) *sql.DB {
	return func(t testing.TB) *sql.DB {
		t.Helper()
		requireServer(t, mysqlVariable, "mysql", mysqlDSN())
		config, err := mysql.ParseDSN(mysqlDSN())
		require.NoError(t, err, mysqlVariable)
		set(config)
		return pool(t, "mysql", config.FormatDSN())
	}
}

func sqliteBy(driver, settings string) func(testing.TB) *sql.DB {
	var dirs sync.Map // by test
	return func(t testing.TB) *sql.DB {
		t.Helper()
		if driver == "sqlite3" && !cgo {
			skip(t, "mattn's SQLite driver wants cgo: install a C compiler and set CGO_ENABLED=1")
		}
		dir, known := dirs.Load(t.Name())
		if !known {
			dir = t.TempDir()
			dirs.Store(t.Name(), dir)
			t.Cleanup(func() { dirs.Delete(t.Name()) })
		}
		file := filepath.Join(dir.(string), "askonce.db")
		createPrivate(t, file)
		return pool(t, driver, "file:"+file+settings)
	}
}

// createPrivate makes an empty file that nobody else can read.
func createPrivate(t testing.TB, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_CREATE, 0o600)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// pool opens a pool that is small enough for many tests at once.
func pool(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// prefix returns a prefix that no other test has.
func prefix() string { return "t" + strings.ToLower(rand.Text()[:12]) + "_" }

// migrated returns a migrated store in db; its tables go when the test ends.
func migrated(t testing.TB, db *sql.DB, d store.Dialect, prefix string) *store.SQL {
	t.Helper()
	s, err := store.NewSQL(db, d, &store.SQLOptions{TablePrefix: prefix})
	require.NoError(t, err)
	dropLater(t, db, d, prefix)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

var tables = []string{"schema", "secret", "interview", "mark", "erased", "job", "transcript", "dead_letter", "checkpoint"}

func dropLater(t testing.TB, db *sql.DB, d store.Dialect, prefix string) {
	if d == store.SQLite {
		return // the file goes with its directory
	}
	t.Cleanup(func() {
		for _, table := range tables {
			_, err := db.Exec(fmt.Sprintf("drop table if exists %s%s", prefix, table))
			require.NoError(t, err)
		}
	})
}

// eachDatabase runs a test for each, or for those that only names.
func eachDatabase(t *testing.T, only []string, run func(t *testing.T, d database)) {
	t.Helper()
	for _, d := range databases {
		if only != nil && !contains(only, d.name) {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			run(t, d)
		})
	}
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

// drivers are one database for each driver.
var drivers = []string{"postgres-pgx", "postgres-pq", "mysql", "sqlite-modernc", "sqlite-mattn"}
