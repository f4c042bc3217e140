package browser

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
)

// heard is how long a replica may go without hearing of an answer that another one took.
const heard = 5 * time.Second

// replicas are two replicas of an app that asks everybody: kits, caches and pools of
// their own in front of one PostgreSQL. /login?as=… logs in. Because they differ by
// their port alone, a browser sends both the same cookies.
type replicas struct {
	urls  [2]string
	store store.Interactions // past the caches
	study string
}

func newReplicas(t *testing.T) *replicas {
	t.Helper()
	const variable = "ASKONCE_TEST_POSTGRES"
	dsn, err := url.Parse(cmp.Or(os.Getenv(variable), "postgres://postgres@127.0.0.1:5432/test?sslmode=disable"))
	require.NoError(t, err, variable)
	pool := func() *sql.DB {
		db, err := sql.Open("pgx", dsn.String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	admin := pool()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	if err := admin.PingContext(ctx); err != nil {
		skip(t, "no server: %v; set %s to one for tests", err, variable)
	}
	schema := "browser_" + strings.ToLower(rand.Text()[:12])
	_, err = admin.ExecContext(ctx, "create schema "+schema)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := admin.Exec("drop schema " + schema + " cascade")
		require.NoError(t, err)
	})
	query := dsn.Query()
	query.Set("search_path", schema)
	dsn.RawQuery = query.Encode()

	provider := userjourneystest.NewServer(t, nil)
	patient := always()
	patient.Timeout = 10 * time.Second // a page that the store is too late for has no prompt, which is no answer that was heard
	r := &replicas{study: provider.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback"}).ID}
	for i := range r.urls {
		s, err := sqlstore.New(pool(), sqlstore.Postgres, nil)
		require.NoError(t, err)
		require.NoError(t, s.Migrate(t.Context()))
		r.store = s
		kit, err := askonce.New(askonce.Config{
			APIKey: provider.APIKey(), WebhookSecret: provider.Secret(), BaseURL: provider.BaseURL(), Studies: []string{r.study},
			User: userOfCookie, Store: store.NewCached(s, &store.CacheOptions{Open: heard}), Gate: patient, CookieKeys: [][]byte{make([]byte, 32), make([]byte, 16)},
			Logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		require.NoError(t, kit.Gates().Warm(t.Context()))
		mux := http.NewServeMux()
		mux.HandleFunc("/", servePage)
		mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "user", Value: r.FormValue("as"), Path: "/"})
			http.Redirect(w, r, "/", http.StatusSeeOther)
		})
		srv := httptest.NewServer(kit.Handler(mux))
		t.Cleanup(srv.Close)
		r.urls[i] = srv.URL
	}
	return r
}

func userOfCookie(r *http.Request) string {
	c, err := r.Cookie("user")
	if err != nil {
		return ""
	}
	return c.Value
}

// answer returns the answer of a user that is stored.
func (r *replicas) answer(t *testing.T, user string) store.PersonStudy {
	t.Helper()
	p, err := r.store.Person(t.Context(), user)
	require.NoError(t, err)
	return p.Study(r.study)
}

// asks reports whether the page that a window shows has a prompt.
func asks(w window) bool {
	n := 0
	w.json(prompts, &n)
	return n > 0
}

// requireSilence visits a page again and again until it no longer asks, and requires
// that none does that was requested later than heard after an answer. It returns how long after
// the answer the last page that did was requested.
func requireSilence(t *testing.T, w window, page string, answered time.Time) (last time.Duration) {
	t.Helper()
	for {
		requested := time.Since(answered)
		w.visit(page)
		if !asks(w) {
			return last
		}
		last = requested
		require.Less(t, last, heard, "an answer that another replica has taken")
		time.Sleep(100 * time.Millisecond) // or it takes the processor from the other tests
	}
}

// clearCookies removes every cookie of the tab's profile.
func (b *tab) clearCookies() {
	b.t.Helper()
	require.NoError(b.t, storage.ClearCookies().WithBrowserContextID(b.profile).Do(in(b.browser)))
}

// What a user answers in one browser, on one replica, holds in another browser on
// another replica before long, although that replica has just remembered that nothing
// has been answered.
func TestAnswersFollowTheUser(t *testing.T) {
	t.Parallel()
	secondChromium := func(t *testing.T) window { return chromiumWindow{newTab(t, look{})} }
	secondFirefox := func(t *testing.T) window { return newFirefox(t) }
	for _, tc := range []struct {
		name    string
		second  func(t *testing.T) window
		buttons []string
		last    string // endpoint
	}{
		{"no thanks", secondFirefox, []string{declineButton}, "decline"},
		{"later", secondChromium, []string{laterButton}, "later"},
		{"never ask me", secondChromium, []string{declineButton, neverButton}, "optout"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			app, two := newReplicas(t), tc.second(t)
			// Only the first browser that shows the prompt reports it: to the other one it has been
			// seen. The report makes the replica forget what it has cached, so it comes first.
			two.visit(app.urls[1] + "/login?as=ada")
			two.eventually(answered("shown"))
			one := newTab(t, look{}).open(app.urls[0] + "/login?as=ada")
			one.eventually(shown)
			two.visit(app.urls[1] + "/")
			require.True(t, asks(two), "the replica has cached that nothing is answered")
			for _, button := range tc.buttons {
				one.click(button)
			}
			one.answered(tc.last)
			answered := time.Now()
			last := requireSilence(t, two, app.urls[1]+"/", answered)
			t.Logf("the last page of the other browser that asked was requested %.1f s after the answer", last.Seconds())

			one.open(app.urls[0] + "/").requirePrompts(0)
			one.clearCookies()
			for _, url := range app.urls {
				one.open(url + "/login?as=ada").requirePrompts(0)
				one.open(url + "/login?as=bob").requirePrompts(1)
			}
		})
	}
}

// ada, then bob, then ada again in one browser, which has one cookie for both.
func TestUsersTakeTurnsOnReplicas(t *testing.T) {
	t.Parallel()
	app := newReplicas(t)
	b := newTab(t, look{}).open(app.urls[0] + "/login?as=ada")
	b.click(declineButton)
	b.answered("decline")
	b.open(app.urls[1] + "/login?as=bob").requirePrompts(1)
	b.click(laterButton)
	b.answered("later")
	b.open(app.urls[1] + "/").requirePrompts(0)
	for range 2 {
		for _, url := range app.urls {
			b.open(url + "/login?as=ada").requirePrompts(0)
			b.open(url + "/login?as=eve").requirePrompts(1)
			b.open(url + "/login?as=bob")
		}
	}
	require.Equal(t, store.InteractionDeclined, app.answer(t, "ada").Answer)
	require.Equal(t, store.InteractionSnoozed, app.answer(t, "bob").Answer)
	require.Zero(t, app.answer(t, "eve").AnsweredAt)
}

// Two tabs of one browser answer at the same moment, each on another replica: both
// responses set the whole cookie.
func TestTabsAnswerAtOnce(t *testing.T) {
	t.Parallel()
	app := newReplicas(t)
	one := newTab(t, look{}).open(app.urls[0] + "/login?as=ada")
	two := one.sibling().open(app.urls[1] + "/")
	one.eventually(shown)
	two.eventually(shown)
	clicks := make(chan error)
	for tab, button := range map[*tab]string{one: declineButton, two: laterButton} {
		go func() {
			clicks <- chromedp.Run(tab.ctx, chromedp.Click(button, chromedp.ByJSPath, chromedp.NodeVisible))
		}()
	}
	for range 2 {
		require.NoError(t, <-clicks)
	}
	one.answered("decline")
	two.answered("later")
	answered := time.Now()
	want := map[store.InteractionKind]string{store.InteractionDeclined: "declined", store.InteractionSnoozed: "snoozed"}[app.answer(t, "ada").Answer]
	require.NotEmpty(t, want)
	for i, b := range []*tab{one, two} {
		b.open(app.urls[i] + "/").requirePrompts(0)
		b.until("the answer that was given last", func() bool {
			requested := time.Since(answered)
			if eval[string](b, `fetch("/askonce/decision?peek").then((r) => r.json()).then((d) => d.reason)`) == want {
				return true
			}
			require.Less(t, requested, heard)
			return false
		})
	}
	from := time.Now()
	days, err := app.store.Funnel(t.Context(), app.study, from.Add(-24*time.Hour), from.Add(24*time.Hour))
	require.NoError(t, err)
	var declined, snoozed int
	for _, d := range days {
		declined, snoozed = declined+d.Declined, snoozed+d.Snoozed
	}
	require.Equal(t, "1 1", fmt.Sprint(declined, snoozed))
}
