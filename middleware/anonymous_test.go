package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

func TestAnonymousVisitorsAreNotStored(t *testing.T) {
	t.Parallel()
	var stored, told recorder
	b := newBrowser(t, newPrompt(t, newGate(t, nil), &middleware.Options{Anonymous: true, Interactions: &stored, OnInteraction: told.tell}))
	b.user = ""
	everything(b)
	require.Empty(t, stored.kinds())
	require.Contains(t, told.kinds(), "declined study-1 ")
}

// An anonymous visitor's answers hold after signing in, until a signed-in user answers
// in this browser.
func TestSigningInKeepsWhatTheVisitorSaid(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"decline?study=study-1", "later?study=study-1", "optout"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t, newPrompt(t, newGate(t, nil), &middleware.Options{Anonymous: true}))
			b.user = ""
			require.Contains(t, b.do(http.MethodGet, "/").body, "askonce-title")
			require.Equal(t, http.StatusNoContent, b.do(http.MethodPost, "/askonce/"+path, script...).StatusCode)
			b.user = "ada"
			require.False(t, b.asked())
			require.Equal(t, http.StatusNoContent, b.do(http.MethodPost, "/askonce/shown?study=study-2", script...).StatusCode)
			require.False(t, b.asked(), "it is ada's own now")
			b.user = "bob"
			require.True(t, b.asked())
		})
	}

	t.Run("another user's", func(t *testing.T) {
		t.Parallel()
		o := &middleware.Options{Anonymous: true}
		decline := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/askonce/decline?study=study-1", nil)
		r.Header.Set(userHeader, "ada")
		newPrompt(t, newGate(t, nil), o).Endpoints().ServeHTTP(decline, r)
		replica := newPrompt(t, newGate(t, nil), o) // has never seen ada's cookie
		for range 2 {
			w := httptest.NewRecorder()
			replica.Handler(respond(page)).ServeHTTP(w, pageRequest(userHeader, "bob", "Cookie", "askonce="+decline.Result().Cookies()[0].Value))
			require.Contains(t, w.Body.String(), "<aside")
		}
	})
	t.Run("opened", func(t *testing.T) {
		t.Parallel()
		b := newBrowser(t, newPrompt(t, newGate(t, nil), &middleware.Options{Anonymous: true}))
		b.user = ""
		b.do(http.MethodGet, "/")
		require.Equal(t, http.StatusSeeOther, b.do(http.MethodGet, "/askonce/start?study=study-1").StatusCode)
		b.user = "ada"
		require.False(t, b.asked())
	})
}

// An interview that the browser's anonymous visitor has completed counts as completed
// for the user who signs in there, and nowhere else. Nothing is recorded about the
// user.
func TestSigningInKeepsWhatTheVisitorCompleted(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	open := func() *browser {
		g, err := gate.New(newStudy(), "study-1", store.NewCached(s, nil), &gate.Options{OpenedPause: -1, LinkHosts: []string{"provider.example"}})
		require.NoError(t, err)
		require.NoError(t, g.Warm(t.Context()))
		return newBrowser(t, newPrompt(t, g, &middleware.Options{Anonymous: true, Interactions: s}))
	}
	b := open()
	b.user = ""
	require.True(t, b.asked())
	link, err := url.Parse(b.do(http.MethodGet, "/askonce/start?study=study-1").Header.Get("Location"))
	require.NoError(t, err)
	visitor := link.Query().Get("reference_id")
	require.Regexp(t, "^anonymous-", visitor)
	b.user = "ada"
	require.True(t, b.asked(), "opened, and not completed")
	require.Equal(t, http.StatusSeeOther, b.do(http.MethodGet, "/askonce/start?study=study-1").StatusCode)
	_, err = s.Record(t.Context(), store.Completion{Key: store.Key{StudyID: "study-1", UserID: visitor}, InterviewID: "i", CompletedAt: time.Now()})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, b.do(http.MethodGet, "/askonce/start?study=study-1").StatusCode, "the click is confirmed past the cache")

	other := open() // another replica
	other.Jar = b.Jar
	for range 2 {
		other.user = "ada"
		require.False(t, other.asked())
		require.Contains(t, other.do(http.MethodGet, "/askonce/decision").body, `"reason":"completed"`)
	}
	done, err := s.Completed(t.Context(), store.Key{StudyID: "study-1", UserID: "ada"})
	require.NoError(t, err)
	require.False(t, done, "a guess was recorded")
	phone := open()
	require.True(t, phone.asked(), "in another browser")
	other.user = "bob"
	require.True(t, other.asked(), "another user of the browser, after ada has used it")

	require.NoError(t, s.Reset(t.Context(), store.Key{StudyID: "study-1", UserID: "ada"}))
	reset := open()
	reset.Jar = b.Jar
	require.True(t, reset.asked(), "after a reset")
}
