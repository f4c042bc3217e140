package redisstore_test

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/redisstore"
	"github.com/askonce/askonce/store/storetest"
)

const variable = "ASKONCE_TEST_REDIS"

// connect returns a client of the server that the variable names, or of the
// one on this machine; the test is skipped when there is none.
func connect(tb testing.TB) *redis.Client {
	tb.Helper()
	url := os.Getenv(variable)
	if url == "" {
		url = "redis://127.0.0.1:6379"
	}
	opts, err := redis.ParseURL(url)
	require.NoError(tb, err, variable)
	opts.ContextTimeoutEnabled = true
	client := redis.NewClient(opts)
	tb.Cleanup(func() { client.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		missing(tb, "no Redis: set "+variable+" to its URL, such as redis://127.0.0.1:6379: "+err.Error())
	}
	return client
}

func missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("CI") != "" {
		tb.Fatal(what)
	}
	tb.Skip(what)
}

// place is a fresh prefix, whose keys are deleted when the test ends.
func place(tb testing.TB, client redis.UniversalClient) string {
	prefix := "askonce-test-" + rand.Text()
	tb.Cleanup(func() {
		ctx := context.Background()
		keys := client.Scan(ctx, 0, "{"+prefix+"}:*", 1000).Iterator()
		if cluster, ok := client.(*redis.ClusterClient); ok { // all keys are on one node
			if node, err := cluster.MasterForKey(ctx, "{"+prefix+"}:"); err == nil {
				keys = node.Scan(ctx, 0, "{"+prefix+"}:*", 1000).Iterator()
			}
		}
		for keys.Next(ctx) {
			client.Unlink(ctx, keys.Val())
		}
	})
	return prefix
}

func open(tb testing.TB, client redis.UniversalClient, prefix string) *redisstore.Store {
	tb.Helper()
	s, err := redisstore.New(client, &redisstore.Options{Prefix: prefix})
	require.NoError(tb, err)
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	client := connect(t)
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store { return open(t, client, place(t, client)) })
	})
}

func TestContractShared(t *testing.T) {
	t.Parallel()
	client := connect(t)
	t.Run("suite", func(t *testing.T) {
		storetest.RunShared(t, func(t *testing.T) func(t *testing.T) store.Store {
			prefix := place(t, client)
			return func(t *testing.T) store.Store { return open(t, client, prefix) }
		})
	})
}

func TestModel(t *testing.T) {
	t.Parallel()
	client := connect(t)
	t.Run("suite", func(t *testing.T) {
		storetest.RunModel(t, func(t *testing.T) func(t *testing.T) store.Store {
			prefix := place(t, client)
			return func(t *testing.T) store.Store { return open(t, client, prefix) }
		})
	})
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	for _, bad := range []string{"a b", "{a}", "a\n", "ä", string(make([]byte, 65))} {
		_, err := redisstore.New(client, &redisstore.Options{Prefix: bad})
		require.Error(t, err, "%q", bad)
	}
	_, err := redisstore.New(client, &redisstore.Options{Prefix: "app-1.prod_2:x"})
	require.NoError(t, err)
	require.Panics(t, func() { _, _ = redisstore.New(nil, nil) })
}

// TestBadIDs has no server: Redis is not asked about a bad id.
func TestBadIDs(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer client.Close()
	s := open(t, client, "p")
	for _, bad := range []string{"", "a\x00", "\xff", strings.Repeat("a", store.MaxIDLen+1)} {
		_, err := s.Completed(t.Context(), store.Key{StudyID: "study", UserID: bad})
		require.ErrorIs(t, err, store.ErrInvalid)
		_, err = s.Record(t.Context(), store.Completion{Key: store.Key{StudyID: "study"}, InterviewID: bad})
		require.ErrorIs(t, err, store.ErrInvalid)
		require.ErrorIs(t, s.Erase(t.Context(), bad), store.ErrInvalid)
	}
}
