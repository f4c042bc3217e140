package integration

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/stretchr/testify/require"
)

func TestNotMigrated(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		s, err := sqlstore.New(d.open(t), d.dialect, &sqlstore.Options{TablePrefix: "not_migrated_"})
		require.NoError(t, err)
		_, err = s.Record(t.Context(), crashInterview("i1"))
		require.ErrorContains(t, err, "call Migrate")
		require.ErrorContains(t, err, "not_migrated_")
		_, err = s.Completed(t.Context(), crashInterview("i1").Key)
		require.ErrorContains(t, err, "call Migrate")
	})
}

// TestMigrateAtOnce migrates one database from many stores at once, and applies the
// statements of Schema on top.
func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		prefix := d.fresh(t)
		results := make(chan error)
		const n = 8
		for range n {
			s, err := sqlstore.New(d.open(t), d.dialect, &sqlstore.Options{TablePrefix: prefix})
			require.NoError(t, err)
			go func() { results <- s.Migrate(t.Context()) }()
		}
		for range n {
			require.NoError(t, <-results)
		}
		script, err := sqlstore.Schema(d.dialect, &sqlstore.Options{TablePrefix: prefix})
		require.NoError(t, err)
		db := d.open(t)
		for statement := range strings.SplitSeq(script, ";\n") {
			if strings.TrimSpace(statement) != "" {
				_, err := db.ExecContext(t.Context(), statement)
				require.NoError(t, err, "a statement of Schema, once more")
			}
		}
		s := d.store(t, prefix)
		first, err := s.Record(t.Context(), crashInterview("i1"))
		require.NoError(t, err)
		require.True(t, first)
	})
}

// TestMigrateLockedFile migrates a SQLite file that is locked, as it may be when
// several processes open a new file at once, whatever their busy_timeout.
func TestMigrateLockedFile(t *testing.T) {
	t.Parallel()
	eachDatabase(t, []string{"sqlite-modernc", "sqlite-mattn"}, func(t *testing.T, d database) {
		file, _, _ := strings.Cut(d.dsn(t), "?")
		other, err := pool(t, d.driver, file).Conn(t.Context())
		require.NoError(t, err)
		_, err = other.ExecContext(t.Context(), "begin exclusive")
		require.NoError(t, err)

		db := pool(t, d.driver, file+"?_pragma=busy_timeout(0)&_busy_timeout=0")
		s, err := sqlstore.New(db, d.dialect, nil)
		require.NoError(t, err)
		result := make(chan error)
		go func() { result <- s.Migrate(t.Context()) }()
		select {
		case err := <-result:
			t.Fatalf("Migrate does not wait: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		_, err = other.ExecContext(t.Context(), "rollback")
		require.NoError(t, err)
		require.NoError(t, other.Close())
		require.NoError(t, <-result)
	})
}

// TestNewerTables has tables that a newer version has made, as in a rolling
// deployment: they are used as they are if they can be, and refused otherwise.
func TestNewerTables(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		db, prefix := d.open(t), d.fresh(t)
		migrated(t, db, d.dialect, prefix)
		t.Cleanup(func() {
			_, err := db.Exec("delete from " + prefix + "schema where version >= 1000")
			require.NoError(t, err)
		})
		_, err := db.ExecContext(t.Context(), "insert into "+prefix+"schema (version, oldest_reader) values (1000, 1)")
		require.NoError(t, err)
		first, err := migrated(t, db, d.dialect, prefix).Record(t.Context(), crashInterview("i1"))
		require.NoError(t, err)
		require.True(t, first)

		_, err = db.ExecContext(t.Context(), "insert into "+prefix+"schema (version, oldest_reader) values (1001, 999)")
		require.NoError(t, err)
		s, err := sqlstore.New(db, d.dialect, &sqlstore.Options{TablePrefix: prefix})
		require.NoError(t, err)
		require.ErrorContains(t, s.Migrate(t.Context()), "deploy a newer one")
		_, err = s.Completed(t.Context(), crashInterview("i1").Key)
		require.ErrorContains(t, err, "must know 999")
	})
}

// TestUpgrade brings tables of the first version up to date while a program of that
// version uses them: what it has written is kept, and it goes on.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		db, prefix := d.open(t), "u"+strings.ToLower(rand.Text()[:12])+"_"
		t.Cleanup(func() {
			for _, table := range append([]string{"transcript_json"}, tables...) {
				kind := "table"
				if table == "transcript_json" {
					kind = "view"
				}
				_, err := db.Exec("drop " + kind + " if exists " + prefix + table)
				require.NoError(t, err)
			}
		})
		script, err := sqlstore.Schema(d.dialect, &sqlstore.Options{TablePrefix: prefix})
		require.NoError(t, err)
		first, _, found := strings.Cut(script, "create table if not exists "+prefix+"reset ")
		require.True(t, found)
		for statement := range strings.SplitSeq(first, ";\n") {
			if strings.Contains(statement, "create") || strings.Contains(statement, "insert") {
				_, err := db.ExecContext(t.Context(), statement)
				require.NoError(t, err, statement)
			}
		}
		s, err := sqlstore.New(db, d.dialect, &sqlstore.Options{TablePrefix: prefix})
		require.NoError(t, err)
		k := store.Key{StudyID: "study", UserID: "ada"}
		_, err = s.Person(t.Context(), k.UserID)
		require.ErrorContains(t, err, "call Migrate")
		for range 2 {
			require.NoError(t, s.Migrate(t.Context()))
		}
		require.NoError(t, s.Note(t.Context(), store.Interaction{Key: k, Kind: store.InteractionDeclined, At: time.Now()}))
		require.NoError(t, s.Reset(t.Context(), k))
		reset, err := s.Person(t.Context(), k.UserID)
		require.NoError(t, err)
		require.NotZero(t, reset.Study(k.StudyID).ResetAt)

		// The older program saves the whole row of a user and a study.
		_, err = db.ExecContext(t.Context(), "update "+prefix+"person set answer = 4, answered_at = 1000000, opened_at = 2000000 where study_id = 'study'")
		require.NoError(t, err)
		p, err := s.Person(t.Context(), k.UserID)
		require.NoError(t, err)
		require.Equal(t, store.PersonStudy{
			StudyID: k.StudyID, Answer: store.InteractionDeclined, AnsweredAt: time.Unix(1, 0).UTC(), OpenedAt: time.Unix(2, 0).UTC(),
			ResetAt: reset.Study(k.StudyID).ResetAt,
		}, p.Study(k.StudyID))
		var oldest int
		require.NoError(t, db.QueryRowContext(t.Context(), "select max(oldest_reader) from "+prefix+"schema").Scan(&oldest))
		require.Equal(t, 1, oldest, "a program of the first version goes on")
	})
}

// TestPoolExhausted takes every connection away. A call waits no longer than its
// context, and succeeds if a connection is returned in time.
func TestPoolExhausted(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		db := d.open(t)
		s := migrated(t, db, d.dialect, d.fresh(t))
		db.SetMaxOpenConns(1)
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		c := crashInterview("i1")
		_, err = s.Record(ctx, c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = s.Completed(ctx, c.Key)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		waits, waiting := make(chan error), db.Stats().WaitCount
		go func() {
			_, err := s.Record(t.Context(), c)
			waits <- err
		}()
		require.Eventually(t, func() bool { return db.Stats().WaitCount > waiting }, 10*time.Second, time.Millisecond)
		require.NoError(t, conn.Close())
		require.NoError(t, <-waits)
		done, err := s.Completed(t.Context(), c.Key)
		require.NoError(t, err)
		require.True(t, done)
		requireWhole(t, s)
		require.NoError(t, s.Erase(t.Context(), c.UserID), "with a single connection")
	})
}

// TestBadConnections breaks every pooled connection. database/sql connects again.
func TestBadConnections(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		db := d.open(t)
		s := migrated(t, db, d.dialect, d.fresh(t))
		for i := range 5 {
			conn, err := db.Conn(t.Context())
			require.NoError(t, err)
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
			first, err := s.Record(t.Context(), crashInterview(fmt.Sprint("i", i)))
			require.NoError(t, err)
			require.True(t, first)
		}
	})
}

// TestDiskFull fills a small disk with transcripts and completions.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, d := range databases {
		if d.dialect != sqlstore.SQLite {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			settings := strings.SplitN(d.dsn(t), "?", 2)[1]
			dir := smallDisk(t)
			file := filepath.Join(dir, "askonce.db")
			createPrivate(t, file)
			db := pool(t, d.driver, "file:"+file+"?"+settings)
			s := migrated(t, db, sqlstore.SQLite, "askonce_")
			var acked []string
			var err error
			for i := 0; err == nil && i < 100_000; i++ {
				id := fmt.Sprint("i", i)
				if _, err = s.Record(t.Context(), crashInterview(id)); err == nil {
					acked = append(acked, id)
				}
			}
			require.ErrorContains(t, err, "full")
			require.Greater(t, len(acked), 20)
			_, err = s.Completed(t.Context(), store.Key{StudyID: "crash", UserID: "anybody"})
			require.NoError(t, err, "a full disk can still be read")
			requireWhole(t, s)
			for _, id := range acked {
				done, err := s.Completed(t.Context(), crashInterview(id).Key)
				require.NoError(t, err)
				require.True(t, done)
			}
		})
	}
}

// smallDisk mounts a file system of 2 MB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", dir).CombinedOutput(); err != nil {
		skip(t, "cannot mount a small file system: %v: %s; run as root where mounting is allowed", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	return dir
}

// TestSlowServer makes the look-up wait for a lock. The page does not wait.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	eachDatabase(t, []string{"postgres-pgx", "postgres-pq"}, func(t *testing.T, d database) {
		prefix := d.fresh(t)
		s := d.store(t, prefix)
		g, err := gate.New(oneStudy{}, "study", store.NewCached(s, nil), &gate.Options{LinkHosts: []string{"interviews.example"}})
		require.NoError(t, err)
		require.NotErrorIs(t, g.Decide(t.Context(), gate.Visitor{UserID: "warm"}).Err, sql.ErrConnDone)

		db := d.open(t)
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "lock table "+prefix+"person in access exclusive mode")
		require.NoError(t, err)
		decision := g.Decide(t.Context(), gate.Visitor{UserID: "ada"}) // or it would wait as long as the lock is held
		require.False(t, decision.Ask())
		require.Equal(t, gate.ReasonUnavailable, decision.Reason)
		require.True(t, errors.Is(decision.Err, context.DeadlineExceeded), "%v", decision.Err)
		require.NoError(t, tx.Rollback())
		require.Eventually(t, func() bool { return g.Decide(t.Context(), gate.Visitor{UserID: "ada"}).Ask() }, 30*time.Second, 20*time.Millisecond)
	})
}

type oneStudy struct{}

func (oneStudy) FindStudy(context.Context, string) (userjourneys.Study, error) {
	return userjourneys.Study{ID: "study", Name: "study", Status: "active", InterviewLink: "https://interviews.example/i/study", AcceptingResponses: true}, nil
}
