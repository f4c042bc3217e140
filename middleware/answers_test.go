package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// script sends what the prompt's script sends.
var script = []string{"Accept", "*/*", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors"}

// replica returns a browser without cookies in front of an app that shares s.
func replica(t *testing.T, s store.Store, opts middleware.Options) *browser {
	t.Helper()
	g, err := gate.New(newStudy(), "study-1", s, &gate.Options{LinkHosts: []string{"provider.example"}})
	require.NoError(t, err)
	require.NoError(t, g.Warm(t.Context()))
	opts.Interactions, _ = store.As[store.Interactions](s)
	return newBrowser(t, newPrompt(t, g, &opts))
}

// An answer that one replica records holds on all replicas, in browsers without its
// cookie.
func TestAnswersFollowTheUser(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, path string
		asked      bool
	}{
		{"later", "later?study=study-1", false},
		{"decline", "decline?study=study-1", false},
		{"opt-out", "optout", false},
		{"another study", "decline?study=study-2", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := memstore.New()
			laptop := replica(t, s, middleware.Options{})
			require.Equal(t, http.StatusNoContent, laptop.do(http.MethodPost, "/askonce/"+tt.path, script...).StatusCode)
			require.Equal(t, tt.asked, laptop.asked())
			require.Equal(t, tt.asked, replica(t, s, middleware.Options{}).asked(), "on the phone")
			bob := replica(t, s, middleware.Options{})
			bob.user = "bob"
			require.True(t, bob.asked(), "another user")
		})
	}
}

func TestAnswersAreTakenBack(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	b := replica(t, s, middleware.Options{})
	for _, answer := range []string{"later?study=study-1", "decline?study=study-1", "optout"} {
		require.Equal(t, http.StatusNoContent, b.do(http.MethodPost, "/askonce/"+answer, script...).StatusCode)
	}
	require.Equal(t, http.StatusNoContent, b.do(http.MethodPost, "/askonce/undo?study=study-1", script...).StatusCode)
	require.False(t, replica(t, s, middleware.Options{}).asked(), "the opt-out holds")
	require.Equal(t, http.StatusNoContent, b.do(http.MethodPost, "/askonce/undo", script...).StatusCode)
	require.True(t, replica(t, s, middleware.Options{}).asked())
}

// Answers may be given within one second, and clocks differ: a browser's last answer counts.
func TestAnswersOfOneSecond(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cookies bool
		apart   time.Duration
	}{
		"a tenth of a second apart, without cookies":  {false, 100 * time.Millisecond},
		"at the same time, as clocks say that differ": {true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New()
				m := newPrompt(t, newGate(t, nil), &middleware.Options{Interactions: s})
				cookie := ""
				for _, said := range []struct {
					answer string
					want   store.InteractionKind
				}{
					{"decline", store.InteractionDeclined}, {"undo", store.InteractionUndone},
					{"decline", store.InteractionDeclined}, {"undo", store.InteractionUndone}, {"later", store.InteractionSnoozed},
				} {
					w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/askonce/"+said.answer+"?study=study-1", nil)
					r.Header.Set(userHeader, "ada")
					r.Header.Set("Cookie", cookie)
					m.Endpoints().ServeHTTP(w, r)
					require.Equal(t, http.StatusNoContent, w.Code)
					if c := w.Result().Cookies(); tt.cookies {
						cookie = c[0].Name + "=" + c[0].Value
					}
					p, err := s.Person(t.Context(), "ada")
					require.NoError(t, err)
					require.Equal(t, said.want, p.Study("study-1").Answer)
					time.Sleep(tt.apart)
				}
			})
		})
	}
}

// failing is a store of interactions that is down, or panics.
type failing struct{ panics bool }

func (f failing) Note(context.Context, store.Interaction) error {
	if f.panics {
		panic("of the store")
	}
	return errors.New("down")
}

// An answer that cannot be recorded is not acknowledged.
func TestUnrecordedAnswers(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]failing{"down": {}, "panics": {panics: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t, newPrompt(t, newGate(t, nil), &middleware.Options{Interactions: down}))
			for _, path := range []string{"shown?study=study-1", "later?study=study-1", "decline?study=study-1", "undo?study=study-1", "optout"} {
				a := b.do(http.MethodPost, "/askonce/"+path, script...)
				require.Equal(t, http.StatusServiceUnavailable, a.StatusCode, path)
				require.NotEmpty(t, a.Header.Get("Retry-After"))
				require.Empty(t, a.Cookies())
			}
			a := b.do(http.MethodGet, "/askonce/start?study=study-1")
			require.Equal(t, http.StatusSeeOther, a.StatusCode, "the interview goes before")
			require.Len(t, a.Cookies(), 1, "the browser remembers that it was opened")
			require.False(t, b.asked())
		})
	}
}

// If no store takes the user's id, the status is 400: the client should not retry.
func TestUnusableUserID(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]middleware.Options{"with a store": {Interactions: memstore.New()}, "by cookie alone": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			b := newBrowser(t, newPrompt(t, newGate(t, nil), &o))
			b.user = strings.Repeat("x", store.MaxIDLen+1)
			for _, path := range []string{"shown?study=study-1", "later?study=study-1", "decline?study=study-1", "undo?study=study-1", "optout"} {
				log.Reset()
				a := b.do(http.MethodPost, "/askonce/"+path, script...)
				require.Equal(t, http.StatusBadRequest, a.StatusCode, path)
				require.Empty(t, a.Header.Get("Retry-After"))
				require.Empty(t, a.Cookies())
				require.Contains(t, log.String(), "the user's id cannot be used: store: invalid argument: the id is longer than 256 bytes")
				require.NotContains(t, log.String(), "xxx")
			}
		})
	}
}

// Only the first page that shows a prompt reports it, because a report from a later
// page would count as another showing.
func TestAStandingPromptCountsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told recorder
		s := memstore.New()
		g, err := gate.New(newStudy(), "study-1", s, &gate.Options{LinkHosts: []string{"provider.example"}})
		require.NoError(t, err)
		m := newPrompt(t, g, &middleware.Options{Interactions: s, OnInteraction: told.tell})
		get := func(path, accept string) string {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set(userHeader, "ada")
			r.Header.Set("Accept", accept)
			m.Handler(respond(page)).ServeHTTP(w, r)
			return w.Body.String()
		}
		const image = `<img class="sr" src="/askonce/shown?study=study-1"`
		first := get("/", "text/html")
		require.Contains(t, first, image)
		require.NotContains(t, first, "data-seen")
		require.NotContains(t, get("/askonce/decision", "*/*"), `"seen"`)
		_ = seen(t, m, nil)

		time.Sleep(14 * time.Minute)
		standing := get("/", "text/html")
		require.Contains(t, standing, " data-seen ", "the script does not report it")
		require.NotContains(t, standing, image)
		require.Contains(t, get("/askonce/decision", "*/*"), `"seen":true`)

		time.Sleep(2 * time.Minute)
		require.NotContains(t, get("/", "text/html"), "<aside")
		require.Equal(t, []string{"shown study-1 ada"}, told.kinds())
	})
}

// hanging is a store of interactions that answers only when its context ends.
type hanging struct{}

func (hanging) Note(ctx context.Context, _ store.Interaction) error {
	<-ctx.Done()
	return ctx.Err()
}

// A store that hangs delays a user for 3 seconds. A browser that leaves does not cancel
// the call.
func TestNoteIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newPrompt(t, newGate(t, nil), &middleware.Options{Interactions: hanging{}})
		for path, want := range map[string]int{"decline?study=study-1": http.StatusServiceUnavailable, "start?study=study-1": http.StatusSeeOther} {
			method := http.MethodPost
			if want == http.StatusSeeOther {
				method = http.MethodGet
			}
			ctx, leave := context.WithCancel(t.Context())
			leave()
			w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, method, "/askonce/"+path, nil)
			r.Header.Set(userHeader, "ada")
			began := time.Now()
			m.Endpoints().ServeHTTP(w, r)
			require.Equal(t, want, w.Code, path)
			require.Equal(t, 3*time.Second, time.Since(began), path)
		}
	})
}

// recorder keeps the interactions that it records.
type recorder struct {
	mu      sync.Mutex
	notes   []store.Interaction
	sources []string
}

func (r *recorder) Note(_ context.Context, i store.Interaction) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, i)
	return nil
}

// events returns the events that tell was called with.
func (r *recorder) events() (events []string) {
	kinds := r.kinds()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, source := range r.sources {
		events = append(events, kinds[i]+" "+source)
	}
	return events
}

// tell is for OnInteraction.
func (r *recorder) tell(_ context.Context, e middleware.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, e.Interaction)
	r.sources = append(r.sources, e.Source.String())
}

func (r *recorder) kinds() (kinds []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range r.notes {
		kinds = append(kinds, i.Kind.String()+" "+i.StudyID+" "+i.UserID)
	}
	return kinds
}

// everything does all that a user can do with a prompt.
func everything(b *browser) {
	b.do(http.MethodGet, "/")
	b.do(http.MethodGet, "/askonce/decision")
	b.seen()
	b.do(http.MethodPost, "/askonce/later?study=study-1", script...)
	b.do(http.MethodGet, "/askonce/start?study=study-1", "Sec-Fetch-Dest", "document")
	b.do(http.MethodPost, "/askonce/decline?study=study-1", script...)
	b.do(http.MethodPost, "/askonce/undo?study=study-1", script...)
	b.do(http.MethodPost, "/askonce/optout", script...)
}

func TestOneHookForEveryInteraction(t *testing.T) {
	t.Parallel()
	all := []string{
		"shown study-1 ada", "snoozed study-1 ada", "opened study-1 ada", "declined study-1 ada", "undone study-1 ada", "opted_out  ada",
	}
	var stored, told recorder
	everything(newBrowser(t, newPrompt(t, newGate(t, nil), &middleware.Options{Interactions: &stored, OnInteraction: told.tell})))
	require.Equal(t, all, stored.kinds())
	require.Equal(t, all, told.kinds())

	var panics recorder
	everything(newBrowser(t, newPrompt(t, newGate(t, nil), &middleware.Options{Interactions: &panics, OnInteraction: func(context.Context, middleware.Event) { panic("of the app") }})))
	require.Equal(t, all, panics.kinds(), "a hook that panics costs nothing")
}

// Staff see the prompt whatever they have answered, and none of their answers counts.
func TestPreview(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	require.NoError(t, s.Note(t.Context(), store.Interaction{Key: store.Key{UserID: "ada"}, Kind: store.InteractionOptedOut, At: time.Now()}))
	require.False(t, replica(t, s, middleware.Options{}).asked())

	var told recorder
	b := replica(t, s, middleware.Options{Preview: func(*http.Request) bool { return true }, OnInteraction: told.tell})
	require.Contains(t, b.do(http.MethodGet, "/").body, "askonce-title")
	everything(b)
	require.Contains(t, b.do(http.MethodGet, "/").body, "askonce-title")
	require.Empty(t, told.kinds())
	require.Equal(t, newStudy().InterviewLink, b.do(http.MethodGet, "/askonce/start?study=study-1").Header.Get("Location"), "the interview has no user")
	p, err := s.Person(t.Context(), "ada")
	require.NoError(t, err)
	require.Empty(t, p.Studies)

	panics := replica(t, memstore.New(), middleware.Options{Preview: func(*http.Request) bool { panic("of the app") }})
	require.True(t, panics.asked(), "a func that panics previews nothing")
}

// Only a navigation starts an interview: an image or a frame in user content silences
// nobody.
func TestOnlyANavigationStarts(t *testing.T) {
	t.Parallel()
	var stored recorder
	b := newBrowser(t, newPrompt(t, newGate(t, nil), &middleware.Options{Interactions: &stored}))
	for _, dest := range []string{"image", "iframe", "frame", "object", "script", "empty", "style"} {
		a := b.do(http.MethodGet, "/askonce/start?study=study-1", "Sec-Fetch-Dest", dest)
		require.Equal(t, http.StatusForbidden, a.StatusCode, dest)
		require.Empty(t, a.Header.Get("Location"))
		require.Empty(t, a.Cookies())
	}
	require.Empty(t, stored.kinds())
	require.Equal(t, http.StatusSeeOther, b.do(http.MethodGet, "/askonce/start?study=study-1", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site").StatusCode, "a link in a mail")
}

// After a reset, the user is asked again on every replica, even in a browser whose
// cookie has an answer. The next answer holds again. A reset does not undo an opt-out.
func TestResetOutranksTheCookie(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"decline?study=study-1", "later?study=study-1", "optout"} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			s := memstore.New()
			b := replica(t, store.NewCached(s, nil), middleware.Options{})
			send := func() {
				t.Helper()
				require.Equal(t, http.StatusNoContent, b.do(http.MethodPost, "/askonce/"+answer, script...).StatusCode)
			}
			b.seen()
			send()
			require.False(t, b.asked())
			require.NoError(t, s.Reset(t.Context(), store.Key{StudyID: "study-1", UserID: "ada"}))
			other := replica(t, s, middleware.Options{})
			other.Jar = b.Jar
			require.Equal(t, answer != "optout", other.asked(), "on a replica that has cached nothing")
			if answer == "optout" {
				return
			}
			b = other
			send()
			require.False(t, b.asked())
			require.False(t, replica(t, s, middleware.Options{}).asked(), "in another browser")
			require.Equal(t, http.StatusNoContent, b.do(http.MethodPost, "/askonce/undo?study=study-1", script...).StatusCode)
			require.True(t, b.asked())
		})
	}
}

// The store keeps what a cookie alone would lose: another user of the same browser, a
// second tab whose cookie arrives later, and many studies.
func TestWhatACookieForgets(t *testing.T) {
	t.Parallel()
	decline := func(b *browser, study string) {
		require.Equal(t, http.StatusNoContent, b.do(http.MethodPost, "/askonce/decline?study="+study, script...).StatusCode)
	}
	t.Run("ada, bob, ada", func(t *testing.T) {
		t.Parallel()
		b := replica(t, memstore.New(), middleware.Options{})
		decline(b, "study-1")
		b.user = "bob"
		require.True(t, b.asked())
		decline(b, "study-1")
		b.user = "ada"
		require.False(t, b.asked())
	})
	t.Run("two tabs", func(t *testing.T) {
		t.Parallel()
		b := replica(t, memstore.New(), middleware.Options{})
		b.do(http.MethodGet, "/")
		before := b.Jar
		b.Jar = nil // the other tab's request left before the answer of this one came
		decline(b, "study-1")
		b.Jar = before
		require.Len(t, b.seen().Cookies(), 1, "a cookie without the answer")
		require.False(t, b.asked())
	})
	t.Run("200 studies", func(t *testing.T) {
		t.Parallel()
		s := memstore.New()
		b := replica(t, s, middleware.Options{})
		decline(b, "study-1")
		for n := range 199 {
			decline(b, fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
		}
		require.False(t, b.asked())
		require.False(t, replica(t, s, middleware.Options{}).asked())
		p, err := s.Person(t.Context(), "ada")
		require.NoError(t, err)
		require.Len(t, p.Studies, 200)
	})
}
