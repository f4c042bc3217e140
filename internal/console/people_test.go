package console_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// look looks a user up.
func (s *site) look(userID string) answer {
	return s.do(http.MethodPost, "people", url.Values{"user": {userID}})
}

func Test_people_says_why_a_user_is_asked_or_not(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(t *testing.T, s *site, kept *memstore.Store)
		says    []string
		not     string
	}{
		"would be asked": {func(*testing.T, *site, *memstore.Store) {}, []string{"Would be asked", "Has not completed the study", "Has not seen this prompt.", "No interview of this user is recorded."}, "Fails: "},
		"declined": {func(t *testing.T, _ *site, kept *memstore.Store) {
			note(t, kept, store.InteractionShown, "ada")
			note(t, kept, store.InteractionDeclined, "ada")
		}, []string{"Not asked", "<p>Has answered “No thanks”.</p>", "1 time", "Fails: </span>Has answered"}, "Would be asked"},
		"put it off": {func(t *testing.T, _ *site, kept *memstore.Store) {
			until := time.Now().Add(time.Hour)
			require.NoError(t, kept.Note(t.Context(), store.Interaction{Key: store.Key{StudyID: studyID, UserID: "ada"}, Kind: store.InteractionSnoozed, At: time.Now(), Until: until}))
		}, []string{"Not asked", "<dd>“Later” ", "until " + time.Now().UTC().Add(time.Hour).Format("2006-01-02")}, "Would be asked"},
		"opted out": {func(t *testing.T, _ *site, kept *memstore.Store) {
			require.NoError(t, kept.Note(t.Context(), store.Interaction{Key: store.Key{UserID: "ada"}, Kind: store.InteractionOptedOut, At: time.Now()}))
		}, []string{"Not asked", "Opted out of all studies"}, "Would be asked"},
		"completed": {func(t *testing.T, _ *site, kept *memstore.Store) { record(kept, "int/1") },
			[]string{"Not asked", "<p>Has completed the study.</p>", `href="interview?id=int%2f1"`}, "Would be asked"},
		"full": {func(_ *testing.T, s *site, _ *memstore.Store) {
			s.provider.set(func(p *provider) { p.study.AcceptingResponses = false })
		}, []string{"Not asked", "<p>The study takes no more interviews now.</p>"}, "Would be asked"},
		"another study": {func(t *testing.T, _ *site, kept *memstore.Store) {
			require.NoError(t, kept.Note(t.Context(), store.Interaction{Key: store.Key{StudyID: "old", UserID: "ada"}, Kind: store.InteractionOpened, At: time.Now().Add(-90 * 24 * time.Hour)}))
		}, []string{"Not configured", "<bdi>old</bdi>", "90 days ago"}, "Fails: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept := memstore.New()
			s := setup(t, kept, nil)
			c.prepare(t, s, kept)
			a := s.look("ada")
			require.Equal(t, http.StatusOK, a.status)
			for _, text := range c.says {
				require.Contains(t, a.text, text)
			}
			require.NotContains(t, a.text, c.not)
		})
	}
}

func Test_every_check_has_words(t *testing.T) {
	t.Parallel()
	s := setup(t, memstore.New(), nil)
	results := s.gates.Explain(t.Context(), gate.Visitor{UserID: "ada"})
	page := s.look("ada").text
	require.Equal(t, len(results), strings.Count(page, "<li class=\"good\">"))
	for _, r := range results {
		require.NotContains(t, page, "</span>"+r.Check)
	}
}

// An id in a URL would stay in access logs, histories and Referer headers.
func Test_the_id_of_a_user_is_in_no_url_and_no_log(t *testing.T) {
	t.Parallel()
	const user = "ada@example.com"
	kept := memstore.New()
	s := setup(t, kept, nil)
	c := store.Completion{Key: store.Key{StudyID: studyID, UserID: user}, InterviewID: "int-1", CompletedAt: time.Now()}
	_, err := kept.Record(t.Context(), c)
	require.NoError(t, err)
	form := url.Values{"user": {user}, "confirm": {user}, "study": {studyID}}
	answers := []answer{s.look(user), s.get("people?user=" + user), s.get("interviews"), s.get("interview?id=int-1"), s.do(http.MethodPost, "reset", form), s.do(http.MethodPost, "erase", form)}
	for _, a := range answers {
		for _, link := range regexp.MustCompile(`(?:href|action)="([^"]*)"`).FindAllStringSubmatch(a.text, -1) {
			address, err := url.QueryUnescape(html.UnescapeString(link[1]))
			require.NoError(t, err)
			require.NotContains(t, address, user)
		}
		require.NotContains(t, a.header.Get("Location"), "ada")
	}
	require.NotContains(t, answers[1].text, user, "a query does not look anybody up")
	require.NotContains(t, s.log.String(), "ada")
	require.Contains(t, s.log.String(), `msg="askonce: user was reset in the console" study=`+studyID)
	require.Contains(t, s.log.String(), `msg="askonce: user was erased in the console"`)
}

func Test_a_reset_lets_the_user_be_asked_again(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	s := setup(t, kept, nil)
	require.NotContains(t, s.look("ada").text, ">Reset<", "there is nothing to reset")
	record(kept, "int-1")
	require.Contains(t, s.look("ada").text, ">Reset<")
	a := s.do(http.MethodPost, "reset", url.Values{"user": {"ada"}, "study": {studyID}})
	require.Equal(t, http.StatusOK, a.status)
	require.Contains(t, a.text, "What the user saw and answered of this study is forgotten.")
	require.Contains(t, a.text, "Would be asked")
	require.Contains(t, a.text, "<dt>Reset</dt>")
	require.Contains(t, a.text, "int-1", "what was said stays")
	require.Contains(t, s.post("reset", url.Values{"user": {"ada"}}).text, "Nothing was done: the form was not complete.")
}

func Test_erasing_needs_the_id_once_more(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	s := setup(t, kept, nil)
	record(kept, "int-1")
	for _, confirm := range []string{"", "bob", "Ada", "ada "} {
		a := s.do(http.MethodPost, "erase", url.Values{"user": {"ada"}, "confirm": {confirm}})
		require.Contains(t, a.text, "Nothing was erased: you typed a different id.")
		require.Contains(t, a.text, "int-1", confirm)
	}
	require.NotContains(t, s.log.String(), "erased")
	page := s.post("erase", url.Values{"user": {"ada"}, "confirm": {"ada"}}).text
	require.Contains(t, page, "The user is erased")
	require.NotContains(t, page, "ada")
	require.NotContains(t, s.look("ada").text, "int-1")
	require.Contains(t, s.get("interview?id=int-1").text, "<dd>unknown</dd>", "the interview stays")
}

func Test_an_id_that_nobody_can_have_is_named_so(t *testing.T) {
	t.Parallel()
	s := setup(t, memstore.New(), nil)
	for name, id := range map[string]string{"too long": strings.Repeat("a", 257), "a control": "a\x00b", "not UTF-8": "\xff"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, s.look(id).text, "No user can have this id")
		})
	}
	require.Contains(t, s.look("").text, "Look a user up")
}
