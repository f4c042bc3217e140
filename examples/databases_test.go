package examples_test

import (
	"cmp"
	"context"
	"database/sql"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// skip skips the test because a server is missing. In CI it fails the test.
func skip(t *testing.T, variable string, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("no server: %v; set %s to one for tests", err, variable)
	}
	t.Skipf("no server: %v; set %s to one for tests", err, variable)
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func database(url string) []string { return []string{"DATABASE_URL=" + url, cookieKey} }

// postgres returns the environment for a new schema.
func postgres(t *testing.T) []string {
	const variable = "ASKONCE_TEST_POSTGRES"
	dsn, err := url.Parse(cmp.Or(os.Getenv(variable), "postgres://postgres@127.0.0.1:5432/test?sslmode=disable"))
	require.NoError(t, err, variable)
	schema := scratch(t, variable, "pgx", dsn.String(), "schema", " cascade")
	query := dsn.Query()
	query.Set("search_path", schema)
	dsn.RawQuery = query.Encode()
	return database(dsn.String())
}

// mariaDB returns the environment for a new database.
func mariaDB(t *testing.T) []string {
	const variable = "ASKONCE_TEST_MYSQL"
	c, err := mysql.ParseDSN(cmp.Or(os.Getenv(variable), "root@tcp(127.0.0.1:3306)/test"))
	require.NoError(t, err, variable)
	name := scratch(t, variable, "mysql", c.FormatDSN(), "database", "")
	return database((&url.URL{Scheme: "mysql", User: url.UserPassword(c.User, c.Passwd), Host: c.Addr, Path: "/" + name}).String())
}

// scratch creates a schema or database that is dropped when the test ends.
func scratch(t *testing.T, variable, driver, dsn, what, dropAll string) string {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	if err := db.PingContext(deadline(t)); err != nil {
		skip(t, variable, err)
	}
	name := "askonce_" + what + "_" + strings.NewReplacer("/", "_").Replace(strings.ToLower(t.Name()))
	drop := "drop " + what + " if exists " + name + dropAll
	for _, statement := range []string{drop, "create " + what + " " + name} {
		_, err = db.ExecContext(deadline(t), statement)
		require.NoError(t, err)
	}
	t.Cleanup(func() {
		_, err := db.Exec(drop)
		require.NoError(t, err)
		require.NoError(t, db.Close())
	})
	return name
}

// redisServer returns the environment for a numbered database that is rarely
// used, and removes its keys when the test ends.
func redisServer(t *testing.T) []string {
	const variable = "ASKONCE_TEST_REDIS"
	dsn, err := url.Parse(cmp.Or(os.Getenv(variable), "redis://127.0.0.1:6379"))
	require.NoError(t, err, variable)
	dsn.Path = "/9"
	o, err := redis.ParseURL(dsn.String())
	require.NoError(t, err, variable)
	client := redis.NewClient(o)
	if err := client.Ping(deadline(t)).Err(); err != nil {
		skip(t, variable, err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		keys, err := client.Keys(ctx, "{askonce}:*").Result()
		require.NoError(t, err)
		if len(keys) > 0 {
			require.NoError(t, client.Del(ctx, keys...).Err())
		}
		require.NoError(t, client.Close())
	})
	return database(dsn.String())
}
