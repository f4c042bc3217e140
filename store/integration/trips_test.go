package integration

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
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

// TestRoundTripsOfAPage serves pages with a prompt. Each reads the database once for
// all studies, not at all while the answer is cached, and none writes.
func TestRoundTripsOfAPage(t *testing.T) {
	t.Parallel()
	eachDatabase(t, []string{"postgres-pgx", "mysql"}, func(t *testing.T, d database) {
		db, r := recorded(t, d)
		db.SetMaxOpenConns(1)
		s := migrated(t, db, d.dialect, d.fresh(t))
		require.NoError(t, s.Note(t.Context(), store.Interaction{Key: store.Key{StudyID: "another study", UserID: "ada"}, Kind: store.InteractionShown, At: time.Now().AddDate(-1, 0, 0)}))
		provider := userjourneystest.NewServer(t, nil)
		for name, tc := range map[string]struct {
			store store.Store
			trips []int // of one page after the other
		}{
			"without a cache": {s, []int{1, 1, 1}},
			"cached":          {store.NewCached(s, nil), []int{1, 0, 0}},
		} {
			kit, err := askonce.New(askonce.Config{
				APIKey: provider.APIKey(), WebhookSecret: provider.Secret(), BaseURL: provider.BaseURL(),
				Studies: []string{"Onboarding Feedback", "No such study"}, User: func(r *http.Request) string { return r.URL.Query().Get("user") },
				Store: tc.store, Gate: &gate.Options{Timeout: 10 * time.Second}, Logger: slog.New(slog.DiscardHandler),
			})
			require.NoError(t, err)
			page := kit.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				_, _ = io.WriteString(w, "<!doctype html><title>Shop</title><p>Hello")
			}))
			get := func(user string) string {
				answer := httptest.NewRecorder()
				request := httptest.NewRequest(http.MethodGet, "/?user="+user, nil)
				request.Header.Set("Accept", "text/html")
				page.ServeHTTP(answer, request)
				return answer.Body.String()
			}
			get("bob") // studies and switches are read for everybody
			for n, want := range tc.trips {
				r.take()
				require.Contains(t, get("ada"), "askonce", "a prompt")
				trips, _ := r.take()
				require.Len(t, trips, want, "%s, page %d: %q", name, n, trips)
				for _, trip := range trips {
					require.True(t, strings.HasPrefix(trip, "select "), trip)
				}
			}
		}
	})
}
