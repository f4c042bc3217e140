package integration

import (
	"context"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/stretchr/testify/require"
)

// TestLostRowsAreRestored deletes rows by hand. A repeated Record restores what it
// can, and nobody else suffers.
func TestLostRowsAreRestored(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		db, prefix := d.open(t), d.fresh(t)
		s := migrated(t, db, d.dialect, prefix)
		c, reset, neighbour := crashInterview("i1"), crashInterview("i2"), crashInterview("i3")
		for _, c := range []store.Completion{c, reset, neighbour} {
			_, err := s.Record(t.Context(), c)
			require.NoError(t, err)
		}
		require.NoError(t, s.Reset(t.Context(), reset.Key))

		_, err := db.ExecContext(t.Context(), "delete from "+prefix+"person where study_id = 'crash'")
		require.NoError(t, err)
		for c, want := range map[*store.Completion]bool{&c: true, &reset: false} {
			done, err := s.Completed(t.Context(), c.Key)
			require.NoError(t, err)
			require.False(t, done)
			first, err := s.Record(t.Context(), *c)
			require.NoError(t, err)
			require.False(t, first)
			done, err = s.Completed(t.Context(), c.Key)
			require.NoError(t, err)
			require.Equal(t, want, done, c.InterviewID)
		}

		_, err = db.ExecContext(t.Context(), "delete from "+prefix+"interview where interview_id = 'i1'")
		require.NoError(t, err)
		jobs, err := s.ClaimJobs(t.Context(), time.Minute, 10)
		require.NoError(t, err)
		require.Len(t, jobs, 2, "the jobs of the others")
		first, err := s.Record(t.Context(), c)
		require.NoError(t, err)
		require.True(t, first)
	})
}

// TestEraseWaitsForNobody erases and records while the server maintains the table,
// and while another user's interview is being recorded.
func TestEraseWaitsForNobody(t *testing.T) {
	t.Parallel()
	eachDatabase(t, []string{"postgres-pgx", "postgres-pq", "mysql"}, func(t *testing.T, d database) {
		db, prefix := d.open(t), d.fresh(t)
		s := migrated(t, db, d.dialect, prefix)
		_, err := s.Record(t.Context(), crashInterview("i1"))
		require.NoError(t, err)
		other, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer other.Rollback()
		statements := []string{
			"insert into " + prefix + "interview (interview_id, study_id, user_id, completed_at, until_at, duration, quality, language) values ('i2', 'study', 'bob', 1, 2, 3, '', '')",
		}
		if d.dialect == sqlstore.Postgres { // as VACUUM and CREATE INDEX CONCURRENTLY lock
			statements = append(statements, "lock table "+prefix+"interview in share update exclusive mode", "lock table "+prefix+"person in share update exclusive mode")
		}
		for _, statement := range statements {
			_, err := other.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		require.NoError(t, s.Erase(ctx, "unknown"))
		require.NoError(t, s.Erase(ctx, crashInterview("i1").UserID))
		_, err = s.Record(ctx, crashInterview("i3"))
		require.NoError(t, err)
	})
}

// TestEraseWaitsForRecord has a Record of the user under way, which nobody can see
// yet, when Erase comes.
func TestEraseWaitsForRecord(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		db, prefix := d.open(t), d.fresh(t)
		s := migrated(t, db, d.dialect, prefix)
		const user = "ada-who-wants-to-be-forgotten"
		require.NoError(t, s.Note(t.Context(), store.Interaction{Key: store.Key{StudyID: "study", UserID: user}, Kind: store.InteractionShown, At: time.Now()}))
		record, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer record.Rollback()
		for _, statement := range []string{ // as Record locks and writes
			"update " + prefix + "person set writes = writes + 1 where study_id = ''",
			"insert into " + prefix + "interview (interview_id, study_id, user_id, completed_at, until_at, duration, quality, language, job) values ('i1', 'study', '" + user + "', 1, 2, 3, '', '', 1)",
		} {
			_, err := record.ExecContext(t.Context(), statement)
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

// TestTranscriptsInSQL reads a transcript as documented for people and reports.
func TestTranscriptsInSQL(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		db, prefix := d.open(t), d.fresh(t)
		s := migrated(t, db, d.dialect, prefix)
		_, err := s.Record(t.Context(), crashInterview("i1"))
		require.NoError(t, err)
		jobs, err := s.ClaimJobs(t.Context(), time.Minute, 1)
		require.NoError(t, err)
		require.NoError(t, s.SaveTranscript(t.Context(), jobs[0], store.Transcript{FetchedAt: time.Now(), Body: []byte(`{"summary":"Ça va"}`)}))
		summary := "body->>'summary'"
		if d.dialect == sqlstore.MySQL {
			summary = "json_value(body, '$.summary')"
		}
		var user, text string
		require.NoError(t, db.QueryRowContext(t.Context(), "select user_id, "+summary+" from "+prefix+"transcript_json where study_id = 'crash'").Scan(&user, &text))
		require.Equal(t, "user of i1", user)
		require.Equal(t, "Ça va", text)
	})
}
