package redisstore_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/redisstore"
	"github.com/askonce/askonce/store/storetest"
)

// server is a Redis of the test's own, on a free port, that it may kill.
type server struct {
	t    *testing.T
	addr string
	args []string
	cmd  *exec.Cmd
}

// startServer starts a server with these settings. Its folder outlives kill.
func startServer(t *testing.T, settings ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		missing(t, "no redis-server in PATH: install Redis to test what needs a server of its own")
	}
	port := freePort(t)
	s := &server{t: t, addr: "127.0.0.1:" + port, args: append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--loglevel", "warning",
	}, settings...)}
	t.Cleanup(func() { s.kill() })
	s.start()
	return s
}

func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command("redis-server", s.args...)
	require.NoError(s.t, s.cmd.Start())
	client := redis.NewClient(&redis.Options{Addr: s.addr, MaxRetries: -1})
	defer client.Close()
	require.Eventually(s.t, func() bool { return client.Ping(context.Background()).Err() == nil }, 20*time.Second, 10*time.Millisecond, "redis-server does not come up")
}

// kill ends the server between any two of its instructions.
func (s *server) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGKILL)
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

func (s *server) connect() *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: s.addr, ContextTimeoutEnabled: true})
	s.t.Cleanup(func() { client.Close() })
	return client
}

// freePort is a port whose neighbour, 10000 above, is likely to be free too:
// a cluster node takes both.
func freePort(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port < 55000 {
			return strconv.Itoa(port)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		settings []string
		want     []error
	}{
		{"durable", []string{"--appendonly", "yes", "--appendfsync", "always"}, nil},
		{"no log", []string{"--appendonly", "no"}, []error{redisstore.ErrNotDurable}},
		{"log once a second", []string{"--appendonly", "yes", "--appendfsync", "everysec"}, []error{redisstore.ErrNotDurable}},
		{"evicts", []string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"}, []error{redisstore.ErrEvicts}},
		{"evicts only what expires", []string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"}, nil},
		{"both", []string{"--appendonly", "no", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-random"}, []error{redisstore.ErrNotDurable, redisstore.ErrEvicts}},
		{"forbidden to look", []string{"--rename-command", "CONFIG", ""}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := open(t, startServer(t, c.settings...).connect(), "p").Check(t.Context())
			if c.want == nil {
				require.NoError(t, err)
			}
			for _, want := range c.want {
				require.ErrorIs(t, err, want)
				require.Contains(t, err.Error(), ": set it to ", "the way out")
			}
		})
	}
	t.Run("no server", func(t *testing.T) {
		t.Parallel()
		s := startServer(t)
		client := s.connect()
		s.kill()
		err := open(t, client, "p").Check(t.Context())
		require.Error(t, err)
		require.False(t, errors.Is(err, redisstore.ErrNotDurable))
	})
}

func TestClosedClient(t *testing.T) {
	t.Parallel()
	client := connect(t)
	s := open(t, client, place(t, connect(t)))
	require.NoError(t, client.Close())
	_, err := s.Completed(t.Context(), store.Key{StudyID: "s", UserID: "u"})
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = s.Record(t.Context(), completion(1))
	require.ErrorIs(t, err, store.ErrClosed)
}

func completion(n int) store.Completion {
	id := strconv.Itoa(n)
	return store.Completion{Key: store.Key{StudyID: "s", UserID: "u" + id}, InterviewID: "i" + id, CompletedAt: time.Unix(int64(n), 0)}
}

// TestKilledServer kills the server under load, again and again: with the
// settings of the package comment, whatever Record has acknowledged is there
// afterwards, whole.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	rounds := 3
	if os.Getenv("ASKONCE_TEST_LONG") != "" {
		rounds = 20
	}
	srv := startServer(t, "--appendonly", "yes", "--appendfsync", "always")
	s := open(t, srv.connect(), "p")
	acknowledged, next := []store.Completion{}, 0
	// After a server has been away, the client's pool answers for a moment with
	// the error that it had.
	reconnected := func() {
		require.Eventually(t, func() bool {
			_, err := s.Completed(t.Context(), completion(0).Key)
			return err == nil
		}, 20*time.Second, 10*time.Millisecond, "the client does not come back to the server")
	}
	for range rounds {
		reconnected()
		const each = 300
		done := make(chan []store.Completion)
		for w := range 4 {
			go func() {
				var mine []store.Completion
				for n := range each {
					c := completion(next + w*each + n)
					if _, err := s.Record(context.Background(), c); err == nil {
						mine = append(mine, c)
					} else if len(mine) > 0 {
						break // the server is gone
					}
				}
				done <- mine
			}()
		}
		require.Eventually(t, func() bool { // in the middle of it
			done, err := s.Completed(t.Context(), completion(next+20).Key)
			return err == nil && done
		}, 20*time.Second, time.Millisecond)
		srv.kill()
		_, err := s.Record(t.Context(), completion(0))
		require.Error(t, err, "while the server is away")
		for range 4 {
			acknowledged = append(acknowledged, <-done...)
		}
		next += 4 * each
		srv.start()
	}
	reconnected()
	require.NotEmpty(t, acknowledged)
	jobs := map[string]bool{}
	for j, err := range s.PendingJobs(t.Context()) {
		require.NoError(t, err)
		jobs[j.InterviewID] = true
	}
	for _, c := range acknowledged {
		done, err := s.Completed(t.Context(), c.Key)
		require.NoError(t, err)
		require.True(t, done, "acknowledged and lost: %s", c.InterviewID)
		require.True(t, jobs[c.InterviewID], "acknowledged without its job: %s", c.InterviewID)
	}
	t.Logf("%d kills, %d completions acknowledged, none lost", rounds, len(acknowledged))
}

// TestKeysAndErase looks at every key of a server: all have the prefix, and none
// has the id of a user who was erased.
func TestKeysAndErase(t *testing.T) {
	t.Parallel()
	client := startServer(t, "--rdbcompression", "no").connect() // for Dump
	s := open(t, client, "p")
	ctx := t.Context()
	const user = "ada-who-wants-to-be-forgotten"
	record := func(id, user string) {
		_, err := s.Record(ctx, store.Completion{Key: store.Key{StudyID: "study", UserID: user}, InterviewID: id, CompletedAt: time.Now()})
		require.NoError(t, err)
	}
	claim := func() store.Job {
		jobs, err := s.ClaimJobs(ctx, time.Hour, 1)
		require.NoError(t, err)
		require.Len(t, jobs, 1)
		return jobs[0]
	}
	record("fetched", user)
	j := claim()
	require.NoError(t, s.SaveTranscript(ctx, j, store.Transcript{Body: []byte("I am " + user)}))
	require.NoError(t, s.FinishJob(ctx, j))
	record("dead", user)
	j = claim()
	j.Reason = "nothing of " + user
	require.NoError(t, s.KillJob(ctx, j))
	record("pending", user)
	record("anonymous", "")
	require.NoError(t, s.AddDeadLetter(ctx, store.DeadLetter{ReceivedAt: time.Now(), Body: []byte("{}")}))
	_, _, err := s.Acquire(ctx, "walk", "me", time.Minute)
	require.NoError(t, err)
	with := func(text string) (found []string) {
		keys, err := client.Keys(ctx, "*").Result()
		require.NoError(t, err)
		for _, key := range keys {
			require.True(t, strings.HasPrefix(key, "{p}:"), key)
			value, err := client.Dump(ctx, key).Result()
			require.NoError(t, err)
			if strings.Contains(value, text) {
				found = append(found, key)
			}
		}
		return found
	}
	require.Subset(t, with(user), []string{"{p}:interviews", "{p}:by_user", "{p}:transcripts", "{p}:jobs"})

	require.NoError(t, s.Erase(ctx, user))
	record("late", user)
	record("anonymous", user)
	require.Empty(t, with(user))
	done, err := s.Completed(ctx, store.Key{StudyID: "study", UserID: user})
	require.NoError(t, err)
	require.True(t, done)
}

func TestFullServerRefuses(t *testing.T) {
	t.Parallel()
	client := startServer(t).connect()
	s := open(t, client, "p")
	kept := completion(1)
	_, err := s.Record(t.Context(), kept)
	require.NoError(t, err)
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	_, err = s.Record(t.Context(), completion(2))
	require.Error(t, err, "a full server takes nothing more")
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	for n, want := range map[int]bool{1: true, 2: false} {
		done, err := s.Completed(t.Context(), completion(n).Key)
		require.NoError(t, err)
		require.Equal(t, want, done)
	}
	all := 0
	for _, err := range s.Completions(t.Context(), store.Filter{}) {
		require.NoError(t, err)
		all++
	}
	require.Equal(t, 1, all, "nothing half-written")
}

// TestCluster runs the contract on three masters: every script's keys must be
// in one slot, whatever the ids.
func TestCluster(t *testing.T) {
	t.Parallel()
	client := startCluster(t)
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store { return open(t, client, place(t, client)) })
	})
	require.ErrorIs(t, open(t, client, "p").Check(t.Context()), redisstore.ErrNotDurable)
}

func startCluster(t *testing.T) *redis.ClusterClient {
	t.Helper()
	const slots = 16384
	var nodes []*redis.Client
	var addrs []string
	for range 3 {
		s := startServer(t, "--cluster-enabled", "yes")
		nodes, addrs = append(nodes, s.connect()), append(addrs, s.addr)
	}
	ctx := t.Context()
	for n, node := range nodes {
		first, last := n*slots/3, (n+1)*slots/3-1
		require.NoError(t, node.ClusterAddSlotsRange(ctx, first, last).Err())
		host, port, err := net.SplitHostPort(addrs[(n+1)%3])
		require.NoError(t, err)
		require.NoError(t, node.ClusterMeet(ctx, host, port).Err())
	}
	for _, node := range nodes {
		require.Eventually(t, func() bool {
			info, err := node.ClusterInfo(ctx).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		}, 20*time.Second, 20*time.Millisecond, "the cluster does not come together")
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, ContextTimeoutEnabled: true})
	t.Cleanup(func() { client.Close() })
	return client
}
