//go:build unix

// Package crash tests that every delivery that a webhook acknowledged survives the death
// of its process.
package crash

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

const (
	childVariable = "ASKONCE_CRASH_CHILD" // the directory; set in the child alone
	secret        = "whsec_5b69ff6a12af94c6e3901a061180ca73"
	senders       = 8
)

// Test kills a process that receives deliveries under load, rounds times with
// SIGKILL and as often with SIGTERM. After each round it opens the store again:
// every delivery answered with 200 must be in it, with its job.
//
// All rounds share one store. Test calls open with a temporary directory, in this process
// and in children that run the same test of the same binary. It closes the store if that
// has a Close method.
//
// SIGKILL ends the process, not the machine: whatever the operating system has accepted
// survives, even if it is not on the disk yet.
func Test(t *testing.T, rounds int, open func(dir string) (store.Store, error)) {
	t.Helper()
	if dir := os.Getenv(childVariable); dir != "" {
		serve(t, dir, open)
		return
	}
	dir := t.TempDir()
	var acknowledged sync.Map // interview id → user
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			for range rounds {
				round(t, dir, s, &acknowledged)
				check(t, dir, open, &acknowledged)
			}
		})
	}
	n := 0
	acknowledged.Range(func(any, any) bool { n++; return true })
	require.Positive(t, n, "nothing was acknowledged, so nothing is proven")
	t.Logf("%d deliveries acknowledged, all kept over %d SIGKILL and %d SIGTERM", n, rounds, rounds)
}

// pattern returns the -test.run pattern that matches exactly this test.
func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// round starts a child, puts it under load, and kills it in the middle.
func round(t *testing.T, dir string, s syscall.Signal, acknowledged *sync.Map) {
	t.Helper()
	parent, _, _ := strings.Cut(t.Name(), "/"+s.String())
	child := exec.Command(os.Args[0], "-test.run="+pattern(parent), "-test.count=1", "-test.v=false")
	child.Env = append(os.Environ(), childVariable+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan(), "the child says where it listens")
	url := "http://" + lines.Text()

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	enough := make(chan struct{}) // anywhere in the load
	var acks atomic.Int64
	wanted := 1 + rand.Int64N(60)
	for range senders {
		wg.Go(func() {
			for ctx.Err() == nil {
				user := fmt.Sprintf("user_%d", rand.Uint64())
				e := webhooktest.Completed(user)
				status, err := webhooktest.Deliver(ctx, url, secret, e)
				if err != nil {
					return // it is dead
				}
				if status == http.StatusOK {
					acknowledged.Store(e.Data.InterviewID, user)
					if acks.Add(1) == wanted {
						close(enough)
					}
				}
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(20 * time.Second):
		t.Errorf("only %d of %d deliveries were acknowledged", acks.Load(), wanted)
	}
	require.NoError(t, child.Process.Signal(s))
	_ = child.Wait() // the signal is its exit
	cancel()
	wg.Wait()
}

// check opens the store as the next process would.
func check(t *testing.T, dir string, open func(string) (store.Store, error), acknowledged *sync.Map) {
	t.Helper()
	s, err := open(dir)
	require.NoError(t, err)
	defer closeStore(s)
	jobs := map[string]bool{}
	queue, queues := store.As[store.Transcripts](s)
	if queues {
		for j, err := range queue.PendingJobs(t.Context()) {
			require.NoError(t, err)
			jobs[j.InterviewID] = true
		}
	}
	acknowledged.Range(func(id, user any) bool {
		done, err := s.Completed(t.Context(), store.Key{StudyID: webhooktest.StudyID, UserID: user.(string)})
		require.NoError(t, err)
		require.True(t, done, "acknowledged, and lost")
		if queues {
			require.True(t, jobs[id.(string)], "acknowledged without its job")
		}
		return true
	})
}

func closeStore(s store.Store) {
	if c, ok := s.(interface{ Close() error }); ok {
		_ = c.Close()
	}
}

// serve is the child. It receives deliveries until SIGTERM or SIGKILL.
func serve(t *testing.T, dir string, open func(string) (store.Store, error)) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := open(dir)
	require.NoError(t, err)
	h, err := webhook.New(secret, s, &webhook.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(l) }()
	fmt.Println(l.Addr())
	<-ctx.Done()
	// As an app should: refuse new deliveries, and finish those in flight.
	_ = h.Close()
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = server.Shutdown(grace)
	closeStore(s)
	os.Exit(0) // without the test binary's own output
}
