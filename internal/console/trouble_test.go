package console_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// actions are all forms of the console that change something, with what they send.
var actions = map[string]struct {
	form url.Values
	page string
}{
	"pause":             {url.Values{"study": {""}, "on": {"true"}}, ""},
	"requeue":           {url.Values{"id": {"int-1"}}, "queue"},
	"requeue-all":       {nil, "queue"},
	"delete-letter":     {url.Values{"id": {"letter"}}, "queue"},
	"reset":             {url.Values{"user": {"ada"}, "study": {studyID}}, "people"},
	"erase":             {url.Values{"user": {"ada"}, "confirm": {"ada"}}, "people"},
	"delete-transcript": {url.Values{"id": {"int-1"}}, "interview"},
}

func Test_pages_say_what_the_store_does_not_keep(t *testing.T) {
	t.Parallel()
	s := setup(t, bare{}, nil)
	for page, says := range map[string][]string{
		"":                   {"Pause switches: not kept by this store.", "Funnel: not kept by this store."},
		"queue":              {"Transcripts: not kept by this store.", "Dead letters: not kept by this store."},
		"interviews":         {"Interviews: not kept by this store."},
		"interview?id=int-1": {"Interview: not kept by this store.", "Transcript: not kept by this store."},
		"deliveries":         {"No delivery has come since this process started."},
	} {
		a := s.get(page)
		require.Equal(t, http.StatusOK, a.status)
		for _, text := range says {
			require.Contains(t, a.text, text)
		}
	}
	for path, action := range actions {
		require.Contains(t, s.post(path, action.form).text, "Nothing was done: this store cannot do that.", path)
	}
	require.Empty(t, s.log.String(), "it is no trouble")
}

func Test_pages_answer_while_the_store_fails(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func() error{
		"fails":  func() error { return errors.New("connection refused") },
		"panics": func() error { panic("connection refused") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, unwell{memstore.New(), call}, nil)
			for page, says := range map[string][]string{
				"":                   {"The store does not answer", "Pause switches: not available. The log says why.", "Funnel: not available.", ">Onboarding <"},
				"queue":              {"Transcripts: not available.", "Given-up transcripts: not available.", "Dead letters: not available."},
				"interviews":         {"Interviews: not available."},
				"interview?id=int-1": {"Interview: not available.", "Transcript: not available."},
				"deliveries":         {"No delivery has come since this process started."},
			} {
				a := s.get(page)
				require.Equal(t, http.StatusOK, a.status)
				for _, text := range says {
					require.Contains(t, a.text, text)
				}
				require.NotContains(t, a.text, "connection refused", "errors are for the log")
			}
			for path, action := range actions {
				require.Contains(t, s.post(path, action.form).text, "Nothing was done: the store failed. The log says why.", path)
			}
			require.Contains(t, s.log.String(), `msg="askonce: a part of the console is missing" part="Dead letters"`)
			require.Contains(t, s.log.String(), `msg="askonce: an action of the console failed" action=requeue`)
		})
	}
}

// A store that ignores its context delays no page for longer than a second.
func Test_pages_do_not_wait_for_a_store_that_hangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		forever := make(chan struct{})
		defer close(forever)
		s := setup(t, unwell{memstore.New(), func() error { <-forever; return nil }}, nil)
		for page, says := range map[string]string{
			"":                   "Funnel: no answer in time.",
			"queue":              "Dead letters: no answer in time.",
			"interviews":         "Interviews: no answer in time.",
			"interview?id=int-1": "Transcript: no answer in time.",
		} {
			began := time.Now()
			a := s.get(page)
			require.Less(t, time.Since(began), time.Second)
			require.Contains(t, a.text, says)
		}
		for path, action := range actions {
			began := time.Now()
			require.Equal(t, http.StatusSeeOther, s.do(http.MethodPost, path, action.form).status)
			require.Less(t, time.Since(began), time.Second)
		}
	})
}

// slowToErase is a store whose Erase takes ten seconds, and stops when the context ends.
type slowToErase struct{ *memstore.Store }

func (s slowToErase) Erase(ctx context.Context, userID string) error {
	select {
	case <-time.After(10 * time.Second):
		return s.Store.Erase(ctx, userID)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// An action that outlasts its page, or a browser that leaves, is carried out in full.
func Test_an_action_goes_on_when_nobody_waits_for_it(t *testing.T) {
	t.Parallel()
	for name, leaves := range map[string]bool{"the page is too slow": false, "the browser leaves": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				kept := memstore.New()
				record(kept, "int-1")
				s := setup(t, slowToErase{kept}, nil)
				form := url.Values{"user": {"ada"}, "confirm": {"ada"}}
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://example.com/console/erase", strings.NewReader(form.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("Sec-Fetch-Site", "same-origin")
				if leaves {
					time.AfterFunc(100*time.Millisecond, leave)
				}
				a := serve(t, s.Handler, r)
				if !leaves {
					require.Contains(t, s.get("people"+a.header.Get("Location")[strings.Index(a.header.Get("Location"), "?"):]).text, "The store did not answer in time.")
				}
				user := func() (id string) {
					for c, err := range kept.Completions(t.Context(), store.Filter{InterviewID: "int-1"}) {
						require.NoError(t, err)
						id = c.UserID
					}
					return id
				}
				require.Equal(t, "ada", user())
				time.Sleep(time.Minute)
				require.Empty(t, user(), "it was erased")
			})
		})
	}
}

// The number of calls to a store that hangs is bounded.
func Test_a_store_that_hangs_is_not_called_without_end(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		forever, calls := make(chan struct{}), make(chan struct{}, 10_000)
		defer close(forever)
		s := setup(t, unwell{memstore.New(), func() error { calls <- struct{}{}; <-forever; return nil }}, nil)
		for range 200 {
			s.get("queue")
		}
		require.Len(t, calls, 64)
		require.Contains(t, s.get("queue").text, "Dead letters: no answer in time.")
	})
}

func Test_the_overview_does_not_wait_for_a_provider_that_hangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, memstore.New(), nil)
		s.provider.set(func(p *provider) { p.hang = true })
		began := time.Now()
		a := s.get("")
		require.Less(t, time.Since(began), time.Second)
		require.Equal(t, http.StatusOK, a.status)
		require.Contains(t, a.text, "Not known yet")
		time.Sleep(time.Minute) // the gate's own request ends
		require.Contains(t, s.get("").text, "The provider does not answer")
		time.Sleep(time.Minute)
	})
}

func Test_a_provider_that_fails_leaves_the_rest_of_the_overview(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kept := memstore.New()
		s := setup(t, kept, nil)
		require.NoError(t, s.gates.Warm(t.Context()))
		note(t, kept, store.InteractionShown, "ada")
		s.provider.set(func(p *provider) { p.err = errors.New("status 500") })
		time.Sleep(20 * time.Minute)
		a := s.get("")
		synctest.Wait()
		require.Contains(t, a.text, "The provider does not answer")
		require.Contains(t, a.text, "Not asking")
		require.Contains(t, a.text, "Saw the prompt", "the study's id is known, so its funnel is")
		require.NotContains(t, a.text, "status 500")
	})
}

func note(t *testing.T, s store.Interactions, kind store.InteractionKind, userID string) {
	t.Helper()
	require.NoError(t, s.Note(t.Context(), store.Interaction{Key: store.Key{StudyID: studyID, UserID: userID}, Kind: kind, At: time.Now()}))
}
