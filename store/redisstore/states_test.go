package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/redisstore"
)

// fill records interviews 1 and 2, erases the user of 2, fetches the transcript of 1,
// and notes that the user "no" has declined.
func fill(t *testing.T, s *redisstore.Store) {
	t.Helper()
	for n := range 2 {
		_, err := s.Record(t.Context(), completion(n+1))
		require.NoError(t, err)
	}
	jobs, err := s.ClaimJobs(t.Context(), time.Minute, 1)
	require.NoError(t, err)
	require.NoError(t, s.SaveTranscript(t.Context(), jobs[0], store.Transcript{FetchedAt: time.Now(), Body: []byte("{}")}))
	require.NoError(t, s.FinishJob(t.Context(), jobs[0]))
	require.NoError(t, s.Note(t.Context(), store.Interaction{Key: store.Key{StudyID: "s", UserID: "no"}, Kind: store.InteractionDeclined, At: time.Now()}))
	require.NoError(t, s.Erase(t.Context(), completion(2).UserID))
}

func requireCompleted(t *testing.T, s *redisstore.Store, want bool, n int) {
	t.Helper()
	done, err := s.Completed(t.Context(), completion(n).Key)
	require.NoError(t, err)
	require.Equal(t, want, done, "interview %d", n)
}

func first[T any](list func(yield func(T, error) bool)) (err error) {
	list(func(_ T, e error) bool {
		err = e
		return false
	})
	return err
}

// look calls everything that only reads.
func look(ctx context.Context, s *redisstore.Store) map[string]error {
	_, completed := s.Completed(ctx, completion(1).Key)
	_, person := s.Person(ctx, "no")
	_, funnel := s.Funnel(ctx, "s", time.Now(), time.Now().AddDate(0, 0, 1))
	_, switches := s.Switches(ctx)
	return map[string]error{
		"Completed": completed, "Person": person, "Funnel": funnel, "Switches": switches,
		"Completions": first(s.Completions(ctx, store.Filter{})), "PendingJobs": first(s.PendingJobs(ctx)),
		"DeadJobs": first(s.DeadJobs(ctx)), "DeadLetters": first(s.DeadLetters(ctx)),
	}
}

// refused is how Redis says that a user may not call a command, by its version.
const refused = "NOPERM|can't run this command"

// TestReadsNeverWrite starts a process on a server that takes no writes: look-ups
// work, and writes fail in a way that a repetition may cure.
func TestReadsNeverWrite(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		says string
		bar  func(t *testing.T, srv *server, admin *redis.Client) *redis.Client
	}{
		{"a replica", "READONLY", func(t *testing.T, srv *server, _ *redis.Client) *redis.Client {
			host, port, err := net.SplitHostPort(srv.addr)
			require.NoError(t, err)
			replica := startServer(t, "--replicaof", host+" "+port).connect()
			require.Eventually(t, func() bool {
				info, err := replica.Info(t.Context(), "replication").Result()
				return err == nil && strings.Contains(info, "master_link_status:up")
			}, 20*time.Second, 10*time.Millisecond)
			return replica
		}},
		{"a full server", "OOM", func(t *testing.T, srv *server, admin *redis.Client) *redis.Client {
			require.NoError(t, admin.ConfigSet(t.Context(), "maxmemory", "1").Err())
			return srv.connect()
		}},
		{"a user who may only read", refused, func(t *testing.T, srv *server, admin *redis.Client) *redis.Client {
			require.NoError(t, admin.Do(t.Context(), "ACL", "SETUSER", "reader", "on", "nopass", "~*", "+@read", "+@connection", "+@scripting").Err())
			client := redis.NewClient(&redis.Options{Addr: srv.addr, Username: "reader", Password: "any", ContextTimeoutEnabled: true})
			t.Cleanup(func() { client.Close() })
			return client
		}},
	} {
		for _, filled := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, filled %v", tc.name, filled), func(t *testing.T) {
				t.Parallel()
				srv := startServer(t, "--repl-diskless-sync-delay", "0")
				admin := srv.connect()
				if filled {
					fill(t, open(t, admin, "p"))
				}
				barred := tc.bar(t, srv, admin)
				s := open(t, barred, "p")
				for what, err := range look(t.Context(), s) {
					require.NoError(t, err, what)
				}
				requireCompleted(t, s, filled, 1)
				requireCompleted(t, s, filled, 2)
				first, err := s.Record(t.Context(), completion(3))
				require.Error(t, err)
				require.Regexp(t, tc.says, err.Error())
				require.NotErrorIs(t, err, store.ErrPermanent)
				require.False(t, first)
				err = s.Check(t.Context())
				require.ErrorIs(t, err, redisstore.ErrForbidden)
				require.Regexp(t, tc.says, err.Error())
			})
		}
	}
}

// TestLostKey loses the key of the hashes, and takes both ways out.
func TestLostKey(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(ctx context.Context, client *redis.Client, key string) error{
		"missing": func(ctx context.Context, c *redis.Client, key string) error { return c.Del(ctx, key).Err() },
		"another's": func(ctx context.Context, c *redis.Client, key string) error {
			return c.Set(ctx, key, "another", 0).Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := connect(t)
			prefix := place(t, client)
			running, key := open(t, client, prefix), "{"+prefix+"}:key"
			fill(t, running)
			reset := completion(4)
			_, err := running.Record(t.Context(), reset)
			require.NoError(t, err)
			require.NoError(t, running.Reset(t.Context(), reset.Key))
			kept, err := client.Get(t.Context(), key).Bytes()
			require.NoError(t, err)
			require.NoError(t, lose(t.Context(), client, key))

			started := open(t, client, prefix)
			_, completed := started.Completed(t.Context(), completion(1).Key)
			_, person := started.Person(t.Context(), "no")
			_, record := started.Record(t.Context(), completion(3))
			for what, err := range map[string]error{
				"Completed": completed, "Person": person, "Record": record, "Erase": started.Erase(t.Context(), "no"), "Reset": started.Reset(t.Context(), reset.Key),
				"Note": started.Note(t.Context(), store.Interaction{Key: reset.Key, Kind: store.InteractionShown, At: time.Now()}),
			} {
				require.ErrorIs(t, err, redisstore.ErrKey, what)
				require.ErrorContains(t, err, "StartOver", "the way out")
			}
			require.False(t, client.HExists(t.Context(), "{"+prefix+"}:interviews", "i3").Val(), "something was stored without a key")
			requireCompleted(t, running, true, 1) // it still has the key

			require.NoError(t, client.Set(t.Context(), key, kept, 0).Err())
			requireCompleted(t, started, true, 1)
			requireCompleted(t, started, true, 2)

			require.NoError(t, lose(t.Context(), client, key))
			started = open(t, client, prefix)
			require.NoError(t, started.StartOver(t.Context()))
			for _, s := range []*redisstore.Store{running, started, open(t, client, prefix)} {
				requireCompleted(t, s, true, 1)
				requireCompleted(t, s, false, 2) // who was erased is not known any more
				requireCompleted(t, s, false, 4)
				p, err := s.Person(t.Context(), "no")
				require.NoError(t, err)
				require.Zero(t, p)
			}
			_, err = running.Record(t.Context(), completion(1))
			require.NoError(t, err)
			days, err := running.Funnel(t.Context(), "s", time.Unix(0, 0), time.Unix(1, 0).AddDate(0, 0, 1))
			require.NoError(t, err)
			require.Equal(t, 3, days[0].Completed, "counted once more")
		})
	}
}

// TestFlushed empties the server under processes that run: what they write then, all
// others find. The first is a server without its scripts.
func TestFlushed(t *testing.T) {
	t.Parallel()
	client := startServer(t).connect()
	running := []*redisstore.Store{open(t, client, "p"), open(t, client, "p")}
	fill(t, running[0])
	requireCompleted(t, running[1], true, 1)

	require.NoError(t, client.ScriptFlush(t.Context()).Err())
	_, err := running[0].Record(t.Context(), completion(5))
	require.NoError(t, err)
	requireCompleted(t, running[1], true, 1)

	require.NoError(t, client.FlushAll(t.Context()).Err())
	for i, s := range running {
		requireCompleted(t, s, false, 1)
		for what, err := range look(t.Context(), s) {
			require.NoError(t, err, what)
		}
		first, err := s.Record(t.Context(), completion(6+i))
		require.NoError(t, err)
		require.True(t, first)
		for _, s := range append(running, open(t, client, "p")) {
			requireCompleted(t, s, true, 6+i)
		}
	}
}

// TestEvicted takes one key after the other away: everybody else is served on, and
// what is recorded again is there again.
func TestEvicted(t *testing.T) {
	t.Parallel()
	client := startServer(t).connect()
	fill(t, open(t, client, "p"))
	_, err := open(t, client, "p").Record(t.Context(), completion(3))
	require.NoError(t, err)
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	require.Greater(t, len(keys), 10)
	for _, key := range keys {
		if key == "{p}:key" {
			continue // see TestLostKey
		}
		t.Run(key, func(t *testing.T) {
			require.NoError(t, client.FlushAll(t.Context()).Err())
			s := open(t, client, "p")
			fill(t, s)
			_, err := s.Record(t.Context(), completion(3))
			require.NoError(t, err)
			require.NoError(t, client.Unlink(t.Context(), key).Err())
			for what, err := range look(t.Context(), s) {
				require.NoError(t, err, what)
			}
			_, err = s.Record(t.Context(), completion(4))
			require.NoError(t, err)
			for _, n := range []int{1, 3, 4} {
				_, err := s.Record(t.Context(), completion(n))
				require.NoError(t, err)
				requireCompleted(t, s, true, n)
			}
			claimed := map[string]bool{}
			for range 3 { // orphans are dropped when they are met
				jobs, err := s.ClaimJobs(t.Context(), time.Minute, 10)
				require.NoError(t, err)
				for _, j := range jobs {
					claimed[j.InterviewID] = true
					require.NoError(t, s.FinishJob(t.Context(), j))
				}
			}
			require.True(t, claimed["i4"], "a new job")
			require.NoError(t, s.Erase(t.Context(), completion(3).UserID))
			require.NoError(t, s.Erase(t.Context(), completion(1).UserID))
		})
	}
}

// commands returns the commands that the store calls in scripts.
func commands(t *testing.T) (all []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`redis\.call\('([A-Z]+)'`).FindAllStringSubmatch(string(source), -1) {
			if !seen[m[1]] {
				seen[m[1]], all = true, append(all, m[1])
			}
		}
	}
	require.Greater(t, len(all), 10)
	return all
}

// TestRefusedCommands forbids one command at a time, which stops scripts half-way:
// Check names it, and a Record that failed is repeated from the beginning.
func TestRefusedCommands(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	admin := srv.connect()
	require.NotErrorIs(t, open(t, admin, "p").Check(t.Context()), redisstore.ErrForbidden, "of a user who may do everything")
	failed := 0
	for n, command := range commands(t) {
		prefix := fmt.Sprint("p", n)
		require.NoError(t, admin.Do(t.Context(), "ACL", "SETUSER", command, "on", "nopass", "~*", "+@all", "-"+strings.ToLower(command)).Err())
		client := redis.NewClient(&redis.Options{Addr: srv.addr, Username: command, Password: "any", ContextTimeoutEnabled: true})
		t.Cleanup(func() { client.Close() })
		barred, s := open(t, client, prefix), open(t, admin, prefix)
		err := barred.Check(t.Context())
		require.ErrorIs(t, err, redisstore.ErrForbidden, command)
		require.ErrorContains(t, err, command)

		c := completion(1)
		_, err = barred.Record(t.Context(), c)
		again, errAgain := s.Record(t.Context(), c)
		require.NoError(t, errAgain)
		if err != nil {
			failed++
			require.Regexp(t, refused, err.Error(), command)
			require.NotErrorIs(t, err, store.ErrPermanent)
			require.True(t, again, "%s: the repetition is not the first", command)
		}
		requireCompleted(t, s, true, 1)
		jobs, err := s.ClaimJobs(t.Context(), time.Minute, 10)
		require.NoError(t, err)
		require.Len(t, jobs, 1, command)
		days, err := s.Funnel(t.Context(), "s", c.CompletedAt, c.CompletedAt.AddDate(0, 0, 1))
		require.NoError(t, err)
		require.Equal(t, 1, days[0].Completed, "%s: counted once", command)
	}
	require.Greater(t, failed, 4, "commands that Record uses")
}

// resent sends every script twice, as the client does when an answer is lost.
type resent struct{}

func (resent) DialHook(next redis.DialHook) redis.DialHook { return next }

func (resent) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if strings.HasPrefix(cmd.Name(), "eval") {
			_ = next(ctx, cmd)
			cmd.SetErr(nil)
		}
		return next(ctx, cmd)
	}
}

func (resent) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// TestResentScripts loses the first answer to every script.
func TestResentScripts(t *testing.T) {
	t.Parallel()
	client := connect(t)
	client.AddHook(resent{})
	s := open(t, client, place(t, client))
	for n := range 3 {
		first, err := s.Record(t.Context(), completion(n))
		require.NoError(t, err)
		require.True(t, first, "nobody else was told that it is the first")
		again, err := s.Record(t.Context(), completion(n))
		require.NoError(t, err)
		require.False(t, again)
	}
	jobs, err := s.ClaimJobs(t.Context(), time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, jobs, 3)
	require.NoError(t, s.ExtendJob(t.Context(), jobs[0], time.Minute))
	require.NoError(t, s.SaveTranscript(t.Context(), jobs[0], store.Transcript{FetchedAt: time.Now(), Body: []byte("{}")}))
	require.NoError(t, s.FinishJob(t.Context(), jobs[0]))
	require.NoError(t, s.PostponeJob(t.Context(), jobs[1], time.Hour))
	require.NoError(t, s.KillJob(t.Context(), jobs[2]))
	days, err := s.Funnel(t.Context(), "s", time.Unix(0, 0), time.Unix(1, 0).AddDate(0, 0, 1))
	require.NoError(t, err)
	require.Equal(t, 3, days[0].Completed)
}
