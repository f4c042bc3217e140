// Package integration tests package sqlstore against real databases: the contract
// and the model of package storetest, plans and round trips, and what goes wrong in
// production, such as killed servers, full disks and odd settings. It is a module of
// its own because it requires the drivers. Tests that need no database belong beside
// the code.
package integration

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/askonce/askonce/store/sqlstore"
	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// skip skips the test because something is missing. The text says what to do about
// it. On CI nothing may be missing.
func skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// A database is a driver with settings that apps use.
type database struct {
	name    string
	dialect sqlstore.Dialect
	driver  string
	// dsn returns the data source name, which is the same throughout a test. It may
	// be called without a test once the server is known to answer.
	dsn func(t testing.TB) string
}

func (d database) open(t testing.TB) *sql.DB { return pool(t, d.driver, d.dsn(t)) }

var databases = []database{
	{"postgres-pgx", sqlstore.Postgres, "pgx", postgresWith(nil)},
	{"postgres-pgx-simple-protocol", sqlstore.Postgres, "pgx", postgresWith(url.Values{"default_query_exec_mode": {"simple_protocol"}})},
	{"postgres-pgx-exec", sqlstore.Postgres, "pgx", postgresWith(url.Values{"default_query_exec_mode": {"exec"}})},
	{"postgres-pgx-serializable", sqlstore.Postgres, "pgx", postgresWith(url.Values{"default_transaction_isolation": {"serializable"}})},
	{"postgres-pgx-repeatable-read", sqlstore.Postgres, "pgx", postgresWith(url.Values{"default_transaction_isolation": {"repeatable read"}})},
	{"postgres-pq", sqlstore.Postgres, "postgres", postgresWith(nil)},
	{"postgres-pq-binary-parameters", sqlstore.Postgres, "postgres", postgresWith(url.Values{"binary_parameters": {"yes"}})},
	{"postgres-pq-bytea-escape", sqlstore.Postgres, "postgres", postgresWith(url.Values{"bytea_output": {"escape"}})},
	{"mysql", sqlstore.MySQL, "mysql", mysqlWith(func(*mysql.Config) {})},
	{"mysql-parseTime", sqlstore.MySQL, "mysql", mysqlWith(func(c *mysql.Config) { c.ParseTime = true })},
	{"mysql-clientFoundRows", sqlstore.MySQL, "mysql", mysqlWith(func(c *mysql.Config) { c.ClientFoundRows = true })},
	{"mysql-interpolateParams", sqlstore.MySQL, "mysql", mysqlWith(func(c *mysql.Config) { c.InterpolateParams = true })},
	{"mysql-latin1-not-strict", sqlstore.MySQL, "mysql", mysqlWith(func(c *mysql.Config) { c.Params = map[string]string{"charset": "latin1", "sql_mode": "''"} })},
	{"mysql-safe-updates", sqlstore.MySQL, "mysql", mysqlWith(func(c *mysql.Config) { c.Params = map[string]string{"sql_safe_updates": "1"} })},
	{"mysql-oracle-mode", sqlstore.MySQL, "mysql", mysqlWith(func(c *mysql.Config) { c.Params = map[string]string{"sql_mode": "'ORACLE'"} })}, // MariaDB's
	{"sqlite-modernc", sqlstore.SQLite, "sqlite", sqliteWith(modernc)},
	{"sqlite-mattn", sqlstore.SQLite, "sqlite3", sqliteWith(mattn)},
}

// The data source names in the documentation of package sqlstore.
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

// reachable remembers which servers answer.
var reachable = struct {
	sync.Mutex
	asked map[string]error
}{asked: map[string]error{}}

func requireServer(t testing.TB, variable, driver, dsn string) {
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

func postgresWith(settings url.Values) func(testing.TB) string {
	return func(t testing.TB) string {
		requireServer(t, postgresVariable, "pgx", postgresDSN())
		dsn, err := url.Parse(postgresDSN())
		if err != nil {
			panic(postgresVariable + ": " + err.Error())
		}
		query := dsn.Query()
		for name, values := range settings {
			query[name] = values
		}
		dsn.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // pgx reads + as it is
		return dsn.String()
	}
}

func mysqlWith(set func(*mysql.Config)) func(testing.TB) string {
	return func(t testing.TB) string {
		requireServer(t, mysqlVariable, "mysql", mysqlDSN())
		config, err := mysql.ParseDSN(mysqlDSN())
		if err != nil {
			panic(mysqlVariable + ": " + err.Error())
		}
		set(config)
		return config.FormatDSN()
	}
}

func sqliteWith(settings string) func(testing.TB) string {
	var dirs sync.Map // by test
	return func(t testing.TB) string {
		t.Helper()
		if settings == mattn && !cgo {
			skip(t, "mattn's SQLite driver needs cgo: install a C compiler and set CGO_ENABLED=1")
		}
		dir, known := dirs.Load(t.Name())
		if !known {
			dir = t.TempDir()
			dirs.Store(t.Name(), dir)
			t.Cleanup(func() { dirs.Delete(t.Name()) })
		}
		file := filepath.Join(dir.(string), "askonce.db")
		createPrivate(t, file)
		return "file:" + file + settings
	}
}

// createPrivate creates an empty file that nobody else can read.
func createPrivate(t testing.TB, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_CREATE, 0o600)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// pool opens a pool that is small enough for many tests at once. It is closed when
// the test ends. Without a test the caller closes it.
func pool(t testing.TB, driver, dsn string) *sql.DB {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		panic(err)
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	if t != nil {
		t.Cleanup(func() { require.NoError(t, db.Close()) })
	}
	return db
}

// A place is a set of tables on one server. Creating them takes longer than most
// tests, so they are emptied after a test and reused.
type place struct {
	dialect sqlstore.Dialect
	prefix  string
	open    func(testing.TB) *sql.DB
}

var places = struct {
	sync.Mutex
	free map[sqlstore.Dialect][]*place
	all  []*place
}{free: map[sqlstore.Dialect][]*place{}}

// fresh returns the prefix of empty tables. A SQLite database is new for each test.
func (d database) fresh(t testing.TB) string {
	t.Helper()
	if d.dialect == sqlstore.SQLite {
		return "askonce_"
	}
	places.Lock()
	defer places.Unlock()
	var p *place
	if free := places.free[d.dialect]; len(free) > 0 {
		p = free[len(free)-1]
		places.free[d.dialect] = free[:len(free)-1]
	} else {
		p = &place{d.dialect, "t" + strings.ToLower(rand.Text()[:12]) + "_", d.open}
		places.all = append(places.all, p)
	}
	db := sharedPool(d.driver, d.dsn(t))
	t.Cleanup(func() {
		for _, table := range tables[2:] {
			if _, err := db.Exec("delete from " + p.prefix + table); err != nil {
				t.Logf("the tables %s* are not reused: %v", p.prefix, err)
				return
			}
		}
		places.Lock()
		defer places.Unlock()
		places.free[d.dialect] = append(places.free[d.dialect], p)
	})
	return p.prefix
}

var tables = []string{"schema", "secret", "interview", "person", "reset", "funnel", "transcript", "dead_letter", "checkpoint", "switch"}

func TestMain(m *testing.M) {
	if do, ok := children[os.Getenv(childVariable)]; ok {
		do()
		return
	}
	// Tests wait for the servers' disks more than for the processor. The command
	// line comes later and takes precedence.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	code := m.Run()
	for _, p := range places.all {
		db := p.open(nil)
		if _, err := db.Exec("drop view if exists " + p.prefix + "transcript_json"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		for _, table := range tables {
			if _, err := db.Exec("drop table if exists " + p.prefix + table); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
		db.Close()
	}
	for _, db := range pools.open {
		db.Close()
	}
	os.Exit(code)
}

// store returns a migrated store in the tables of a prefix from fresh.
func (d database) store(t testing.TB, prefix string) *sqlstore.Store {
	t.Helper()
	if d.dialect == sqlstore.SQLite {
		return migrated(t, d.open(t), d.dialect, prefix)
	}
	return migrated(t, sharedPool(d.driver, d.dsn(t)), d.dialect, prefix)
}

// pools are shared by tests that do nothing to their connections: PostgreSQL takes
// longer to open one than most tests take.
var pools = struct {
	sync.Mutex
	open map[string]*sql.DB // by driver and data source name
}{open: map[string]*sql.DB{}}

// sharedPool returns a pool that is closed after all tests.
func sharedPool(driver, dsn string) *sql.DB {
	pools.Lock()
	defer pools.Unlock()
	db := pools.open[driver+" "+dsn]
	if db == nil {
		db = pool(nil, driver, dsn)
		db.SetMaxOpenConns(8)
		db.SetMaxIdleConns(8)
		db.SetConnMaxIdleTime(5 * time.Second) // the server has a limit for all pools together
		pools.open[driver+" "+dsn] = db
	}
	return db
}

func migrated(t testing.TB, db *sql.DB, d sqlstore.Dialect, prefix string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.New(db, d, &sqlstore.Options{TablePrefix: prefix})
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

// eachDatabase runs a test for every database, or for those named in only.
func eachDatabase(t *testing.T, only []string, run func(t *testing.T, d database)) {
	t.Helper()
	for _, d := range databases {
		if only != nil && !slices.Contains(only, d.name) {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			run(t, d)
		})
	}
}

// drivers names one database for each driver.
var drivers = []string{"postgres-pgx", "postgres-pq", "mysql", "sqlite-modernc", "sqlite-mattn"}
