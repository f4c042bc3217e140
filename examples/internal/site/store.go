package site

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/redisstore"
	"github.com/askonce/askonce/store/sqlstore"
)

// openStore opens the database at the URL, or the SQLite file if the URL is
// empty, and migrates its tables.
func openStore(ctx context.Context, databaseURL, file string) (store.Store, func() error, error) {
	if databaseURL == "" {
		return wrap(OpenSQLite(ctx, file))
	}
	u, err := url.Parse(databaseURL)
	if err != nil {
		return nil, nil, errors.New("DATABASE_URL is no URL") // err would contain the password
	}
	switch u.Scheme {
	case "postgres", "postgresql":
		return wrap(openSQL(ctx, sqlstore.Postgres, "pgx", databaseURL))
	case "mysql":
		return wrap(openSQL(ctx, sqlstore.MySQL, "mysql", mysqlDSN(u)))
	case "redis", "rediss":
		return openRedis(ctx, databaseURL)
	}
	return nil, nil, fmt.Errorf("DATABASE_URL begins with %q: want postgres://, mysql:// or redis://", u.Scheme+"://")
}

func wrap(s *sqlstore.Store, closeDB func() error, err error) (store.Store, func() error, error) {
	if err != nil {
		return nil, nil, err // a nil *sqlstore.Store would not be a nil store.Store
	}
	return s, closeDB, nil
}

// OpenSQLite opens a SQLite file with the settings that [sqlstore.New] requires.
// A new file is readable by its owner only.
func OpenSQLite(ctx context.Context, file string) (*sqlstore.Store, func() error, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err := f.Close(); err != nil {
		return nil, nil, err
	}
	const settings = "?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=secure_delete(1)"
	return openSQL(ctx, sqlstore.SQLite, "sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+settings)
}

func openSQL(ctx context.Context, d sqlstore.Dialect, driver, dsn string) (*sqlstore.Store, func() error, error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, nil, err
	}
	s, err := sqlstore.New(db, d, nil)
	if err == nil {
		err = retry(ctx, s.Migrate)
	}
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return s, func() error { return errors.Join(s.Close(), db.Close()) }, nil
}

// retry calls connect until it succeeds or ctx ends, because the database may start
// after the app.
func retry(ctx context.Context, connect func(context.Context) error) error {
	for {
		err := connect(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		slog.WarnContext(ctx, "database unavailable, trying again", "err", err)
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return err
		}
	}
}

// mysqlDSN converts a URL into the driver's format.
func mysqlDSN(u *url.URL) string {
	c := mysql.NewConfig()
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr, c.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	dsn := c.FormatDSN()
	if u.RawQuery == "" {
		return dsn
	}
	if strings.Contains(dsn, "?") {
		return dsn + "&" + u.RawQuery
	}
	return dsn + "?" + u.RawQuery
}

func openRedis(ctx context.Context, databaseURL string) (store.Store, func() error, error) {
	o, err := redis.ParseURL(databaseURL)
	if err != nil {
		return nil, nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	redis.SetLogger(redisLog{})
	client := redis.NewClient(o)
	s, err := redisstore.New(client, nil)
	if err == nil {
		err = retry(ctx, func(ctx context.Context) error { return client.Ping(ctx).Err() })
	}
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	if err := s.Check(ctx); err != nil {
		slog.WarnContext(ctx, "Redis is not configured to keep what is acknowledged", "err", err)
	}
	return s, client.Close, nil
}

// redisLog receives the client's own log lines. What matters in them is in the
// client's errors too.
type redisLog struct{}

func (redisLog) Printf(ctx context.Context, format string, v ...any) {
	slog.DebugContext(ctx, fmt.Sprintf(format, v...))
}
