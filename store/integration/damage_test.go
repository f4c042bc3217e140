package integration

import (
	"fmt"
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/askonce/askonce/store/storetest"
	"github.com/stretchr/testify/require"
)

// TestDamaged takes tables and rows away behind the back of a store. No job can be
// lost, because it is part of the row of its interview.
func TestDamaged(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		storetest.RunDamaged(t, func(t *testing.T) (store.Store, storetest.Backend) {
			db, prefix := d.open(t), d.fresh(t)
			exec := func(t *testing.T, statement, arg string) {
				t.Helper()
				if d.dialect == sqlstore.Postgres {
					statement = fmt.Sprintf(statement, prefix, "$1")
				} else {
					statement = fmt.Sprintf(statement, prefix, "?")
				}
				_, err := db.ExecContext(t.Context(), statement, arg)
				require.NoError(t, err)
			}
			return migrated(t, db, d.dialect, prefix), storetest.Backend{
				Fail: func(t *testing.T, fail bool) {
					for _, table := range tables {
						from, to := prefix+table, prefix+table+"_away"
						if !fail {
							from, to = to, from
						}
						_, err := db.ExecContext(t.Context(), "alter table "+from+" rename to "+to)
						require.NoError(t, err)
					}
				},
				LoseCompletion: func(t *testing.T, k store.Key) {
					exec(t, `update %sperson set completed_until = 0 where study_id = %s`, k.StudyID)
				},
				Refuse: func(t *testing.T, interviewID string) {
					if d.dialect == sqlstore.SQLite {
						_, err := db.ExecContext(t.Context(), fmt.Sprintf("create trigger refuse before insert on %sinterview when new.interview_id = '%s' begin select raise(abort, 'constraint failed'); end", prefix, interviewID))
						require.NoError(t, err)
						return
					}
					_, err := db.ExecContext(t.Context(), fmt.Sprintf("alter table %sinterview add constraint %srefuse check (interview_id <> '%s')", prefix, prefix, interviewID))
					require.NoError(t, err)
					t.Cleanup(func() {
						_, err := db.Exec("alter table " + prefix + "interview drop constraint " + prefix + "refuse")
						require.NoError(t, err)
					})
				},
				LoseInterview: func(t *testing.T, interviewID string) {
					exec(t, `delete from %sinterview where interview_id = %s`, interviewID)
				},
			}
		})
	})
}
