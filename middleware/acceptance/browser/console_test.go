package browser

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// newConsole serves the console of an app that has run for a month.
func newConsole(t testing.TB) (url string) {
	t.Helper()
	provider := userjourneystest.NewServer(t, nil)
	first := provider.AddStudy(userjourneystest.Study{Name: "Invoices: the first month", WeeklyLimit: 40})
	second := provider.AddStudy(userjourneystest.Study{Name: "Why teams leave", WeeklyLimit: 25})
	for n := range 25 {
		if n%2 == 0 {
			provider.FinishInterview(first.ID, userjourneystest.Interview{})
		}
		provider.FinishInterview(second.ID, userjourneystest.Interview{})
	}
	s := memstore.New()
	kit, err := askonce.New(askonce.Config{
		APIKey: provider.APIKey(), WebhookSecret: provider.Secret(), Studies: []string{first.ID, second.ID}, BaseURL: provider.BaseURL(),
		User: func(*http.Request) string { return "" }, Store: s, Webhook: &webhook.Options{Inspect: true}, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	require.NoError(t, kit.Webhook().Reconcile(t.Context()))
	fillMonth(t, s, first.ID, 30)
	fillMonth(t, s, second.ID, 12)
	fillQueue(t, s, first.ID)
	deliver(kit.Webhook(), provider.Secret(), first.ID)

	mux := http.NewServeMux()
	mux.Handle("/admin/askonce/", kit.Console(func(*http.Request) bool { return true }))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/admin/askonce/"
}

// fillMonth lets users see and answer a prompt, about n of them on each of the last
// 30 days.
func fillMonth(t testing.TB, s *memstore.Store, studyID string, n int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	today := store.Day(time.Now())
	for day := range 30 {
		at := today.AddDate(0, 0, -day)
		busy := n/2 + random.IntN(n)
		if at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
			busy /= 4
		}
		for user := range busy {
			k := store.Key{StudyID: studyID, UserID: fmt.Sprintf("%d-%d", day, user)}
			note := func(kind store.InteractionKind) {
				require.NoError(t, s.Note(t.Context(), store.Interaction{Key: k, Kind: kind, At: at.Add(time.Minute), Until: at.AddDate(0, 0, 7)}))
			}
			note(store.InteractionShown)
			switch chance := random.IntN(100); {
			case chance < 22:
				note(store.InteractionOpened)
				if chance < 15 {
					_, err := s.Record(t.Context(), store.Completion{
						Key: k, InterviewID: fmt.Sprintf("%s-%d-%d", studyID[:8], day, user), CompletedAt: at.Add(time.Hour),
						Quality: []string{"insightful", "good", "mixed"}[random.IntN(3)], Language: "en", Duration: time.Duration(300+random.IntN(600)) * time.Second,
					})
					require.NoError(t, err)
				}
			case chance < 40:
				note(store.InteractionSnoozed)
			case chance < 60:
				note(store.InteractionDeclined)
			}
		}
	}
	for { // the transcripts of all have come
		jobs, err := s.ClaimJobs(t.Context(), time.Minute, 100)
		require.NoError(t, err)
		for _, j := range jobs {
			body := fmt.Sprintf(`{"id":%q,"headline":"Invoices are easy, reminders are not","transcript":[{"role":"assistant","text":"What did you try first?"},{"role":"user","text":"I looked for a way to remind a client who had not paid."}]}`, j.InterviewID)
			require.NoError(t, s.SaveTranscript(t.Context(), j, store.Transcript{InterviewID: j.InterviewID, FetchedAt: time.Now(), Body: []byte(body)}))
			require.NoError(t, s.FinishJob(t.Context(), j))
		}
		if len(jobs) == 0 {
			return
		}
	}
}

// fillQueue leaves transcripts that were given up, some that wait, and dead letters.
func fillQueue(t testing.TB, s *memstore.Store, studyID string) {
	t.Helper()
	record := func(id string) {
		_, err := s.Record(t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: "ada"}, InterviewID: id, CompletedAt: time.Now()})
		require.NoError(t, err)
	}
	record("5b0e7a52-8c1f-4a1e-9a52-3f1d7c1b0a11")
	record("c9a6f3d0-77aa-4d0c-b1f0-0e6a0d3f5b22")
	jobs, err := s.ClaimJobs(t.Context(), time.Minute, 100)
	require.NoError(t, err)
	for i, j := range jobs {
		j.Attempts, j.Reason = 96, []string{"the transcript is larger than 16 MB", "OnCompleted: dial tcp 10.0.0.7:443: connect: connection refused"}[i%2]
		require.NoError(t, s.KillJob(t.Context(), j))
	}
	record("0f3d5c1e-2f44-4e7a-8f2b-6d9f7f0c4c33")
	record("77d1b1f4-5a3b-4c0f-a7fb-1c2e3d4f5a44")
	jobs, err = s.ClaimJobs(t.Context(), time.Minute, 1)
	require.NoError(t, err)
	jobs[0].Attempts, jobs[0].Reason = 2, "the provider has not made the transcript yet"
	require.NoError(t, s.PostponeJob(t.Context(), jobs[0], 4*time.Minute))
	require.NoError(t, s.AddDeadLetter(t.Context(), store.DeadLetter{
		ReceivedAt: time.Now().Add(-26 * time.Hour), Reason: "schema",
		Body: []byte(`{"event":"interview.completed","data":{"interview_id":"<script>alert(1)</script>","reference_id":"ada","note":"` + strings.Repeat("long", 500) + `"}}`),
	}))
}

// deliver sends the webhook one delivery of each kind that an operator sees.
func deliver(hook http.Handler, secret, studyID string) {
	send := func(secret string, change func(e *webhooktest.Event)) {
		e := webhooktest.Completed("ada")
		e.Data.StudyID = studyID
		change(&e)
		hook.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, e))
	}
	send(secret, func(*webhooktest.Event) {})
	send(secret, func(*webhooktest.Event) {})
	send("whsec_somebody_else_has_this_one", func(*webhooktest.Event) {})
	send(secret, func(e *webhooktest.Event) { e.Data.StudyID = "another-study" })
	send(secret, func(e *webhooktest.Event) { e.Event = "interview.started" })
	hook.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
}

// consolePages are all pages at which a browser can be.
var consolePages = []string{"", "people", "interviews", "queue", "deliveries"}

// consoleLooks are how operators may look at it.
var consoleLooks = map[string]look{
	"desktop": {width: 1280}, "desktop, dark": {width: 1280, dark: true},
	"phone": {width: 360, height: 640}, "phone, dark": {width: 360, height: 640, dark: true},
}

// TestConsole looks at every page of the console, with everything unfolded.
func TestConsole(t *testing.T) {
	t.Parallel()
	long(t)
	axe := axeCore.need(t)
	url := newConsole(t)
	for name, l := range consoleLooks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, l)
			for _, page := range consolePages {
				b.open(url + page)
				fits := `document.documentElement.scrollWidth <= document.documentElement.clientWidth`
				require.True(t, eval[bool](b, fits), "%q is wider than the window", page)
				eval[int](b, `document.querySelectorAll("details").forEach((d) => d.open = true), 0`)
				require.True(t, eval[bool](b, fits), "%q is wider than the window with everything unfolded", page)
				requireAxe(t, b, axe, page)
			}
			b.quiet()
		})
	}
}

// requireAxe requires that axe finds nothing wrong with a page.
func requireAxe(t *testing.T, b *tab, axe, page string) {
	t.Helper()
	// A script of the test's own gets past the page's policy.
	b.run(chromedp.Evaluate(axe, nil))
	found := eval[struct {
		Violations []string
		Passes     int
		Contrast   int
	}](b, `axe.run().then((r) => ({
		Violations: r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html.slice(0, 120) + " " + n.failureSummary)),
		Passes: r.passes.length,
		Contrast: r.passes.filter((p) => p.id === "color-contrast").flatMap((p) => p.nodes).length,
	}))`)
	require.Empty(t, strings.Join(found.Violations, "\n"), page)
	require.Greater(t, found.Passes, 15)
	require.Greater(t, found.Contrast, 5, "texts whose contrast was looked at")
}

// TestConsoleActions pauses a study, requeues a transcript and deletes a dead
// letter as an operator does, without a script.
func TestConsoleActions(t *testing.T) {
	t.Parallel()
	url := newConsole(t)
	b := newTab(t, look{noJS: true})
	text := func() string {
		t.Helper()
		var s string
		b.run(chromedp.Text("main", &s, chromedp.ByQuery))
		return s
	}
	b.open(url)
	b.click("article .menu > summary")
	b.run(chromedp.SendKeys("article .menu input[name=by]", "Grace", chromedp.ByQuery, chromedp.NodeVisible))
	b.click("article .menu form button")
	b.run(chromedp.WaitVisible(".flash", chromedp.ByQuery))
	require.Contains(t, text(), "Asking is paused, on every replica within 10 seconds.")
	require.Contains(t, text(), "Paused by Grace, just now.")

	b.run(chromedp.Click(`//nav//a[text()="Queue"]`, chromedp.BySearch, chromedp.NodeVisible), chromedp.WaitVisible("#dead", chromedp.ByQuery))
	b.click("form[action=requeue] button")
	b.run(chromedp.WaitVisible(".flash", chromedp.ByQuery))
	require.Contains(t, text(), "The transcript is queued again.")
	b.open(url + "queue").click("form[action=requeue-all] button")
	b.run(chromedp.WaitVisible(".flash", chromedp.ByQuery))
	require.Contains(t, text(), "1 given-up transcript queued again.")
	b.open(url + "queue").click("form[action=delete-letter] button")
	b.run(chromedp.WaitVisible(".flash", chromedp.ByQuery))
	require.Contains(t, text(), "No dead letters.")
	b.quiet()
}

func TestConsoleScreenshots(t *testing.T) {
	t.Parallel()
	long(t)
	url := newConsole(t)
	for file, tt := range map[string]struct {
		look look
		page string
	}{
		"console":       {look{width: 1280, height: 800}, ""},
		"console-dark":  {look{width: 1280, height: 800, dark: true}, ""},
		"console-phone": {look{width: 375, height: 667, scale: 2}, ""},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, tt.look).open(url + tt.page)
			var png []byte
			b.run(chromedp.CaptureScreenshot(&png))
			require.Greater(t, len(png), 5000)
			require.Less(t, len(png), 200_000, "small enough for a repository")
			if *screenshots {
				require.NoError(t, os.WriteFile(filepath.Join("screenshots", file+".png"), png, 0o644))
			}
		})
	}
}
