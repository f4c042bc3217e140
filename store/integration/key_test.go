package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/stretchr/testify/require"
)

// fillKeyed stores a user who has completed, one who has declined and one who was
// erased.
func fillKeyed(t *testing.T, s *sqlstore.Store) (done, erased store.Completion) {
	t.Helper()
	done, erased = crashInterview("done"), crashInterview("erased")
	for _, c := range []store.Completion{done, erased} {
		_, err := s.Record(t.Context(), c)
		require.NoError(t, err)
	}
	require.NoError(t, s.Note(t.Context(), store.Interaction{Key: store.Key{StudyID: "crash", UserID: "no"}, Kind: store.InteractionDeclined, At: time.Now()}))
	require.NoError(t, s.Erase(t.Context(), erased.UserID))
	return done, erased
}

// everyUse calls everything that finds users.
func everyUse(ctx context.Context, s *sqlstore.Store, k store.Key) map[string]error {
	_, completed := s.Completed(ctx, k)
	_, person := s.Person(ctx, k.UserID)
	_, record := s.Record(ctx, crashInterview("another"))
	return map[string]error{
		"Completed": completed, "Person": person, "Record": record,
		"Erase": s.Erase(ctx, k.UserID), "Reset": s.Reset(ctx, k),
		"Note": s.Note(ctx, store.Interaction{Key: k, Kind: store.InteractionShown, At: time.Now()}),
	}
}

// TestLostKey loses the key of the hashes, in every way that a database may lose it.
func TestLostKey(t *testing.T) {
	t.Parallel()
	for _, loss := range []struct{ name, statement string }{
		{"the row is missing", "delete from %ssecret where id = 1"},
		{"the row is another's", "update %ssecret set key_check = key_check + 1 where id = 1"},
	} {
		t.Run(loss.name, func(t *testing.T) {
			t.Parallel()
			eachDatabase(t, drivers, func(t *testing.T, d database) {
				db, prefix := d.open(t), d.fresh(t)
				running := migrated(t, db, d.dialect, prefix)
				done, erased := fillKeyed(t, running)
				var secret []byte
				var check int64
				require.NoError(t, db.QueryRowContext(t.Context(), "select secret, key_check from "+prefix+"secret").Scan(&secret, &check))
				_, err := db.ExecContext(t.Context(), fmt.Sprintf(loss.statement, prefix))
				require.NoError(t, err)

				started, err := sqlstore.New(db, d.dialect, &sqlstore.Options{TablePrefix: prefix})
				require.NoError(t, err)
				for name, s := range map[string]*sqlstore.Store{"running": running, "started": started} {
					for use, err := range everyUse(t.Context(), s, done.Key) {
						require.ErrorIs(t, err, sqlstore.ErrKey, "%s, %s", name, use)
						require.ErrorContains(t, err, "StartOver", "the way out")
					}
				}
				require.Empty(t, rowsWith(t, db, prefix, erased.UserID))
				require.Empty(t, rowsWith(t, db, prefix, "another"), "something was stored without a key")

				// The first way out: the row comes back from a backup.
				_, err = db.ExecContext(t.Context(), "delete from "+prefix+"secret where id = 1")
				require.NoError(t, err)
				insert := "insert into " + prefix + "secret (id, secret, key_check) values (1, ?, ?)"
				if d.dialect == sqlstore.Postgres {
					insert = "insert into " + prefix + "secret (id, secret, key_check) values (1, $1, $2)"
				}
				_, err = db.ExecContext(t.Context(), insert, secret, check)
				require.NoError(t, err)
				for _, s := range []*sqlstore.Store{running, started} {
					for _, c := range []store.Completion{done, erased} {
						completed, err := s.Completed(t.Context(), c.Key)
						require.NoError(t, err)
						require.True(t, completed)
					}
				}
			})
		})
	}
}

// TestStartOver takes the second way out of a lost key.
func TestStartOver(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		db, prefix := d.open(t), d.fresh(t)
		running := migrated(t, db, d.dialect, prefix)
		done, erased := fillKeyed(t, running)
		reset := crashInterview("reset")
		_, err := running.Record(t.Context(), reset)
		require.NoError(t, err)
		require.NoError(t, running.Reset(t.Context(), reset.Key))
		_, err = db.ExecContext(t.Context(), "delete from "+prefix+"secret where id = 1")
		require.NoError(t, err)

		s, err := sqlstore.New(db, d.dialect, &sqlstore.Options{TablePrefix: prefix})
		require.NoError(t, err)
		counted := func() store.FunnelDay {
			now := time.Now()
			days, err := s.Funnel(t.Context(), "crash", now.AddDate(0, 0, -1), now.AddDate(0, 0, 2))
			require.NoError(t, err)
			return days[1]
		}
		require.NoError(t, s.StartOver(t.Context()))
		require.Equal(t, 3, counted().Completed, "after starting over")
		require.Equal(t, 1, counted().Declined)
		for _, s := range []*sqlstore.Store{running, s} {
			for k, want := range map[store.Key]bool{done.Key: true, erased.Key: false, reset.Key: false} {
				completed, err := s.Completed(t.Context(), k)
				require.NoError(t, err)
				require.Equal(t, want, completed, "%v", k)
			}
			p, err := s.Person(t.Context(), "no")
			require.NoError(t, err)
			require.Zero(t, p)
		}
	})
}

// TestEmptiedTables empties the tables under a running process.
func TestEmptiedTables(t *testing.T) {
	t.Parallel()
	eachDatabase(t, drivers, func(t *testing.T, d database) {
		db, prefix := d.open(t), d.fresh(t)
		running := migrated(t, db, d.dialect, prefix)
		fillKeyed(t, running)
		for _, table := range tables[1:] {
			_, err := db.ExecContext(t.Context(), "delete from "+prefix+table)
			require.NoError(t, err)
		}
		started := migrated(t, db, d.dialect, prefix)
		for _, s := range []*sqlstore.Store{running, started} {
			c := crashInterview("new")
			c.InterviewID += time.Now().String()
			_, err := s.Record(t.Context(), c)
			require.NoError(t, err)
			for _, s := range []*sqlstore.Store{running, started} {
				completed, err := s.Completed(t.Context(), c.Key)
				require.NoError(t, err)
				require.True(t, completed, "two processes with two keys")
			}
		}
	})
}
