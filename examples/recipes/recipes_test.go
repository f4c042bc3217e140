package recipes_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/examples/recipes"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/store/storetest"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

func ada(*http.Request) string { return "ada" }

// provider returns a fake provider with these studies, and a client for it.
func provider(t *testing.T, studies ...string) (*userjourneystest.Server, *userjourneys.Client) {
	fake := userjourneystest.NewServer(t, nil)
	for _, name := range studies {
		fake.AddStudy(userjourneystest.Study{Name: name})
	}
	uj, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	require.NoError(t, err)
	return fake, uj
}

// ready returns a gate that has fetched its study.
func ready(t *testing.T, done store.Store) *gate.Gate {
	_, uj := provider(t, "Checkout")
	g, err := gate.New(uj, "Checkout", done, &gate.Options{Timeout: 10 * time.Second})
	require.NoError(t, err)
	require.NoError(t, g.Warm(t.Context()))
	return g
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func plainPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte("<!doctype html><body><h1>Home</h1></body></html>"))
}

func TestChi(t *testing.T) {
	t.Parallel()
	session := func(next http.Handler) http.Handler { return next }
	kit, _ := newKit(t, nil)
	app := recipes.Chi(kit, session, plainPage)
	require.Contains(t, get(app, "/").Body.String(), `class="askonce"`)
	require.Equal(t, http.StatusMethodNotAllowed, get(app, "/webhooks/userjourneys").Code)
	require.Equal(t, http.StatusMethodNotAllowed, get(app, "/askonce/later").Code, "the endpoints have no route")
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	prompt, err := middleware.New(ready(t, memstore.New()), ada, nil)
	require.NoError(t, err)
	body := get(prompt.Handler(http.HandlerFunc(recipes.Home)), "/").Body.String()
	require.Contains(t, body, `href="/askonce/start?study=`)
	require.NotContains(t, body, `class="askonce"`, "there are two prompts")
	require.NotContains(t, get(http.HandlerFunc(recipes.Home), "/").Body.String(), "banner")
}

func TestStudies(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		studies  []string
		min, max int // how many of 300 users are invited to the first
	}{
		{[]string{"Checkout", "Onboarding", "Another"}, 300, 300},
		{[]string{"Onboarding", "Another"}, 5, 80},
	} {
		fake, _ := provider(t, tc.studies...)
		kit, err := recipes.Studies(askonce.Config{
			APIKey: fake.APIKey(), WebhookSecret: fake.Secret(), BaseURL: fake.BaseURL(), User: ada, Store: memstore.New(),
		})
		require.NoError(t, err)
		require.NoError(t, kit.Gates().Warm(t.Context()), "a study that is missing is no error")
		invited := 0
		for i := range 300 {
			if d := kit.Gates().Decide(t.Context(), gate.Visitor{UserID: fmt.Sprint("user-", i)}); d.Ask() {
				require.Equal(t, tc.studies[0], d.Prompt.StudyName)
				invited++
			}
		}
		require.GreaterOrEqual(t, invited, tc.min)
		require.LessOrEqual(t, invited, tc.max)
	}
}

// TestParts checks that the parts wired by hand do what a kit does: answers reach the
// store, and a completion reaches the pages, the gates and the hooks.
func TestParts(t *testing.T) {
	t.Parallel()
	fake, uj := provider(t, "Onboarding", "Another")
	study := fake.AddStudy(userjourneystest.Study{Name: "Checkout"})
	done := store.NewCached(memstore.New(), nil)
	var mu sync.Mutex
	var told []string
	studies, prompt, hook, err := recipes.Parts(uj, fake.Secret(), done, func(r *http.Request) string { return r.URL.Query().Get("user") }, middleware.Options{
		CookieKeys: middleware.Keys{make([]byte, 64), make([]byte, 32)},
		OnInteraction: func(_ context.Context, e middleware.Event) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, e.UserID+" "+e.Kind.String())
		},
	})
	require.NoError(t, err)
	require.NoError(t, studies.Warm(t.Context()))
	app := prompt.Handler(http.HandlerFunc(plainPage))
	asked := func(user string) bool {
		return strings.Contains(get(app, "/?user="+user).Body.String(), "/askonce/start?study="+study.ID)
	}
	for _, user := range []string{"ada", "bob", "cleo"} {
		require.True(t, asked(user))
	}

	decline := httptest.NewRequest(http.MethodPost, "/askonce/decline?user=ada&study="+study.ID, nil)
	decline.Header.Set("Sec-Fetch-Site", "same-origin")
	decline.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, decline)
	require.Equal(t, http.StatusNoContent, w.Code)
	answers, ok := store.As[store.Interactions](done)
	require.True(t, ok)
	p, err := answers.Person(t.Context(), "ada")
	require.NoError(t, err)
	require.Len(t, p.Studies, 1)
	require.Equal(t, store.InteractionDeclined, p.Studies[0].Answer)
	require.False(t, asked("ada"), "in any browser")

	fake.SetAccepting(study.ID, false) // unknown to the gates before the completion
	require.True(t, asked("cleo"))
	e := webhooktest.Completed("bob")
	e.Data.StudyID, e.Data.StudyName = study.ID, study.Name
	w = httptest.NewRecorder()
	hook.ServeHTTP(w, webhooktest.NewRequest(fake.Secret(), e))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, gate.ReasonCompleted, studies.Decide(t.Context(), gate.Visitor{UserID: "bob", StudyID: study.ID}).Reason, "at once")
	require.Eventually(t, func() bool { return !asked("cleo") }, 20*time.Second, 10*time.Millisecond, "the gates ask the provider again")
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []string{"ada declined", "bob completed"}, told)
}

func TestMenu(t *testing.T) {
	t.Parallel()
	require.Contains(t, get(recipes.Menu("s1"), "/").Body.String(), `href="/askonce/start?study=s1"`)
}

// TestBranded finds each property in the style sheet that the prompt loads, and
// each that the style sheet reads in the page.
func TestBranded(t *testing.T) {
	t.Parallel()
	kit, _ := newKit(t, nil)
	app := kit.Handler(http.HandlerFunc(recipes.Branded))
	page := get(app, "/").Body.String()
	link := regexp.MustCompile(`/askonce/prompt-[^"]+\.css`).FindString(page)
	require.NotEmpty(t, link)
	property := regexp.MustCompile(`--askonce-[a-z-]+`)
	want := property.FindAllString(strings.Split(page, "</style>")[0], -1)
	require.Len(t, want, 6)
	read := regexp.MustCompile(`var\((--askonce-[a-z-]+)`).FindAllStringSubmatch(get(app, link).Body.String(), -1)
	var got []string
	for _, m := range read {
		got = append(got, m[1])
	}
	slices.Sort(got)
	require.ElementsMatch(t, want, slices.Compact(got))
}

func TestInEnvironment(t *testing.T) {
	t.Parallel()
	production := recipes.InEnvironment("production", gate.PlainReferences())
	staging := recipes.InEnvironment("staging", gate.PlainReferences())
	reference, err := staging.Reference(store.Key{StudyID: "s", UserID: "ada"})
	require.NoError(t, err)
	user, err := staging.UserID("s", reference)
	require.NoError(t, err)
	require.Equal(t, "ada", user)
	for _, other := range []string{reference, "ada", ""} {
		_, err = production.UserID("s", other)
		require.ErrorIs(t, err, gate.ErrBadReference)
	}
}

func TestInterviews(t *testing.T) {
	t.Parallel()
	fake, uj := provider(t, "Checkout")
	study, err := uj.FindStudy(t.Context(), "Checkout")
	require.NoError(t, err)
	fake.FinishInterview(study.ID, userjourneystest.Interview{ReferenceID: "ada"})
	s := memstore.New()
	hook, err := webhook.New(fake.Secret(), s, &webhook.Options{Client: uj})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = hook.Run(ctx) })
	t.Cleanup(run.Wait)
	t.Cleanup(stop)
	require.Eventually(t, func() bool {
		all, err := recipes.Interviews(t.Context(), s, time.Now().AddDate(0, 0, -7))
		return err == nil && len(all) == 1 && all[0].UserID == "ada" && len(all[0].Turns) > 0
	}, 10*time.Second, 20*time.Millisecond)
	_, err = recipes.Interviews(t.Context(), new(recipes.OwnStore), time.Time{})
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestOwnStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return new(recipes.OwnStore) })
}

func TestImport(t *testing.T) {
	t.Parallel()
	done, key := memstore.New(), []byte("0123456789abcdef0123456789abcdef")
	_, err := done.Record(t.Context(), store.Completion{
		Key: store.Key{StudyID: "s", UserID: "real"}, InterviewID: "a real one", CompletedAt: time.Now(),
	})
	require.NoError(t, err)
	users := []string{"ada", "bob"}
	for range 2 { // again after a failure
		require.NoError(t, recipes.Import(t.Context(), done, "s", at(users...), key))
	}
	for _, user := range append(users, "real") {
		completed, err := done.Completed(t.Context(), store.Key{StudyID: "s", UserID: user})
		require.NoError(t, err)
		require.True(t, completed, user)
	}
	require.Equal(t, 3, count(t, done.Completions(t.Context(), store.Filter{})))
	for c, err := range done.Completions(t.Context(), store.Filter{UserID: "ada"}) {
		require.NoError(t, err)
		require.Equal(t, doneAt, c.CompletedAt, "it is not this week's")
	}
	for j, err := range done.PendingJobs(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, "a real one", j.InterviewID, "a transcript that does not exist would be fetched")
		require.False(t, j.DueAt.After(time.Now()), "the real job has to wait")
	}
	require.Equal(t, 1, count(t, done.PendingJobs(t.Context())))
	require.Error(t, recipes.Import(t.Context(), done, "s", at(""), key))
}

// at yields the users, each with the time of completion.
func at(users ...string) iter.Seq2[string, time.Time] {
	return func(yield func(string, time.Time) bool) {
		for _, user := range users {
			if !yield(user, doneAt) {
				return
			}
		}
	}
}

var doneAt = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

func TestSettings(t *testing.T) {
	t.Parallel()
	s := store.NewCached(memstore.New(), nil)
	g := ready(t, s)
	ada := gate.Visitor{UserID: "ada"}
	require.Equal(t, gate.ReasonEligible, g.Decide(t.Context(), ada).Reason)
	settings := func(s store.Store, form string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/settings", nil)
		if form != "" {
			r = httptest.NewRequest(http.MethodPost, "/settings", strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		recipes.Settings(s, func(*http.Request) string { return "ada" })(w, r)
		return w
	}
	require.NotContains(t, settings(s, "").Body.String(), "checked")
	require.Contains(t, settings(s, "never=on").Body.String(), "checked")
	require.Contains(t, settings(s, "").Body.String(), "checked")
	require.Equal(t, gate.ReasonDeclined, g.Decide(t.Context(), ada).Reason, "at once, although the answer was cached")
	require.Equal(t, gate.ReasonEligible, g.Decide(t.Context(), gate.Visitor{UserID: "bob"}).Reason)
	require.NotContains(t, settings(s, "save=1").Body.String(), "checked")
	require.Equal(t, gate.ReasonEligible, g.Decide(t.Context(), ada).Reason)
	require.Equal(t, http.StatusServiceUnavailable, settings(new(recipes.OwnStore), "never=on").Code)
	require.Equal(t, http.StatusServiceUnavailable, settings(new(recipes.OwnStore), "").Code)
}

func TestPause(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	g := ready(t, s)
	require.Equal(t, gate.ReasonEligible, g.Decide(t.Context(), gate.Visitor{UserID: "ada"}).Reason)
	require.NoError(t, recipes.Pause(t.Context(), s, true, "ops"))
	paused := ready(t, s) // a replica that has not cached the switch
	require.Equal(t, gate.ReasonPaused, paused.Decide(t.Context(), gate.Visitor{UserID: "ada"}).Reason)
	require.NoError(t, recipes.Pause(t.Context(), s, false, "ops"))
	require.Equal(t, gate.ReasonEligible, ready(t, s).Decide(t.Context(), gate.Visitor{UserID: "ada"}).Reason)
	require.Error(t, recipes.Pause(t.Context(), new(recipes.OwnStore), true, "ops"))
}

func TestWeekly(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	k := store.Key{StudyID: "s", UserID: "ada"}
	require.NoError(t, s.Note(t.Context(), store.Interaction{Key: k, Kind: store.InteractionShown, At: time.Now()}))
	_, err := s.Record(t.Context(), store.Completion{Key: k, InterviewID: "i1", CompletedAt: time.Now()})
	require.NoError(t, err)
	var report strings.Builder
	require.NoError(t, recipes.Weekly(t.Context(), &report, s, "s"))
	lines := strings.Split(strings.TrimSpace(report.String()), "\n")
	require.Len(t, lines, 7)
	require.Regexp(t, `^\d{4}-\d\d-\d\d: 1 shown, 0 opened, 0 declined, 1 completed$`, lines[6])
	require.Error(t, recipes.Weekly(t.Context(), &report, new(recipes.OwnStore), "s"))
}

func TestErase(t *testing.T) {
	t.Parallel()
	done := store.NewCached(memstore.New(), nil)
	k := store.Key{StudyID: "s", UserID: "ada"}
	_, err := done.Record(t.Context(), store.Completion{Key: k, InterviewID: "i1", CompletedAt: time.Now()})
	require.NoError(t, err)
	require.NoError(t, recipes.Erase(t.Context(), done, "ada"))
	completed, err := done.Completed(t.Context(), k)
	require.NoError(t, err)
	require.True(t, completed)
	lister, ok := store.As[store.Lister](done)
	require.True(t, ok)
	require.Zero(t, count(t, lister.Completions(t.Context(), store.Filter{UserID: "ada"})))
	require.Error(t, recipes.Erase(t.Context(), new(recipes.OwnStore), "ada"))
}

func count[V any](t *testing.T, all func(yield func(V, error) bool)) (n int) {
	for _, err := range all {
		require.NoError(t, err)
		n++
	}
	return n
}
