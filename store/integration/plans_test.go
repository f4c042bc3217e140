package integration

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/stretchr/testify/require"
)

// filled is how many interviews, transcripts, users and letters TestPlans stores:
// a million in a long run, and otherwise enough for a planner to avoid scans.
func filled() int {
	if os.Getenv(longVariable) != "" {
		return 1_000_000
	}
	return 30_000
}

// readable is how many rows one statement may read, however many are stored: a page
// of a list has 500, each with the row of its user or its transcript.
const readable = 1_100

// TestPlans fills a database, uses everything, and asks the server how many rows each
// statement reads: none may scan a table that grows.
func TestPlans(t *testing.T) {
	t.Parallel()
	eachDatabase(t, []string{"postgres-pgx", "mysql"}, func(t *testing.T, d database) {
		db, r := recorded(t, d)
		prefix := d.fresh(t)
		s := migrated(t, db, d.dialect, prefix)
		_, err := s.Record(t.Context(), crashInterview("the first makes the key"))
		require.NoError(t, err)
		n := filled()
		begun := time.Now()
		fill(t, db, d.dialect, prefix, n)
		t.Logf("%d rows in each table after %v; bytes of a row with its indexes: %v", n, time.Since(begun).Round(time.Second), sizes(t, db, d.dialect, prefix, n))

		var took []string
		r.take()
		for _, use := range uses(t.Context(), s) {
			begun := time.Now()
			require.NoError(t, use.do(), use.name)
			took = append(took, fmt.Sprintf("%s %.1f ms", use.name, float64(time.Since(begun).Microseconds())/1000))
		}
		t.Log(strings.Join(took, ", "))
		_, asked := r.take()
		explained := map[string]bool{}
		for _, q := range asked {
			shape := repeatedArguments.ReplaceAllString(q.text, "")
			if explained[shape] || !strings.Contains(q.text, prefix) {
				continue
			}
			explained[shape] = true
			if strings.HasPrefix(q.text, "insert") { // it cannot be run again
				require.NotContains(t, q.text, "select", "an insert of values reads nothing")
			} else {
				require.Less(t, rowsRead(t, db, d.dialect, q), readable, "rows read by %s", q.text)
			}
		}
		require.Greater(t, len(explained), 40, "statements")
		t.Logf("%d statements explained", len(explained))
	})
}

var repeatedArguments = regexp.MustCompile(`(, (\?|\$\d+))+\)$`)

type use struct {
	name string
	do   func() error
}

// uses calls every method, in ways that reach every statement.
func uses(ctx context.Context, s *sqlstore.Store) []use {
	interview := func(n int) store.Completion {
		return store.Completion{Key: store.Key{StudyID: "study 1", UserID: fmt.Sprint("user ", n)}, InterviewID: fmt.Sprint("interview ", n), CompletedAt: time.Now()}
	}
	jobs := func(do func(store.Job) error) error {
		all, err := s.ClaimJobs(ctx, time.Minute, 10)
		for _, j := range all {
			if err := do(j); err != nil {
				return err
			}
		}
		if err == nil && len(all) != 10 {
			err = fmt.Errorf("%d jobs claimed", len(all))
		}
		return err
	}
	transcript := store.Transcript{FetchedAt: time.Now(), Body: []byte("{}")}
	note := func(kind store.InteractionKind) func() error {
		return func() error {
			return s.Note(ctx, store.Interaction{Key: interview(7).Key, Kind: kind, At: time.Now()})
		}
	}
	list := func(f store.Filter) func() error {
		return func() error { return firstOf(s.Completions(ctx, f)) }
	}
	day, erased := time.Now(), 9
	return []use{
		{"Completed", func() error { _, err := s.Completed(ctx, interview(1).Key); return err }},
		{"Person", func() error { _, err := s.Person(ctx, "user 2"); return err }},
		{"Record", func() error {
			c := interview(3)
			c.InterviewID = "a new one"
			_, err := s.Record(ctx, c)
			return err
		}},
		{"Record, anonymous", func() error {
			_, err := s.Record(ctx, store.Completion{Key: store.Key{StudyID: "study 1"}, InterviewID: "nobody's"})
			return err
		}},
		{"Record, a late user", func() error {
			_, err := s.Record(ctx, store.Completion{Key: store.Key{StudyID: "study 1", UserID: "user 3"}, InterviewID: "nobody's"})
			return err
		}},
		{"Record, a late quality", func() error {
			c := interview(4)
			c.Quality = "insightful"
			_, err := s.Record(ctx, c)
			return err
		}},
		{"Record, again", func() error { _, err := s.Record(ctx, interview(5)); return err }},
		{"Note shown", note(store.InteractionShown)},
		{"Note declined", note(store.InteractionDeclined)},
		{"Funnel", func() error { _, err := s.Funnel(ctx, "study 1", day.AddDate(0, 0, -90), day); return err }},
		{"Reset", func() error { return s.Reset(ctx, interview(8).Key) }},
		{"Erase", func() error {
			defer func() { erased += 1000 }() // another one each time
			return s.Erase(ctx, fmt.Sprint("user ", erased))
		}},
		{"Erase, unknown", func() error { return s.Erase(ctx, "nobody") }},
		{"Record, for the erased", func() error {
			anonymous := store.Completion{Key: store.Key{StudyID: "study 1"}, InterviewID: "soon an erased user's"}
			if _, err := s.Record(ctx, anonymous); err != nil {
				return err
			}
			anonymous.UserID = "user 9"
			_, err := s.Record(ctx, anonymous)
			return err
		}},
		{"Claim, extend, save, finish", func() error {
			return jobs(func(j store.Job) error {
				if err := s.ExtendJob(ctx, j, time.Minute); err != nil {
					return err
				}
				if err := s.SaveTranscript(ctx, j, transcript); err != nil {
					return err
				}
				return s.FinishJob(ctx, j)
			})
		}},
		{"Claim, postpone", func() error { return jobs(func(j store.Job) error { return s.PostponeJob(ctx, j, time.Hour) }) }},
		{"Claim, kill, requeue", func() error {
			return jobs(func(j store.Job) error {
				if err := s.KillJob(ctx, j); err != nil {
					return err
				}
				return s.RequeueJob(ctx, j.InterviewID)
			})
		}},
		{"RequeueJobs", func() error { _, err := s.RequeueJobs(ctx); return err }},
		{"PendingJobs", func() error { return firstOf(s.PendingJobs(ctx)) }},
		{"DeadJobs", func() error { return firstOf(s.DeadJobs(ctx)) }},
		{"Transcript", func() error { _, err := s.Transcript(ctx, "interview 10"); return err }},
		{"DeleteTranscript", func() error { return s.DeleteTranscript(ctx, "interview 11") }},
		{"Completions", list(store.Filter{})},
		{"Completions, newest first", list(store.Filter{NewestFirst: true})},
		{"Completions of a study", list(store.Filter{StudyID: "study 1"})},
		{"Completions of a study, newest first", list(store.Filter{StudyID: "study 1", NewestFirst: true, Since: day.AddDate(-1, 0, 0)})},
		{"Completions of a user", list(store.Filter{UserID: "user 12"})},
		{"Completions of a user and a study", list(store.Filter{StudyID: "study 1", UserID: "user 12"})},
		{"Completions, one", list(store.Filter{InterviewID: "interview 12"})},
		{"Expired transcripts", func() error { _, err := s.DeleteExpired(ctx, store.ExpirableTranscripts, day, 100); return err }},
		{"Expired dead jobs", func() error {
			_, err := s.DeleteExpired(ctx, store.ExpirableDeadJobs, day.Add(time.Hour), 100)
			return err
		}},
		{"Expired dead letters", func() error { _, err := s.DeleteExpired(ctx, store.ExpirableDeadLetters, day, 100); return err }},
		{"AddDeadLetter", func() error { return s.AddDeadLetter(ctx, store.DeadLetter{ReceivedAt: day, Body: []byte("letter")}) }},
		{"DeadLetters", func() error { return firstOf(s.DeadLetters(ctx)) }},
		{"DeleteDeadLetter", func() error { return s.DeleteDeadLetter(ctx, "letter 20000") }},
		{"Acquire", func() error { _, _, err := s.Acquire(ctx, "walk", "me", time.Minute); return err }},
		{"Save", func() error { return s.Save(ctx, "walk", "me", "state", time.Minute) }},
		{"SetSwitch", func() error { return s.SetSwitch(ctx, store.Switch{Name: store.PauseAll, At: day}) }},
		{"Switches", func() error { _, err := s.Switches(ctx); return err }},
	}
}

// firstOf takes one page of a list.
func firstOf[T any](list func(yield func(T, error) bool)) (err error) {
	list(func(_ T, e error) bool {
		err = e
		return false
	})
	return err
}

// fill stores n rows in every table that grows, in bulk. Of 100 interviews one has a
// dead job and three a pending one.
func fill(t *testing.T, db *sql.DB, d sqlstore.Dialect, prefix string, n int) {
	t.Helper()
	now := time.Now().UnixMicro()
	series, join, analyze := fmt.Sprintf("generate_series(1::bigint, %d) as g(n)", n), "||", "analyze "
	hash := "decode(md5(n::text), 'hex')"
	if d == sqlstore.MySQL {
		var mariaDB string
		require.NoError(t, db.QueryRow("select version()").Scan(&mariaDB))
		if !strings.Contains(mariaDB, "MariaDB") {
			skip(t, "filling needs MariaDB's sequences, and the server is MySQL")
		}
		series, analyze, hash = fmt.Sprintf("(select seq as n from seq_1_to_%d) g", n), "analyze table ", "unhex(md5(n))"
	}
	if d == sqlstore.SQLite {
		series = fmt.Sprintf("(with recursive g(n) as (select 1 union all select n + 1 from g where n < %d) select n from g) as g", n)
		hash = "randomblob(16)"
	}
	text := func(prefix string) string {
		if d == sqlstore.MySQL {
			return "concat('" + prefix + "', n)"
		}
		return "'" + prefix + "' " + join + " n"
	}
	for _, statement := range []string{
		"interview (interview_id, study_id, user_id, completed_at, until_at, duration, quality, language, job, queued_at, due_at) select " +
			text("interview ") + ", case when n % 3 = 0 then 'study 1' else 'study 2' end, " + text("user ") + fmt.Sprintf(", %d - n * 1000000, %d, 1000000, '', 'en',", now, int64(1<<62)) +
			fmt.Sprintf(" case n %% 100 when 1 then 2 when 2 then 1 when 3 then 1 when 4 then 1 else 0 end, %d, %d - n from ", now, now) + series,
		"transcript (interview_id, fetched_at, content) select " + text("interview ") + fmt.Sprintf(", %d - n * 1000000, '{\"summary\":\"fine\"}' from ", now) + series,
		"dead_letter (letter_id, received_at, reason, content) select " + text("letter ") + fmt.Sprintf(", %d - n * 1000000, 'why', 'what' from ", now) + series,
		"person (user_hash, study_id, key_check, completed_until) select " + hash + fmt.Sprintf(", 'study 1', (select max(key_check) from %ssecret), 1 from ", prefix) + series,
	} {
		_, err := db.ExecContext(t.Context(), "insert into "+prefix+statement)
		require.NoError(t, err)
	}
	for _, table := range tables {
		_, err := db.ExecContext(t.Context(), analyze+prefix+table)
		require.NoError(t, err)
	}
}

// sizes returns the bytes of a row, with its share of the indexes, by table.
func sizes(t *testing.T, db *sql.DB, d sqlstore.Dialect, prefix string, n int) map[string]int {
	t.Helper()
	size := "select pg_total_relation_size($1::text::regclass)"
	if d == sqlstore.MySQL {
		size = "select cast(data_length + index_length as signed) from information_schema.tables where table_schema = database() and table_name = ?"
	}
	bytes := map[string]int{}
	for _, table := range grows {
		var all int
		require.NoError(t, db.QueryRowContext(t.Context(), size, prefix+table).Scan(&all))
		bytes[table] = all / n
	}
	return bytes
}

// grows are the tables that grow with the users.
var grows = []string{"interview", "person", "transcript", "dead_letter"}

// rowsRead runs q once more, in a transaction that it rolls back, and returns how many
// rows of tables and indexes the server read for it.
func rowsRead(t *testing.T, db *sql.DB, d sqlstore.Dialect, q question) int {
	t.Helper()
	args := make([]any, len(q.args))
	for i, arg := range q.args {
		args[i] = arg.Value
		if v, ok := arg.Value.(driver.Valuer); ok {
			args[i] = v
		}
	}
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback()
	if d == sqlstore.Postgres {
		var plan string
		require.NoError(t, tx.QueryRowContext(t.Context(), "explain (analyze, timing off, format json) "+q.text, args...).Scan(&plan), q.text)
		var nodes []any
		require.NoError(t, json.Unmarshal([]byte(plan), &nodes))
		return scanned(nodes)
	}
	counter := func() (n int) {
		t.Helper()
		require.NoError(t, tx.QueryRowContext(t.Context(), "select cast(sum(variable_value) as signed) from information_schema.session_status"+
			" where variable_name like 'HANDLER\\_READ\\_%' or variable_name = 'HANDLER_ICP_ATTEMPTS'").Scan(&n))
		return n
	}
	first := counter()
	before := counter()
	rows, err := tx.QueryContext(t.Context(), q.text, args...)
	require.NoError(t, err, q.text)
	for rows.Next() { // a statement without rows ends at once
	}
	require.NoError(t, rows.Err(), q.text)
	require.NoError(t, rows.Close())
	return counter() - before - (before - first) // asking for the counter counts too
}

// scanned returns how many rows the scans in an executed plan of PostgreSQL read.
func scanned(node any) (rows int) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			rows += scanned(child)
		}
	case map[string]any:
		kind, _ := node["Node Type"].(string)
		if table, _ := node["Relation Name"].(string); kind == "Seq Scan" && slices.ContainsFunc(grows, func(name string) bool { return strings.HasSuffix(table, "_"+name) }) {
			return filled() // although it may have found early what it looked for
		}
		if strings.HasSuffix(kind, "Scan") {
			loops := node["Actual Loops"].(float64)
			for _, name := range []string{"Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"} {
				n, _ := node[name].(float64) // per loop
				rows += int(n * loops)
			}
		}
		for _, child := range node {
			rows += scanned(child)
		}
	}
	return rows
}
