package integration

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/stretchr/testify/require"
)

// TestEraseLeavesNoTrace looks for an erased user's id in every row of every
// table, and in SQLite's file.
func TestEraseLeavesNoTrace(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		db, prefix := d.open(t), d.fresh(t)
		s := migrated(t, db, d.dialect, prefix)
		const user = "ada-who-wants-to-be-forgotten"
		record := func(id, user string) {
			first, err := s.Record(t.Context(), store.Completion{Key: store.Key{StudyID: "study", UserID: user}, InterviewID: id, CompletedAt: time.Now()})
			require.NoError(t, err)
			require.Equal(t, id != "anonymous" || user == "", first)
		}
		claim := func() store.Job {
			jobs, err := s.ClaimJobs(t.Context(), time.Hour, 1)
			require.NoError(t, err)
			require.Len(t, jobs, 1)
			return jobs[0]
		}
		record("fetched", user)
		j := claim()
		require.NoError(t, s.SaveTranscript(t.Context(), j, store.Transcript{Body: []byte("I am " + user)}))
		require.NoError(t, s.FinishJob(t.Context(), j))
		record("dead", user)
		j = claim()
		j.Reason = "nothing of " + user
		require.NoError(t, s.KillJob(t.Context(), j))
		record("pending", user)
		record("anonymous", "")
		require.NotEmpty(t, rowsWith(t, db, prefix, user))

		require.NoError(t, s.Erase(t.Context(), user))
		record("late", user)
		record("anonymous", user)
		require.Empty(t, rowsWith(t, db, prefix, user))
		done, err := s.Completed(t.Context(), store.Key{StudyID: "study", UserID: user})
		require.NoError(t, err)
		require.True(t, done)

		if d.dialect == sqlstore.SQLite {
			_, err := db.ExecContext(t.Context(), "pragma wal_checkpoint(truncate)")
			require.NoError(t, err)
			var seq int
			var name, file string
			require.NoError(t, db.QueryRowContext(t.Context(), "pragma database_list").Scan(&seq, &name, &file))
			files, err := filepath.Glob(file + "*")
			require.NoError(t, err)
			for _, file := range files {
				content, err := os.ReadFile(file)
				require.NoError(t, err)
				require.False(t, bytes.Contains(content, []byte(user)), filepath.Base(file))
			}
		}
	})
}

// TestEraseWaitsForRecord has a Record under way, which nobody can see yet, when
// Erase comes.
func TestEraseWaitsForRecord(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		db, prefix := d.open(t), d.fresh(t)
		s := migrated(t, db, d.dialect, prefix)
		const user = "ada-who-wants-to-be-forgotten"
		_, err := s.Record(t.Context(), store.Completion{Key: store.Key{StudyID: "study", UserID: user}, InterviewID: "i0", CompletedAt: time.Now()})
		require.NoError(t, err)
		var hash []byte
		require.NoError(t, db.QueryRowContext(t.Context(), "select user_hash from "+prefix+"person where study_id = 'study'").Scan(&hash))

		record, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer record.Rollback()
		argument := "?"
		if d.dialect == sqlstore.Postgres {
			argument = "$1"
		}
		_, err = record.ExecContext(t.Context(), "update "+prefix+"person set opened_at = 1 where study_id = '' and user_hash = "+argument, hash)
		require.NoError(t, err)
		for _, text := range []string{
			"interview (interview_id, study_id, user_id, completed_at, until_at, duration, quality, language, ignored, erased, finished) values ('i1', 'study', '" + user + "', 1, 2, 3, '', '', 0, 0, 0)",
			"job (interview_id, queued_at, due_at) values ('i1', 1, 1)",
		} {
			_, err := record.ExecContext(t.Context(), "insert into "+prefix+text)
			require.NoError(t, err)
		}
		erased := make(chan error, 1)
		go func() { erased <- s.Erase(t.Context(), user) }()
		select {
		case err := <-erased:
			t.Fatalf("Erase does not wait: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		require.NoError(t, record.Commit())
		require.NoError(t, <-erased)
		require.Empty(t, rowsWith(t, db, prefix, user))
		for j := range s.PendingJobs(t.Context()) {
			t.Errorf("the job of %s is still there", j.InterviewID)
		}
	})
}

// rowsWith returns the tables that have text somewhere.
func rowsWith(t *testing.T, db *sql.DB, prefix, text string) (found []string) {
	t.Helper()
	for _, table := range tables {
		rows, err := db.QueryContext(t.Context(), "select * from "+prefix+table)
		require.NoError(t, err)
		columns, err := rows.Columns()
		require.NoError(t, err)
		values, dest := make([][]byte, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		for rows.Next() {
			require.NoError(t, rows.Scan(dest...))
			if bytes.Contains(bytes.Join(values, []byte{0}), []byte(text)) {
				found = append(found, table)
			}
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
	}
	return found
}
