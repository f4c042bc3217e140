package middleware_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store/memstore"
)

// bearer is a single-page app whose requests carry a token instead of a cookie.
type bearer struct {
	t testing.TB
	m *middleware.Middleware
}

func newBearer(t testing.TB, s *memstore.Store, anonymous bool) bearer {
	t.Helper()
	g, err := gate.New(newStudy(), "study-1", s, &gate.Options{LinkHosts: []string{"provider.example"}})
	require.NoError(t, err)
	m, err := middleware.New(g, func(r *http.Request) string {
		user, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		return user
	}, &middleware.Options{Interactions: s, CookieKeys: testKeys, Anonymous: anonymous, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return bearer{t, m}
}

func (b bearer) do(method, url string, headers ...string) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest(method, url, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	b.m.Endpoints().ServeHTTP(w, r)
	return w
}

// links returns the links of a decision.
func (b bearer) links(headers ...string) (links struct{ Start, Shown, Later, Decline, Undo, OptOut string }) {
	var d struct{ Links any }
	d.Links = &links
	require.NoError(b.t, json.Unmarshal(b.do(http.MethodGet, "/askonce/decision", headers...).Body.Bytes(), &d))
	return links
}

// Neither the new tab of an interview nor a report at the end of a page has the token.
func TestLinksWorkWithoutTheToken(t *testing.T) {
	t.Parallel()
	for name, anonymous := range map[string]bool{"users alone": false, "anonymous visitors too": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New()
				b := newBearer(t, s, anonymous)
				links := b.links("Authorization", "Bearer ada")
				require.NotContains(t, links.Start, "ada")
				posts := []string{links.Shown, links.Later, links.Decline, links.Undo, links.OptOut}

				time.Sleep(59 * time.Minute)
				start := b.do(http.MethodGet, links.Start, "Sec-Fetch-Dest", "document")
				require.Equal(t, http.StatusSeeOther, start.Code)
				require.Equal(t, "https://provider.example/i/abc?reference_id=ada", start.Header().Get("Location"))
				require.Equal(t, "no-referrer", start.Header().Get("Referrer-Policy"))
				for _, post := range posts {
					require.Equal(t, http.StatusNoContent, b.do(http.MethodPost, post, "Accept", "*/*").Code, post)
				}
				p, err := s.Person(t.Context(), "ada")
				require.NoError(t, err)
				require.True(t, p.OptedOut)
				require.Len(t, p.Study("study-1").Showings, 1)

				time.Sleep(2 * time.Minute)
				require.Equal(t, http.StatusForbidden, b.do(http.MethodGet, links.Start, "Sec-Fetch-Dest", "document").Code, "too late")
				for _, post := range posts {
					require.Equal(t, http.StatusForbidden, b.do(http.MethodPost, post, "Accept", "*/*").Code, post)
				}
			})
		})
	}
}

// A permanent link needs a user and a study, but no invitation.
func TestARefusalHasALink(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	b := newBearer(t, s, false)
	decision := func(headers ...string) string {
		return b.do(http.MethodGet, "/askonce/decision?study=study-1", headers...).Body.String()
	}
	require.Equal(t, http.StatusNoContent, b.do(http.MethodPost, b.links("Authorization", "Bearer ada").Later, "Accept", "*/*").Code)
	var d struct {
		Reason string
		Links  map[string]string
	}
	require.NoError(t, json.Unmarshal([]byte(decision("Authorization", "Bearer ada")), &d))
	require.Equal(t, "snoozed", d.Reason)
	require.Len(t, d.Links, 1)
	start := b.do(http.MethodGet, d.Links["start"], "Sec-Fetch-Dest", "document")
	require.Equal(t, http.StatusSeeOther, start.Code)
	require.Equal(t, "https://provider.example/i/abc?reference_id=ada", start.Header().Get("Location"))

	require.JSONEq(t, `{"ask":false,"reason":"anonymous"}`, decision())
	require.NotContains(t, b.do(http.MethodGet, "/askonce/decision", "Authorization", "Bearer ada").Body.String(), "links", "of which study?")
	session := newBrowser(t, newPrompt(t, reasoner{gate.Decision{Reason: gate.ReasonSnoozed}}, nil))
	require.JSONEq(t, `{"ask":false,"reason":"snoozed","links":{"start":"/askonce/start?study=a%26b&from=app"}}`,
		session.do(http.MethodGet, "/askonce/decision?study=a%26b").body)
	require.NotContains(t, session.do(http.MethodGet, "/askonce/decision?study="+strings.Repeat("x", 300)).body, "links", "no study has this id")
}

func TestATicketIsForOneUserAndStudy(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	b := newBearer(t, s, false)
	require.NotContains(t, b.links("Cookie", "session=1").Start, "ticket", "nobody")
	session := newBrowser(t, newPrompt(t, newGate(t, nil), nil))
	require.NotContains(t, session.do(http.MethodGet, "/askonce/decision").body, "ticket", "a session needs none")

	links := b.links("Authorization", "Bearer ada")
	decline := func(url string, headers ...string) int { return b.do(http.MethodPost, url, headers...).Code }
	require.Equal(t, http.StatusForbidden, decline(strings.Replace(links.Decline, "study-1", "study-2", 1)), "another study")
	require.Equal(t, http.StatusForbidden, decline(strings.Replace(links.Decline, "study=study-1", "", 1)), "no study")
	_, query, _ := strings.Cut(strings.Replace(links.Start, "study=study-1", "", 1), "?")
	require.Equal(t, http.StatusForbidden, b.do(http.MethodGet, "/askonce/start?"+query, "Sec-Fetch-Dest", "document").Code, "no study")
	renewed := b.do(http.MethodGet, strings.Replace(links.Start, "/start?", "/decision?", 1), "Authorization", "Bearer ")
	require.NotContains(t, renewed.Body.String(), "ticket", "a ticket is not exchanged for a newer one")
	require.Equal(t, http.StatusForbidden, decline(links.Decline[:len(links.Decline)-2]+"AA"), "made up")
	history := seen(t, newPrompt(t, newGate(t, nil), nil), nil).Value
	require.Equal(t, http.StatusForbidden, decline("/askonce/decline?study=study-1&ticket="+history), "another thing that is sealed")
	require.Equal(t, http.StatusForbidden, decline(links.Decline, "Sec-Fetch-Site", "cross-site"), "another site")
	require.Equal(t, http.StatusNoContent, decline(links.Decline, "Authorization", "Bearer bob"))
	p, err := s.Person(t.Context(), "bob")
	require.NoError(t, err)
	require.False(t, p.Study("study-1").AnsweredAt.IsZero(), "who is signed in counts before the ticket")
	p, err = s.Person(t.Context(), "ada")
	require.NoError(t, err)
	require.Empty(t, p.Studies)
}

// The link that tries again to open an interview keeps the ticket.
func TestTryingAgainKeepsTheTicket(t *testing.T) {
	t.Parallel()
	m := newPrompt(t, reasoner{gate.Decision{Reason: gate.ReasonUnavailable}}, nil)
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/askonce/start?study=study-1&ticket=t", nil)
	r.Header.Set(userHeader, "ada")
	m.Endpoints().ServeHTTP(w, r)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), `href="/askonce/start?back=%2F&amp;study=study-1&amp;ticket=t"`)
}
