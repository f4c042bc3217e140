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

// TestEraseLeavesNoTrace searches every row of every table, and SQLite's file, for
// the id of an erased user.
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
		fetched := claim()
		require.NoError(t, s.SaveTranscript(t.Context(), fetched, store.Transcript{Body: []byte("I am " + user)}))
		require.NoError(t, s.FinishJob(t.Context(), fetched))
		record("dead", user)
		j := claim()
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

// rowsWith returns the tables that contain text.
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
