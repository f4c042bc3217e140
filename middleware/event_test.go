package middleware_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// The source of an event is right for each kind of app.
func TestWhereEventsComeFrom(t *testing.T) {
	t.Parallel()
	post := func(b *browser, url string) {
		require.Equal(t, http.StatusNoContent, b.do(http.MethodPost, url, script...).StatusCode, url)
	}
	for want, prompt := range map[string]func(b *browser) (later, start string){
		"page": func(b *browser) (later, start string) {
			return "/askonce/later?study=study-1", "/askonce/start?study=study-1"
		},
		"template": func(b *browser) (later, start string) {
			var c middleware.Content
			require.NoError(t, json.Unmarshal([]byte(b.do(http.MethodGet, "/own").body), &c))
			return c.LaterURL, c.StartURL
		},
		"app": func(b *browser) (later, start string) {
			var d struct{ Links struct{ Later, Start string } }
			require.NoError(t, json.Unmarshal([]byte(b.do(http.MethodGet, "/askonce/decision").body), &d))
			return d.Links.Later, d.Links.Start
		},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			var told recorder
			b := newBrowserOn(t, newPrompt(t, newGate(t, nil), &middleware.Options{OnInteraction: told.tell}), func(w http.ResponseWriter, r *http.Request) {
				c, _ := middleware.PromptFrom(r.Context())
				_ = json.NewEncoder(w).Encode(c)
			})
			later, start := prompt(b)
			post(b, later)
			require.Equal(t, http.StatusSeeOther, b.do(http.MethodGet, start).StatusCode)
			require.Subset(t, told.events(), []string{"snoozed study-1 ada " + want, "opened study-1 ada " + want})
		})
	}
}

// When a form without script takes an answer back, the event still has its source.
func TestAFarewellKeepsTheSource(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, newPrompt(t, newGate(t, nil), nil))
	a := b.do(http.MethodPost, "/askonce/decline?study=study-1&from=template", "Sec-Fetch-Mode", "navigate")
	require.Contains(t, a.body, "&amp;from=template")
	require.NotContains(t, b.do(http.MethodPost, "/askonce/decline?study=study-1", "Sec-Fetch-Mode", "navigate").body, "from=")
}

func TestCompletedInterviewsAreEvents(t *testing.T) {
	t.Parallel()
	var told recorder
	m := newPrompt(t, newGate(t, nil), &middleware.Options{OnInteraction: told.tell, Anonymous: true})
	done := store.Completion{Key: store.Key{StudyID: "study-1", UserID: "ada"}, CompletedAt: time.Now()}
	m.Recorded(t.Context(), done)
	ignored := done
	ignored.Ignored = true
	m.Recorded(t.Context(), ignored)
	done.UserID = "anonymous-1"
	m.Recorded(t.Context(), done)
	require.Equal(t, []string{"completed study-1 ada webhook", "completed study-1  webhook"}, told.events())
	require.Equal(t, done.CompletedAt, told.notes[0].At)

	newPrompt(t, newGate(t, nil), nil).Recorded(t.Context(), done) // without a hook
}

// TestGuestsOfTheApp has users whose ids begin like those of anonymous visitors, in an
// app that does not ask anonymous visitors.
func TestGuestsOfTheApp(t *testing.T) {
	t.Parallel()
	var told recorder
	s := memstore.New()
	b := newBrowser(t, newPrompt(t, newGate(t, nil), &middleware.Options{OnInteraction: told.tell, Interactions: s}))
	b.user = "anonymous-guest"
	require.Equal(t, http.StatusOK, b.do(http.MethodPost, "/askonce/decline?study=study-1").StatusCode)
	require.Equal(t, []string{"declined study-1 anonymous-guest page"}, told.events())
	p, err := s.Person(t.Context(), b.user)
	require.NoError(t, err)
	require.Equal(t, store.InteractionDeclined, p.Study("study-1").Answer)
}

// If nothing reports that a prompt was seen, the response counts, with the same time in
// the cookie, the store and the hook, and without delay.
func TestAShowingThatTheResponseCounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		page    func(w http.ResponseWriter, r *http.Request)
		preview bool
		want    []string
	}{
		{name: "the policy blocks the script", want: []string{"shown study-1 ada page"}, page: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "script-src 'none'")
			respond(page)(w, r)
		}},
		{name: "the app renders the prompt", want: []string{"shown study-1 ada template"}, page: func(w http.ResponseWriter, r *http.Request) {
			c, _ := middleware.PromptFrom(r.Context())
			respond(fmt.Sprintf("<!doctype html><p>%s</p></body></html>", c.Texts.Title))(w, r)
		}},
		{name: "the script reports", page: respond(page)},
		{name: "a preview", preview: true, page: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "script-src 'none'")
			respond(page)(w, r)
		}},
		{name: "the end refuses it", page: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "script-src 'none'")
			respond(strings.TrimSuffix(page, "</body></html>")+"<script>")(w, r)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New()
				var told recorder
				m := newPrompt(t, newGate(t, nil), &middleware.Options{
					Interactions: lagging{s}, OnInteraction: told.tell, Preview: func(*http.Request) bool { return tt.preview },
				})
				w, began := httptest.NewRecorder(), time.Now()
				m.Handler(http.HandlerFunc(tt.page)).ServeHTTP(w, pageRequest(userHeader, "ada"))
				require.Zero(t, time.Since(began), "the page does not wait for the store")
				require.Empty(t, told.kinds())

				time.Sleep(2 * time.Second)
				require.Equal(t, tt.want, told.events())
				p, err := s.Person(t.Context(), "ada")
				require.NoError(t, err)
				require.Len(t, p.Study("study-1").Showings, len(tt.want))
				if len(tt.want) > 0 {
					require.Len(t, w.Result().Cookies(), 1)
					require.True(t, began.Truncate(time.Second).Equal(p.Study("study-1").Showings[0]))
				}
			})
		})
	}
}

// lagging is a store that takes a second for a note, even if the client leaves.
type lagging struct{ *memstore.Store }

func (s lagging) Note(ctx context.Context, i store.Interaction) error {
	time.Sleep(time.Second)
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.Store.Note(ctx, i)
}

// A store that hangs costs at most 64 goroutines for 3 seconds, and delays no page.
func TestShowingsDoNotPileUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told recorder
		stuck := &counted{}
		g, err := gate.New(newStudy(), "study-1", memstore.New(), &gate.Options{LinkHosts: []string{"provider.example"}})
		require.NoError(t, err)
		h := newPrompt(t, g, &middleware.Options{Interactions: stuck, OnInteraction: told.tell}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "script-src 'none'")
			respond(page)(w, r)
		}))
		for range 100 {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, pageRequest(userHeader, "ada"))
			require.Contains(t, w.Body.String(), "<aside")
		}
		synctest.Wait()
		require.EqualValues(t, 64, stuck.calls.Load())
		time.Sleep(4 * time.Second)
		h.ServeHTTP(httptest.NewRecorder(), pageRequest(userHeader, "ada"))
		synctest.Wait()
		require.EqualValues(t, 65, stuck.calls.Load(), "they have ended")
		require.Empty(t, told.kinds())
		time.Sleep(4 * time.Second)
	})
}

// counted is a store that hangs and counts its calls.
type counted struct {
	hanging
	calls atomic.Int32
}

func (c *counted) Note(ctx context.Context, i store.Interaction) error {
	c.calls.Add(1)
	return c.hanging.Note(ctx, i)
}
