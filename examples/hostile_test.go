package examples_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/store/redisstore"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

// TestHostileClient sends answers about studies that a script made up. The store keeps a
// bounded number of them, and other users are not affected. It sends 400 answers, or 10,000
// in memory or with ASKONCE_TEST_LONG set.
func TestHostileClient(t *testing.T) {
	t.Parallel()
	inTables := func(t *testing.T, driver string, d sqlstore.Dialect, dsn string) store.Store {
		db, err := sql.Open(driver, dsn)
		require.NoError(t, err)
		db.SetMaxOpenConns(4)
		t.Cleanup(func() { _ = db.Close() })
		s, err := sqlstore.New(db, d, nil)
		require.NoError(t, err)
		require.NoError(t, s.Migrate(t.Context()))
		return s
	}
	address := func(environment []string) string { return strings.TrimPrefix(environment[0], "DATABASE_URL=") }
	for name, open := range map[string]func(t *testing.T) store.Store{
		"memory": func(*testing.T) store.Store { return memstore.New() },
		"sqlite": func(t *testing.T) store.Store {
			return inTables(t, "sqlite", sqlstore.SQLite, "file:"+filepath.Join(t.TempDir(), "askonce.db")+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=busy_timeout(20000)&_pragma=secure_delete(1)")
		},
		"postgres": func(t *testing.T) store.Store { return inTables(t, "pgx", sqlstore.Postgres, address(postgres(t))) },
		"mariadb": func(t *testing.T) store.Store {
			u, err := url.Parse(address(mariaDB(t)))
			require.NoError(t, err)
			c := mysql.NewConfig()
			c.User, c.Net, c.Addr, c.DBName = u.User.Username(), "tcp", u.Host, u.Path[1:]
			c.Passwd, _ = u.User.Password()
			return inTables(t, "mysql", sqlstore.MySQL, c.FormatDSN())
		},
		"redis": func(t *testing.T) store.Store {
			o, err := redis.ParseURL(address(redisServer(t)))
			require.NoError(t, err)
			client, prefix := redis.NewClient(o), "hostile-"+rand.Text()
			t.Cleanup(func() {
				keys, err := client.Keys(context.Background(), "{"+prefix+"}:*").Result()
				require.NoError(t, err)
				require.NoError(t, client.Del(context.Background(), keys...).Err())
				require.NoError(t, client.Close())
			})
			s, err := redisstore.New(client, &redisstore.Options{Prefix: prefix})
			require.NoError(t, err)
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 400
			if name == "memory" || os.Getenv("ASKONCE_TEST_LONG") != "" {
				n = 10_000
			}
			attack(t, open(t), n)
		})
	}
}

func attack(t *testing.T, s store.Store, n int) {
	provider := userjourneystest.NewServer(t, nil)
	study := provider.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback"}).ID
	var log bytes.Buffer
	kit, err := askonce.New(askonce.Config{
		APIKey: provider.APIKey(), WebhookSecret: provider.Secret(), BaseURL: provider.BaseURL(), Studies: []string{study},
		User: func(r *http.Request) string { return r.Header.Get("User") }, Store: store.NewCached(s, nil),
		CookieKeys: [][]byte{make([]byte, 32), make([]byte, 16)}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, err)
	endpoints := kit.Middleware().Endpoints()
	post := func(user, to, study string) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/askonce/"+to+"?study="+url.QueryEscape(study), nil)
		r.Header.Set("User", user)
		endpoints.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, http.StatusNoContent, post("mallory", "shown", study))
	began := time.Now()
	var taken, refused, late atomic.Int32
	var clients sync.WaitGroup
	next := make(chan int)
	for range 8 {
		clients.Go(func() {
			for i := range next {
				send := func() int {
					return post("mallory", []string{"shown", "later", "decline", "undo"}[i%4], fmt.Sprint("made up ", i))
				}
				status := send()
				for status == http.StatusServiceUnavailable { // the store was not in time
					late.Add(1)
					status = send()
				}
				switch status {
				case http.StatusNoContent:
					taken.Add(1)
				case http.StatusBadRequest:
					refused.Add(1)
				default:
					t.Errorf("status %d", status)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	clients.Wait()
	t.Logf("%d answers in %.1f s: %d kept, %d refused", n, time.Since(began).Seconds(), taken.Load(), refused.Load())
	require.EqualValues(t, store.MaxStudies-1, taken.Load())
	require.EqualValues(t, n-store.MaxStudies+1, refused.Load())
	interactions, _ := store.As[store.Interactions](s)
	p, err := interactions.Person(t.Context(), "mallory")
	require.NoError(t, err)
	require.Len(t, p.Studies, store.MaxStudies)
	require.EqualValues(t, 1+late.Load(), strings.Count(log.String(), "askonce: interaction not recorded"), log.String())

	require.Equal(t, http.StatusNoContent, post("mallory", "decline", study), "a study that is known")
	require.Equal(t, http.StatusNoContent, post("mallory", "optout", ""))
	require.Equal(t, http.StatusNoContent, post("bob", "decline", "of another deployment"))
}
