//go:build unix

package integration

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
	"github.com/stretchr/testify/require"
)

// A server is a database server that belongs to one test, which may kill it.
type server struct {
	t       *testing.T
	account *syscall.Credential // database servers refuse to run as root; nil: the test's account
	command func() *exec.Cmd
	running *exec.Cmd
	db      *sql.DB
	dsn     string // PgBouncer's
}

// TestCrashOfTheServer kills the server under load and starts it again after a while.
// Calls fail in the meantime, and what was acknowledged is there afterwards.
func TestCrashOfTheServer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		dialect sqlstore.Dialect
		prepare func(t *testing.T) *server
	}{
		{"postgres", sqlstore.Postgres, privatePostgres},
		{"mariadb", sqlstore.MySQL, privateMariaDB},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			srv := tc.prepare(t)
			srv.start()
			s := migrated(t, srv.db, tc.dialect, "askonce_")
			away := time.Second
			if os.Getenv(longVariable) != "" {
				away = 10 * time.Second
			}
			var acked []string
			for round := range rounds() {
				acked = append(acked, srv.killUnderLoad(s, round)...)
				srv.requireUnavailable(s, away)
				srv.start()
				requireKept(t, s, acked)
			}
			require.NotEmpty(t, acked)
			requireWhole(t, s)
			t.Logf("%d rounds, %d acknowledged, none lost", rounds(), len(acked))
		})
	}
}

// killUnderLoad records from several goroutines, kills the server while they do, and
// returns what was acknowledged.
func (srv *server) killUnderLoad(s *sqlstore.Store, round int) (acked []string) {
	const enough = 50
	var mu sync.Mutex
	var wg sync.WaitGroup
	underLoad := make(chan struct{})
	for g := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("i-%d-%d-%d", round, g, i)
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				_, err := s.Record(ctx, crashInterview(id))
				if err == nil {
					err = s.Note(ctx, crashAnswer(id))
				}
				cancel()
				if err != nil {
					return // the server is gone
				}
				mu.Lock()
				if acked = append(acked, id); len(acked) == enough {
					close(underLoad)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-underLoad:
	case <-time.After(60 * time.Second):
		srv.t.Error("no load")
	}
	srv.kill()
	wg.Wait()
	return acked
}

// requireUnavailable requires errors from the store and the webhook while the server
// is away.
func (srv *server) requireUnavailable(s *sqlstore.Store, away time.Duration) {
	hook, err := webhook.New("whsec_of_the_test_0123456789abcdef", s, &webhook.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(srv.t, err)
	for until := time.Now().Add(away); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		begun := time.Now()
		_, err := s.Completed(srv.t.Context(), store.Key{StudyID: "crash", UserID: "anybody"})
		require.Error(srv.t, err)
		answer := httptest.NewRecorder()
		hook.ServeHTTP(answer, webhooktest.NewRequest("whsec_of_the_test_0123456789abcdef", webhooktest.Completed("anybody")))
		require.Equal(srv.t, http.StatusServiceUnavailable, answer.Code)
		require.NotEmpty(srv.t, answer.Header().Get("Retry-After"))
		require.Less(srv.t, time.Since(begun), 5*time.Second)
	}
}

// start starts the server and waits until it answers.
func (srv *server) start() {
	t := srv.t
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		srv.running = srv.command()
		srv.running.SysProcAttr = &syscall.SysProcAttr{Credential: srv.account}
		require.NoError(t, srv.running.Start())
		exited := make(chan struct{})
		go func(cmd *exec.Cmd) {
			_ = cmd.Wait()
			close(exited)
		}(srv.running)
		for up := false; !up; {
			select {
			case <-exited: // what the killed one left behind may still be in its way
				up = true
			default:
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				err := srv.db.PingContext(ctx)
				cancel()
				if err == nil {
					return
				}
			}
			require.True(t, time.Now().Before(deadline), "the server does not come up")
		}
	}
}

func (srv *server) kill() {
	require.NoError(srv.t, srv.running.Process.Kill())
}

// binary finds a program of a server. Debian keeps those of PostgreSQL out of PATH.
func binary(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		found, _ = filepath.Glob("/usr/sbin/" + name)
	}
	if len(found) == 0 {
		skip(t, "%s is not installed: put it into PATH", name)
	}
	return found[len(found)-1]
}

// private prepares a directory and an account for a server.
func private(t *testing.T, account string) (srv *server, dir, port string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "askonce") // short, for the sockets
	require.NoError(t, err)
	srv = &server{t: t}
	t.Cleanup(func() {
		if srv.running != nil && srv.running.Process != nil {
			_ = srv.running.Process.Kill()
		}
		require.Eventually(t, func() bool { return os.RemoveAll(dir) == nil }, 10*time.Second, 50*time.Millisecond)
	})
	if os.Geteuid() == 0 {
		u, err := user.Lookup(account)
		if err != nil {
			skip(t, "root needs the account %s for a server: %v", account, err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		srv.account = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		require.NoError(t, os.Chown(dir, uid, gid))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	require.NoError(t, l.Close())
	return srv, dir, port
}

func (srv *server) run(name string, args ...string) {
	cmd := exec.Command(name, args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: srv.account}
	out, err := cmd.CombinedOutput()
	require.NoError(srv.t, err, "%s: %s", name, out)
}

func privatePostgres(t *testing.T) *server {
	initdb, postgres := binary(t, "initdb"), binary(t, "postgres")
	srv, dir, port := private(t, "postgres")
	data := filepath.Join(dir, "data")
	srv.run(initdb, "--pgdata", data, "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-sync")
	srv.command = func() *exec.Cmd {
		return exec.Command(postgres, "-D", data, "-p", port, "-h", "127.0.0.1", "-k", dir)
	}
	srv.db = pool(t, "pgx", "postgres://postgres@127.0.0.1:"+port+"/postgres?sslmode=disable&connect_timeout=2")
	return srv
}

func privateMariaDB(t *testing.T) *server {
	install, mariadbd := binary(t, "mariadb-install-db"), binary(t, "mariadbd")
	srv, dir, port := private(t, "mysql")
	data := filepath.Join(dir, "data")
	srv.run(install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")
	srv.command = func() *exec.Cmd {
		return exec.Command(mariadbd, "--no-defaults", "--datadir="+data, "--port="+port, "--bind-address=127.0.0.1",
			"--socket="+filepath.Join(dir, "s"), "--pid-file="+filepath.Join(dir, "pid"), "--skip-grant-tables", "--innodb-buffer-pool-size=32M")
	}
	srv.db = pool(t, "mysql", "root@tcp(127.0.0.1:"+port+")/mysql?timeout=2s")
	return srv
}
