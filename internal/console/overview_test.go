package console_test

import (
	"context"
	"fmt"
	"html"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/internal/console"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

func Test_the_overview_says_of_each_study_whether_it_asks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(p *provider)
		says   []string
		not    string
	}{
		"asking":    {func(p *provider) { p.study.Limits.Weekly = &userjourneys.Limit{Limit: 1200, Used: 20} }, []string{">Asking<", "<dd>1,180</dd>", "20 of 1,200"}, "flash bad"},
		"no limit":  {func(*provider) {}, []string{">Asking<", "no limit known"}, "This week"},
		"full":      {func(p *provider) { p.study.AcceptingResponses = false }, []string{">Full<", "<dd>0</dd>"}, "flash bad"},
		"no study":  {func(p *provider) { p.err = userjourneys.ErrNotFound }, []string{">Not active<", "Paused, deleted, misspelled, or in another project."}, ">Asking<"},
		"the key":   {func(p *provider) { p.err = userjourneys.ErrUnauthorized }, []string{">Not asking<", "Check the key and its project"}, ">Asking<"},
		"ambiguous": {func(p *provider) { p.err = userjourneys.ErrAmbiguous }, []string{">Not asking<", "configure the study&#39;s id"}, ">Asking<"},
		"the link":  {func(p *provider) { p.study.InterviewLink = "http://elsewhere.example" }, []string{">Not asking<", "<code>gate.Options.LinkHosts</code>"}, ">Asking<"},
		"down":      {func(p *provider) { p.err = context.DeadlineExceeded }, []string{">Not asking<", "The provider does not answer"}, ">Asking<"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, memstore.New(), nil)
			s.provider.set(c.change)
			page := s.get("").text
			for _, text := range c.says {
				require.Contains(t, page, text)
			}
			require.NotContains(t, page, c.not)
		})
	}
}

func Test_pausing_one_study_or_all(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ study, name, button string }{
		"one": {studyID, store.PauseSwitch(studyID), "Resume"},
		"all": {"", store.PauseAll, "Resume all"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept := memstore.New()
			s := setup(t, kept, nil)
			require.NotContains(t, s.get("").text, "Resume")

			page := s.post("pause", url.Values{"study": {c.study}, "on": {"true"}, "by": {"Grace <b>"}}).text
			require.Contains(t, page, "Asking is paused, on every replica within 10 seconds.")
			require.Contains(t, page, `<span class="badge warn">Paused</span>`)
			require.Contains(t, page, "aused by Grace &lt;b&gt;, ")
			require.Contains(t, page, `<summary class="button">`+c.button+`</summary>`)
			switches, err := kept.Switches(t.Context())
			require.NoError(t, err)
			require.Len(t, switches, 1)
			require.Equal(t, store.Switch{Name: c.name, On: true, By: "Grace <b>", At: switches[0].At}, switches[0])

			page = s.post("pause", url.Values{"study": {c.study}, "on": {"false"}}).text
			require.Contains(t, page, "Asking is resumed, on every replica within 10 seconds.")
			require.Contains(t, page, `<span class="badge good">Asking</span>`)
			require.Contains(t, s.log.String(), fmt.Sprintf(`msg="askonce: asking was paused in the console" study=%s`, quoted(c.study)))
			require.Contains(t, s.log.String(), fmt.Sprintf(`msg="askonce: asking was resumed in the console" study=%s`, quoted(c.study)))
			require.NotContains(t, s.log.String(), "Grace")
		})
	}
}

// quoted returns s as slog's text handler writes it.
func quoted(s string) string {
	if s == "" {
		return `""`
	}
	return s
}

func Test_only_a_configured_study_can_be_paused(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	s := setup(t, kept, nil)
	s.get("")
	require.Contains(t, s.post("pause", url.Values{"study": {"another"}, "on": {"true"}}).text, "Nothing was done: the form was not complete.")
	switches, err := kept.Switches(t.Context())
	require.NoError(t, err)
	require.Empty(t, switches)
}

func Test_the_funnel_as_a_chart_and_a_table(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	s := setup(t, kept, nil)
	require.Contains(t, s.get("").text, "Nobody has seen the prompt in the last 30 days.")
	today := store.Day(time.Now())
	at := func(day, user int, kinds ...store.InteractionKind) {
		for _, kind := range kinds {
			require.NoError(t, kept.Note(t.Context(), store.Interaction{
				Key: store.Key{StudyID: studyID, UserID: fmt.Sprint(user)}, Kind: kind, At: today.AddDate(0, 0, -day), Until: today.AddDate(0, 0, 7),
			}))
		}
	}
	at(0, 1, store.InteractionShown, store.InteractionOpened)
	at(0, 2, store.InteractionShown, store.InteractionSnoozed)
	at(29, 3, store.InteractionShown, store.InteractionDeclined)
	at(30, 4, store.InteractionShown) // too long ago
	_, err := kept.Record(t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: "1"}, InterviewID: "int-1", CompletedAt: today})
	require.NoError(t, err)

	page := s.get("").text
	require.Contains(t, page, "3 saw the prompt, 1 opened the interview, 1 completed it.")
	require.Contains(t, page, `33 %`)
	svg := regexp.MustCompile(`(?s)<svg .*</svg>`).FindString(page)
	require.Equal(t, 30, strings.Count(svg, "<g>"))
	require.Contains(t, svg, `<rect class="shown" x="1" y="50" width="8" height="50"/>`, "the first day")
	require.Contains(t, svg, `<rect class="shown" x="291" y="0" width="8" height="100"/>`, "the last day")
	require.Equal(t, 2, strings.Count(svg, `class="shown"`))
	require.Equal(t, 1, strings.Count(svg, `class="completed"`))
	row := func(day string, numbers ...int) string {
		s := `<tr><th scope="row" class="nowrap">` + day + `</th>`
		for _, n := range numbers {
			s += fmt.Sprintf(`<td class="number">%d</td>`, n)
		}
		return s + "</tr>"
	}
	require.Contains(t, page, row(today.Format(time.DateOnly), 2, 1, 1, 1, 0))
	require.Contains(t, page, row(today.AddDate(0, 0, -29).Format(time.DateOnly), 1, 0, 0, 0, 1))
	require.NotContains(t, page, today.AddDate(0, 0, -30).Format(time.DateOnly))
}

func Test_the_overview_says_what_is_wrong_with_the_webhook(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client   *client
		url      string
		refs     webhook.References
		happens  func(s *site, kept *memstore.Store)
		passes   time.Duration
		says     string
		whatToDo string
	}{
		"nothing":         {client: &client{}, passes: time.Hour, says: "Transcripts to fetch"},
		"the key":         {client: &client{refused: true}, passes: time.Hour, says: "The provider refuses the API key", whatToDo: "Check the key and its project"},
		"no webhook":      {client: &client{none: true}, passes: time.Hour, says: "No webhook is registered", whatToDo: "<code>go run ./cmd/askonce setup -url …</code>"},
		"another webhook": {client: &client{}, url: "https://app.example/hook", passes: time.Hour, says: "The provider delivers to another URL", whatToDo: "<code>setup -url … -replace</code> takes it back"},
		"the secret":      {happens: func(s *site, _ *memstore.Store) { s.deliver("whsec_another_secret_0123") }, says: "Every delivery fails its signature", whatToDo: "Compare the secret"},
		"references":      {refs: otherKeys{}, happens: func(s *site, _ *memstore.Store) { s.deliver(secret) }, says: "References cannot be read", whatToDo: "the same keys, the old ones too"},
		"the store":       {happens: func(_ *site, kept *memstore.Store) { _ = kept.Close() }, says: "The store does not answer", whatToDo: "no transcript is fetched meanwhile"},
		"given up":        {happens: func(_ *site, kept *memstore.Store) { giveUp(kept, "int-1") }, says: "Transcripts were given up", whatToDo: `href="queue"`},
		"the queue":       {happens: func(_ *site, kept *memstore.Store) { record(kept, "int-1") }, passes: 7 * time.Hour, says: "The queue is behind", whatToDo: "fetching stops at 24"},
		"not run":         {passes: 11 * time.Minute, says: "This process has not reconciled yet", whatToDo: "Run <code>Kit.Run</code> in a goroutine."},
		"closed":          {happens: func(s *site, _ *memstore.Store) { _ = s.webhook.Close() }, says: "This process is about to stop", whatToDo: "answered with 503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				kept := memstore.New()
				o := &webhook.Options{URL: c.url, References: c.refs}
				if c.client != nil {
					o.Client = c.client
				}
				s := setup(t, kept, o)
				ctx, stop := context.WithCancel(t.Context())
				defer synctest.Wait()
				defer stop()
				if c.client != nil {
					go func() { _ = s.webhook.Run(ctx) }()
				}
				if c.happens != nil {
					c.happens(s, kept)
				}
				time.Sleep(c.passes + time.Second)
				page := s.get("").text
				require.Contains(t, page, html.EscapeString(c.says))
				require.Contains(t, page, c.whatToDo)
				if name == "nothing" {
					require.NotContains(t, page, `class="flash`)
				} else {
					require.Equal(t, 1, strings.Count(page, "<strong>"+html.EscapeString(c.says)+"</strong>"))
				}
			})
		})
	}
}

func Test_reconciliation_that_stops_is_seen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, memstore.New(), &webhook.Options{Client: &client{}})
		ctx, stop := context.WithCancel(t.Context())
		go func() { _ = s.webhook.Run(ctx) }()
		time.Sleep(time.Minute)
		stop()
		synctest.Wait()
		require.NotContains(t, s.get("").text, "Reconciliation is behind")
		time.Sleep(time.Hour)
		require.Contains(t, s.get("").text, "Reconciliation is behind")
	})
}

func Test_every_advice_is_a_sentence_of_OPERATIONS(t *testing.T) {
	t.Parallel()
	operations, err := os.ReadFile("../../OPERATIONS.md")
	require.NoError(t, err)
	text := strings.Join(strings.Fields(string(operations)), " ")
	require.Greater(t, len(console.Advice()), 15)
	for _, sentence := range console.Advice() {
		require.Contains(t, text, sentence)
	}
}

// somebody is a user whose id occurs in no other text.
const somebody = "Grace-Hopper"

// deliver sends the webhook a delivery that is signed with the secret.
func (s *site) deliver(secret string) webhooktest.Event {
	e := webhooktest.Completed(somebody)
	e.Data.StudyID = studyID
	s.webhook.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, e))
	return e
}

func record(s *memstore.Store, interviewID string) {
	_, err := s.Record(context.Background(), store.Completion{Key: store.Key{StudyID: studyID, UserID: "ada"}, InterviewID: interviewID, CompletedAt: time.Now()})
	if err != nil {
		panic(err)
	}
}

// giveUp records an interview and makes its job dead.
func giveUp(s *memstore.Store, interviewID string) {
	record(s, interviewID)
	jobs, err := s.ClaimJobs(context.Background(), time.Minute, 1)
	if err != nil || len(jobs) != 1 {
		panic(fmt.Sprint(jobs, err))
	}
	jobs[0].Attempts, jobs[0].Reason = 96, "it is too large"
	if err := s.KillJob(context.Background(), jobs[0]); err != nil {
		panic(err)
	}
}

// otherKeys are references of a replica that has other keys.
type otherKeys struct{}

func (otherKeys) UserID(string, string) (string, error) { return "", gate.ErrBadReference }

// client is the provider as the webhook sees it.
type client struct {
	refused bool
	none    bool // no webhook is registered
}

func (c *client) err() error {
	if c.refused {
		return &userjourneys.Error{StatusCode: http.StatusUnauthorized}
	}
	return nil
}

func (c *client) Interview(context.Context, string) (userjourneys.Interview, error) {
	return userjourneys.Interview{}, &userjourneys.Error{StatusCode: http.StatusNotFound}
}

func (c *client) Interviews(context.Context, userjourneys.InterviewFilter) iter.Seq2[userjourneys.Interview, error] {
	return func(yield func(userjourneys.Interview, error) bool) {
		if err := c.err(); err != nil {
			yield(userjourneys.Interview{}, err)
		}
	}
}

func (c *client) Studies(context.Context) iter.Seq2[userjourneys.Study, error] {
	return func(yield func(userjourneys.Study, error) bool) {
		if err := c.err(); err != nil {
			yield(userjourneys.Study{}, err)
			return
		}
		yield(userjourneys.Study{ID: studyID}, nil)
	}
}

func (c *client) Webhook(context.Context) (userjourneys.Webhook, error) {
	if c.none {
		return userjourneys.Webhook{}, &userjourneys.Error{StatusCode: http.StatusNotFound}
	}
	return userjourneys.Webhook{URL: "https://other.example/hook"}, c.err()
}

// A form that a proxy or a middleware has emptied must not resume everybody.
func Test_an_incomplete_form_switches_nothing(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	require.NoError(t, kept.SetSwitch(t.Context(), store.Switch{Name: store.PauseAll, On: true, At: time.Now().Add(-time.Minute)}))
	s := setup(t, kept, nil)
	for _, form := range []url.Values{
		{}, {"study": {""}}, {"on": {"false"}}, {"study": {""}, "on": {"off"}}, {"study": {""}, "on": {"false"}, "by": {strings.Repeat("x", 70_000)}},
	} {
		require.Contains(t, s.post("pause", form).text, "Nothing was done: the form was not complete.")
	}
	switches, err := kept.Switches(t.Context())
	require.NoError(t, err)
	require.Len(t, switches, 1)
	require.True(t, switches[0].On)
}

func Test_a_replica_whose_clock_is_ahead_has_not_the_last_word(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	require.NoError(t, kept.SetSwitch(t.Context(), store.Switch{Name: store.PauseAll, On: false, At: time.Now().Add(time.Minute)}))
	s := setup(t, kept, nil)
	require.Contains(t, s.post("pause", url.Values{"study": {""}, "on": {"true"}}).text, "Asking is paused")
	switches, err := kept.Switches(t.Context())
	require.NoError(t, err)
	require.True(t, switches[0].On)
}
