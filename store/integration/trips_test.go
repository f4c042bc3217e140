package integration

import (
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// TestRoundTrips counts what goes to the server once the statements are prepared.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	eachDatabase(t, []string{"postgres-pgx", "mysql"}, func(t *testing.T, d database) {
		db, r := recorded(t, d)
		db.SetMaxOpenConns(1) // statements are prepared once for each connection
		s := migrated(t, db, d.dialect, d.fresh(t))
		ctx, k := t.Context(), store.Key{StudyID: "study", UserID: "ada"}
		shown := store.Interaction{Key: k, Kind: store.InteractionShown, At: time.Now()}
		use := func(id string) { // everything once, so that it is prepared
			c := crashInterview(id)
			_, err := s.Record(ctx, c)
			require.NoError(t, err)
			_, err = s.Completed(ctx, k)
			require.NoError(t, err)
			_, err = s.Person(ctx, k.UserID)
			require.NoError(t, err)
			require.NoError(t, s.Note(ctx, shown))
		}
		use("i1")
		for _, tc := range []struct {
			name string
			most int
			do   func() error
		}{
			{"a page view of a user who may be asked", 1, func() error { _, err := s.Person(ctx, k.UserID); return err }},
			{"Completed", 1, func() error { _, err := s.Completed(ctx, k); return err }},
			{"an interaction that counts as it did before", 5, func() error { return s.Note(ctx, shown) }},
			{"a new interview", 8, func() error { _, err := s.Record(ctx, crashInterview("i2")); return err }},
			{"a repeated delivery", 1, func() error { _, err := s.Record(ctx, crashInterview("i2")); return err }},
			{"a claim of two jobs", 5, func() error { // MySQL prepares the list of ids
				_, err := s.ClaimJobs(ctx, time.Minute, 2)
				return err
			}},
		} {
			r.take()
			require.NoError(t, tc.do())
			trips, _ := r.take()
			t.Logf("%s: %d", tc.name, len(trips))
			require.LessOrEqual(t, len(trips), tc.most, "%s: %q", tc.name, trips)
		}
	})
}
