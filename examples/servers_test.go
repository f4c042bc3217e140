package examples_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/examples/internal/site"
	"github.com/askonce/askonce/webhook/webhooktest"
)

const cookieKey = "COOKIE_KEY=a-cookie-key-of-the-tests-0123456789"

// TestServers takes users of every example through the whole flow, over HTTP and
// with the built program.
func TestServers(t *testing.T) {
	t.Parallel()
	sqlite := func(*testing.T) []string { return nil }
	for _, tc := range []struct {
		program, database string
		env               func(t *testing.T) []string
	}{
		{"nethttp", "sqlite", sqlite},
		{"gin", "sqlite", sqlite},
		{"echo", "sqlite", sqlite},
		{"spa", "sqlite", sqlite},
		{"nethttp", "postgres", postgres},
		{"echo", "mysql", mariaDB},
		{"gin", "redis", redisServer},
	} {
		t.Run(tc.program+"/"+tc.database, func(t *testing.T) {
			t.Parallel()
			f := &flow{
				T: t, program: tc.program, db: filepath.Join(t.TempDir(), "a b#%?.db"), env: append(tc.env(t), "OTEL_TRACES_EXPORTER=console"),
				// Other runs use the same databases, so the users are new.
				ada: "ada-" + strings.ToLower(rand.Text()[:12]), bob: "bob-" + strings.ToLower(rand.Text()[:12]),
			}
			f.app = f.start()
			ada := f.login(f.ada)
			f.interview(ada)
			f.kept()
			f.counted()
			if tc.program != "spa" {
				f.console()
			}
			f.app.stop()
			if tc.program == "gin" {
				require.Regexp(t, `"GET /",.*"askonce.study",[^}]*"`+f.study+`".*"askonce.decision",[^}]*"eligible".*"askonce.prompt",[^}]*"injected"`, f.app.out.String())
				require.Regexp(t, `"askonce.delivery",[^}]*"accepted"`, f.app.out.String())
			}

			f.app = f.start()
			f.kept()
			require.Contains(t, ada.get(f.home()).body, f.ada, "the session has outlived the restart")
			f.app.stop()
		})
	}
}

// flow is the test of one program.
type flow struct {
	*testing.T
	program, db string
	env         []string
	ada, bob    string
	study       string // its id
	app         *process
}

func (f *flow) start() *process {
	return startProcess(f.T, f.program, append(f.env, "LOG_LEVEL=debug"), "-fake", "-addr", "127.0.0.1:0", "-db", f.db)
}

// home returns the URL of a page with the user's name. In the single-page app the
// script shows it.
func (f *flow) home() string {
	if f.program == "spa" {
		return f.app.url + "/api/me"
	}
	return f.app.url + "/"
}

// login signs a user in with a new browser.
func (f *flow) login(user string) *browser {
	b := newBrowser(f.T)
	require.NotContains(f, b.get(f.app.url+"/").body, "/askonce/start", "nobody is logged in")
	require.Equal(f, http.StatusSeeOther, b.post(f.app.url+"/login", url.Values{"user": {user}}).status)
	require.Contains(f, b.get(f.app.url+"/style.css").body, "color-scheme")
	return b
}

// prompt returns the link of the prompt that the user sees, or "".
func (f *flow) prompt(b *browser) string {
	if f.program == "spa" {
		return b.decision(f.app.url + "/askonce/decision")
	}
	page := b.get(f.app.url + "/")
	require.Equal(f, http.StatusOK, page.status)
	return startLink(page.body)
}

// interview takes ada from the prompt through the interview.
func (f *flow) interview(ada *browser) {
	eventually(f.T, "the first look for lost deliveries, which could find the interview before it is delivered", func() bool {
		_, ok := f.seriesIfAny("askonce_reconciled_seconds")
		return ok
	})
	var link string
	eventually(f.T, "a prompt for ada", func() bool {
		link = f.prompt(ada)
		return link != ""
	})
	start, err := url.Parse(link)
	require.NoError(f, err)
	f.study = start.Query().Get("study")
	require.NotEmpty(f, f.study)
	require.Equal(f, link, f.prompt(ada), "seen a moment ago, it stays until it is answered")

	click := ada.get(f.app.url + link)
	require.Equal(f, http.StatusSeeOther, click.status)
	interview, err := url.Parse(click.location)
	require.NoError(f, err)
	require.Equal(f, f.ada, interview.Query().Get("reference_id"))
	require.Contains(f, ada.get(interview.String()).body, "Finish the interview")
	interview.RawQuery = ""
	require.Equal(f, http.StatusOK, ada.post(interview.String(), url.Values{"reference_id": {f.ada}}).status)
	eventually(f.T, "an accepted webhook", func() bool { return f.series(`askonce_deliveries_total{reason="accepted"}`) == 1 })

	forged := webhooktest.Completed(f.bob)
	status, err := webhooktest.Deliver(f.Context(), f.app.url+site.WebhookPath, "whsec_ffffffffffffffffffffffffffffffff", forged)
	require.NoError(f, err)
	require.Equal(f, http.StatusUnauthorized, status)
}

// kept checks that ada's interview is recorded.
func (f *flow) kept() {
	interviews := f.app.url + "/interviews"
	if f.program == "spa" {
		interviews = f.app.url + "/api/interviews"
	}
	admin := f.login(site.Admin)
	var page string
	eventually(f.T, "the transcript", func() bool {
		answer := admin.get(interviews)
		require.Equal(f, http.StatusOK, answer.status)
		page = answer.body
		return strings.Contains(page, "A friend told me.")
	})
	require.Contains(f, page, f.ada)
	require.NotContains(f, page, f.bob)
	require.Equal(f, http.StatusNotFound, f.login(f.bob).get(interviews).status, "not everybody may read it")

	ada := f.login(f.ada)
	eventually(f.T, "a decision that ada has completed", func() bool {
		require.Empty(f, f.prompt(ada))
		return f.decisions("completed") > 0
	})
	bob := f.login(f.bob)
	eventually(f.T, "a prompt for bob", func() bool { return f.prompt(bob) != "" })
}

// counted checks the metrics and the health endpoint.
func (f *flow) counted() {
	require.GreaterOrEqual(f, f.decisions("eligible"), 2.0)
	require.Equal(f, 1.0, f.series(`askonce_deliveries_total{reason="accepted"}`))
	require.Equal(f, 1.0, f.series(`askonce_deliveries_total{reason="bad_signature"}`))
	require.Equal(f, 0.0, f.series(`askonce_deliveries_total{reason="store"}`))
	require.Equal(f, 2.0, f.series(`askonce_delivery_seconds_count`))
	if f.program != "spa" { // which shows the prompt itself
		require.GreaterOrEqual(f, f.series(`askonce_prompts_total{outcome="injected"}`), 2.0)
	}
	require.Positive(f, f.series(`askonce_interactions_total{kind="opened"}`))
	require.Equal(f, 1.0, f.series(`askonce_progress_total{step="fetched"}`))
	require.Equal(f, 1.0, f.series("askonce_completions_total"))
	require.Equal(f, 1.0, f.series("askonce_store_up"))
	eventually(f.T, "the transcript's job to end", func() bool { return f.series("askonce_transcripts_pending") == 0 })
	require.Equal(f, 0.0, f.series("askonce_transcripts_dead"))
	require.Equal(f, 0.0, f.series("askonce_transcripts_oldest_seconds"))
	require.Equal(f, 0.0, f.series("askonce_api_key_refused"))
	require.Positive(f, f.series("askonce_reconciled_seconds"))
	require.Positive(f, f.series("askonce_capacity_age_seconds"))
	requireEveryQueryFindsSeries(f.T, newBrowser(f.T).get(f.app.url+"/metrics").body)

	health := newBrowser(f.T).get(f.app.url + "/healthz")
	require.Equal(f, http.StatusOK, health.status)
	var body struct {
		Store      bool
		Pending    int
		KeyRefused bool `json:"key_refused"`
	}
	require.NoError(f, json.Unmarshal([]byte(health.body), &body))
	require.True(f, body.Store)
	require.Zero(f, body.Pending)
	require.False(f, body.KeyRefused)
}

// console checks that the admin can use the console, and nobody else.
func (f *flow) console() {
	admin, bob, console := f.login(site.Admin), f.login(f.bob), f.app.url+"/admin/askonce/"
	require.Contains(f, admin.get(f.app.url+"/").body, `href="/admin/askonce/"`)
	page := admin.get(console)
	require.Equal(f, http.StatusOK, page.status)
	require.Contains(f, page.body, ">Asking<")
	require.Empty(f, startLink(page.body), "the console is no page for a prompt")
	require.Contains(f, admin.get(console+"deliveries").body, "The signature is not of this body and secret")
	require.Contains(f, admin.get(console+"style.css").body, "color-scheme")
	done := admin.post(console+"pause", url.Values{"study": {""}, "on": {"false"}, "by": {"the test"}})
	require.Equal(f, http.StatusSeeOther, done.status)
	require.Contains(f, admin.get(console+strings.TrimPrefix(done.location, "./")).body, "Asking is resumed")
	for _, page := range []string{"", "queue", "style.css"} {
		require.Equal(f, http.StatusNotFound, bob.get(console+page).status)
	}
	require.Equal(f, http.StatusNotFound, bob.post(console+"pause", nil).status)
}

// series returns the value of a series of /metrics, and fails the test if there is
// none.
func (f *flow) series(name string) float64 {
	v, ok := f.seriesIfAny(name)
	require.True(f, ok, "no series %s", name)
	return v
}

// decisions returns how many decisions about the study had the reason.
func (f *flow) decisions(reason string) float64 {
	n, _ := f.seriesIfAny(fmt.Sprintf("askonce_decisions_total{reason=%q,study=%q}", reason, f.study)) // none before the first
	return n
}

func (f *flow) seriesIfAny(name string) (value float64, ok bool) {
	page := newBrowser(f.T).get(f.app.url + "/metrics").body
	for line := range strings.Lines(page) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			_, err := fmt.Sscan(rest, &value)
			require.NoError(f, err)
			return value, true
		}
	}
	return 0, false
}

// TestFakeLeavesNothingBehind checks that a trial run removes its files.
func TestFakeLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	app := startProcess(t, "nethttp", []string{"TMPDIR=" + tmp}, "-fake", "-addr", "127.0.0.1:0")
	files, err := filepath.Glob(filepath.Join(tmp, "askonce-*", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file)
	}
	app.stop()
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left)
}
