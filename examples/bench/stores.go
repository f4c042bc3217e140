package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite"

	"github.com/askonce/askonce/examples/bench/report"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/redisstore"
	"github.com/askonce/askonce/store/sqlstore"
)

// backend is a store in a database, with one row that the driver's own
// statements use.
type backend struct {
	name          string
	store         store.Store
	lookUp        func(ctx context.Context) error               // of the row, by its key
	insert        func(ctx context.Context, n int) error        // of another one
	fill          func(ctx context.Context, from, to int) error // completions, in bulk
	bytes         func(ctx context.Context) (int64, error)      // what they take
	close, remove func()
}

// opener opens a backend, which may use the folder.
type opener func(ctx context.Context, dir string) (*backend, error)

var backends = []opener{openSQLite, openPostgres, openMySQL, openRedis}

// stores compares the stores with one statement of the driver's own.
func stores(ctx context.Context, e effort) (report.Part, error) {
	p := report.Part{
		Title: "Stores",
		Text: "Who has completed what, and the record of a completion with its job, beside one prepared look-up by primary key and one insert through the same\n" +
			"driver. The last row, with the cache in front, is what most page views cost.",
	}
	err := eachBackend(ctx, func(b *backend) error {
		groups, err := b.measure(ctx, e)
		p.Groups = append(p.Groups, groups...)
		return err
	})
	return p, err
}

// eachBackend measures every store whose server is reachable, and removes what it made.
func eachBackend(ctx context.Context, measure func(b *backend) error) error {
	dir, err := os.MkdirTemp("", "askonce-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, open := range backends {
		b, err := open(ctx, dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, "left out:", err)
			continue
		}
		err = measure(b)
		b.remove()
		b.close()
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
	}
	return nil
}

func (b *backend) measure(ctx context.Context, e effort) ([]report.Group, error) {
	c := store.Completion{Key: userKey(0), InterviewID: "i0", CompletedAt: time.Now()}
	if _, err := b.store.Record(ctx, c); err != nil {
		return nil, err
	}
	cached := store.NewCached(b.store, nil)
	var failed error
	times := func(do func(n int) error) func(int) {
		n := 0
		return func(times int) {
			for range times {
				n++
				if err := do(n); err != nil {
					failed = err
				}
			}
		}
	}
	completed := func(s store.Store) func(int) error {
		return func(int) error {
			_, err := s.Completed(ctx, c.Key)
			return err
		}
	}
	groups := []report.Group{
		compare(e, b.name+", has this user completed?",
			contender{name: "driver, one look-up", run: times(func(int) error { return b.lookUp(ctx) })},
			contender{name: "askonce", run: times(completed(b.store)), ours: true},
			contender{name: "askonce, cached", run: times(completed(cached)), ours: true}),
		compare(e, b.name+", record",
			contender{name: "driver, one insert", run: times(func(n int) error { return b.insert(ctx, n) })},
			contender{name: "askonce: interview, person and funnel", run: times(func(n int) error {
				_, err := b.store.Record(ctx, store.Completion{Key: userKey(n), InterviewID: fmt.Sprintf("i%d", n), CompletedAt: c.CompletedAt})
				return err
			}), ours: true}),
	}
	return groups, failed
}

func openSQLite(ctx context.Context, dir string) (*backend, error) {
	path := filepath.Join(dir, "bench.db")
	return openSQL(ctx, "SQLite", "sqlite", "file:"+path+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)", sqlstore.SQLite)
}

func openPostgres(ctx context.Context, _ string) (*backend, error) {
	dsn := cmp.Or(os.Getenv("ASKONCE_TEST_POSTGRES"), "postgres://postgres@127.0.0.1:5432/test?sslmode=disable")
	return openSQL(ctx, "PostgreSQL", "pgx", dsn, sqlstore.Postgres)
}

func openMySQL(ctx context.Context, _ string) (*backend, error) {
	return openSQL(ctx, "MariaDB", "mysql", cmp.Or(os.Getenv("ASKONCE_TEST_MYSQL"), "root@tcp(127.0.0.1:3306)/test"), sqlstore.MySQL)
}

func openSQL(ctx context.Context, name, driver, dsn string, dialect sqlstore.Dialect) (_ *backend, err error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	prefix := "bench_" + rand.Text()[:8] + "_"
	s, err := sqlstore.New(db, dialect, &sqlstore.Options{TablePrefix: prefix})
	if err != nil {
		return nil, err
	}
	if err := s.Migrate(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	first := store.Key{StudyID: openStudy.ID, UserID: "not one of those that are measured"}
	if err := s.Reset(ctx, first); err != nil { // the first write about a user makes the key of the hashes
		return nil, err
	}
	raw, mark := prefix+"raw", "?"
	if dialect == sqlstore.Postgres {
		mark = "$1"
	}
	for _, statement := range []string{
		"create table " + raw + " (k varchar(64) primary key)", "insert into " + raw + " values ('row')",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return nil, err
		}
	}
	lookUp, err := db.PrepareContext(ctx, "select 1 from "+raw+" where k = "+mark)
	if err != nil {
		return nil, err
	}
	insert, err := db.PrepareContext(ctx, "insert into "+raw+" values ("+mark+")")
	if err != nil {
		return nil, err
	}
	t := tables{db, dialect, prefix}
	return &backend{
		name: name, store: s, fill: t.fill, bytes: t.bytes,
		lookUp: func(ctx context.Context) error {
			var one int
			return lookUp.QueryRowContext(ctx, "row").Scan(&one)
		},
		insert: func(ctx context.Context, n int) error {
			_, err := insert.ExecContext(ctx, fmt.Sprint("row", n))
			return err
		},
		close:  func() { db.Close() },
		remove: func() { dropTables(db, prefix) },
	}, nil
}

// dropTables removes the tables from a shared server.
func dropTables(db *sql.DB, prefix string) {
	_, _ = db.Exec("drop view if exists " + prefix + "transcript_json")
	for _, t := range []string{"raw", "interview", "person", "reset", "funnel", "transcript", "secret", "dead_letter", "checkpoint", "switch", "schema"} {
		_, _ = db.Exec("drop table if exists " + prefix + t) // drop the others even if this fails
	}
}

func openRedis(ctx context.Context, _ string) (*backend, error) {
	opts, err := redis.ParseURL(cmp.Or(os.Getenv("ASKONCE_TEST_REDIS"), "redis://127.0.0.1:6379"))
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(opts)
	prefix := "askonce-bench-" + rand.Text()
	keys := "{" + prefix + "}:"
	raw := keys + "raw"
	if err := client.HSet(ctx, raw, "row", "1").Err(); err != nil {
		client.Close()
		return nil, fmt.Errorf("redis: %w", err)
	}
	s, err := redisstore.New(client, &redisstore.Options{Prefix: prefix})
	if err != nil {
		client.Close()
		return nil, err
	}
	return &backend{
		name: "Redis", store: s,
		lookUp: func(ctx context.Context) error { return client.HGet(ctx, raw, "row").Err() },
		insert: func(ctx context.Context, n int) error { return client.HSet(ctx, raw, fmt.Sprint("row", n), "1").Err() },
		fill:   func(ctx context.Context, from, to int) error { return fillByRecord(ctx, s, from, to) },
		bytes:  func(ctx context.Context) (int64, error) { return redisBytes(ctx, client, keys) },
		close:  func() { client.Close() },
		remove: func() {
			ctx := context.WithoutCancel(ctx)
			all := client.Scan(ctx, 0, keys+"*", 1000).Iterator()
			for all.Next(ctx) {
				client.Unlink(ctx, all.Val())
			}
		},
	}, nil
}
