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

var children = map[string]func(){"record": recordForEver, "share": recordShared}

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

// TestCrashOfTheApp kills an app that records interviews and answers as fast as it can.
// Everything that was acknowledged must be there afterwards.
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
	cmd := child(t, "record", d, dsn, prefix)
	cmd.Env = append(cmd.Env, "ROUND="+strconv.Itoa(round))
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

// child returns a process that does one of children with the tables of a prefix.
func child(t *testing.T, do string, d database, dsn, prefix string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+do, "DRIVER="+d.driver, "DSN="+dsn, "DIALECT="+strconv.Itoa(int(d.dialect)), "PREFIX="+prefix)
	cmd.Stderr = os.Stderr
	return cmd
}

// childStore opens the store that child named.
func childStore() *sqlstore.Store {
	db, err := sql.Open(os.Getenv("DRIVER"), os.Getenv("DSN"))
	if err != nil {
		panic(err)
	}
	dialect, _ := strconv.Atoi(os.Getenv("DIALECT"))
	s, err := sqlstore.New(db, sqlstore.Dialect(dialect), &sqlstore.Options{TablePrefix: os.Getenv("PREFIX")})
	if err != nil {
		panic(err)
	}
	return s
}

// recordForEver is the app. It prints each interview that Record has acknowledged, once
// Note has acknowledged its user's answer.
func recordForEver() {
	s := childStore()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("i-%s-%d-%d", os.Getenv("ROUND"), g, i)
				if first, err := s.Record(context.Background(), crashInterview(id)); err != nil || !first {
					panic(fmt.Sprint("Record: ", first, err))
				}
				if err := s.Note(context.Background(), crashAnswer(id)); err != nil {
					panic(fmt.Sprint("Note: ", err))
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

// crashAnswer is what the user of an interview said to a prompt.
func crashAnswer(id string) store.Interaction {
	return store.Interaction{Key: crashInterview(id).Key, Kind: store.InteractionDeclined, At: time.Now()}
}

// requireKept requires that every acknowledged interview and answer is still there.
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
		require.True(t, declined(t, s, c.Key), "an answer that was acknowledged and lost: %s", id)
	}
}

func declined(t *testing.T, s *sqlstore.Store, k store.Key) bool {
	t.Helper()
	p, err := s.Person(t.Context(), k.UserID)
	require.NoError(t, err)
	return p.Study(k.StudyID).Answer == store.InteractionDeclined
}

// requireWhole requires that each interview, acknowledged or not, completes its study
// and has its job, and that the funnel counts what there is.
func requireWhole(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	jobs := map[string]bool{}
	for j, err := range s.PendingJobs(t.Context()) {
		require.NoError(t, err)
		jobs[j.InterviewID] = true
	}
	interviews, answers := 0, 0
	for c, err := range s.Completions(t.Context(), store.Filter{}) {
		require.NoError(t, err)
		interviews++
		require.True(t, jobs[c.InterviewID], "an interview without its job: %s", c.InterviewID)
		done, err := s.Completed(t.Context(), c.Key)
		require.NoError(t, err)
		require.True(t, done, "an interview that does not count: %s", strings.TrimSpace(c.InterviewID))
		if declined(t, s, c.Key) {
			answers++
		}
	}
	require.Len(t, jobs, interviews, "jobs without an interview")
	var counted store.FunnelDay
	days, err := s.Funnel(t.Context(), crashInterview("").StudyID, time.Now().AddDate(0, 0, -1), time.Now().AddDate(0, 0, 1))
	require.NoError(t, err)
	for _, d := range days {
		counted.Declined += d.Declined
		counted.Completed += d.Completed
	}
	require.Equal(t, store.FunnelDay{Declined: answers, Completed: interviews}, counted)
}
