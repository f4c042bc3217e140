package integration

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/stretchr/testify/require"
)

// childVariable names what a child process of a test does.
const childVariable = "ASKONCE_TEST_CHILD"

var children = map[string]func(){"record": recordForEver}

// rounds returns how often something is killed: 20 times in a long run.
func rounds() int {
	switch {
	case os.Getenv(longVariable) != "":
		return 20
	case testing.Short():
		return 1
	}
	return 3
}

// TestCrashOfTheApp kills an app that records as fast as it can. Everything that was
// acknowledged must be there afterwards.
func TestCrashOfTheApp(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		prefix := d.fresh(t)
		s := d.store(t, prefix)
		dsn := d.dsn(t)
		total := 0
		for round := range rounds() {
			acked := killRecorder(t, d, dsn, prefix, round)
			total += len(acked)
			requireKept(t, s, acked)
		}
		require.Positive(t, total)
		requireWhole(t, s)
		t.Logf("%d rounds, %d acknowledged, none lost", rounds(), total)
	})
}

// killRecorder runs the app, kills it, and returns the interviews that it printed as
// acknowledged.
func killRecorder(t *testing.T, d database, dsn, prefix string, round int) (acked []string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"=record", "DRIVER="+d.driver, "DSN="+dsn,
		"DIALECT="+strconv.Itoa(int(d.dialect)), "PREFIX="+prefix, "ROUND="+strconv.Itoa(round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	atLeast := 20 + rand.IntN(60)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		acked = append(acked, lines.Text())
		if len(acked) == atLeast {
			require.NoError(t, cmd.Process.Kill()) // and read what it has still written
		}
	}
	require.ErrorContains(t, cmd.Wait(), "killed")
	return acked
}

// recordForEver is the app. It prints each interview that Record has acknowledged.
func recordForEver() {
	db, err := sql.Open(os.Getenv("DRIVER"), os.Getenv("DSN"))
	if err != nil {
		panic(err)
	}
	dialect, _ := strconv.Atoi(os.Getenv("DIALECT"))
	s, err := sqlstore.New(db, sqlstore.Dialect(dialect), &sqlstore.Options{TablePrefix: os.Getenv("PREFIX")})
	if err != nil {
		panic(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("i-%s-%d-%d", os.Getenv("ROUND"), g, i)
				if first, err := s.Record(context.Background(), crashInterview(id)); err != nil || !first {
					panic(fmt.Sprint("Record: ", first, err))
				}
				fmt.Println(id) // one write each
			}
		})
	}
	wg.Wait()
}

func crashInterview(id string) store.Completion {
	return store.Completion{Key: store.Key{StudyID: "crash", UserID: "user of " + id}, InterviewID: id, CompletedAt: time.Now()}
}

// requireKept requires that every acknowledged interview is still there.
func requireKept(t *testing.T, s *sqlstore.Store, acked []string) {
	t.Helper()
	for _, id := range acked {
		c := crashInterview(id)
		done, err := s.Completed(t.Context(), c.Key)
		require.NoError(t, err)
		require.True(t, done, "acknowledged and lost: %s", id)
		first, err := s.Record(t.Context(), c)
		require.NoError(t, err)
		require.False(t, first, "acknowledged and lost: %s", id)
	}
}

// requireWhole requires that each interview, acknowledged or not, completes its study
// and has its job.
func requireWhole(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	jobs := map[string]bool{}
	for j, err := range s.PendingJobs(t.Context()) {
		require.NoError(t, err)
		jobs[j.InterviewID] = true
	}
	interviews := 0
	for c, err := range s.Completions(t.Context(), store.Filter{}) {
		require.NoError(t, err)
		interviews++
		require.True(t, jobs[c.InterviewID], "an interview without its job: %s", c.InterviewID)
		done, err := s.Completed(t.Context(), c.Key)
		require.NoError(t, err)
		require.True(t, done, "an interview that does not count: %s", strings.TrimSpace(c.InterviewID))
	}
	require.Len(t, jobs, interviews, "jobs without an interview")
}
