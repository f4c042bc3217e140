package integration

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/internal/console"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
	"github.com/stretchr/testify/require"
)

// TestConsolePages opens every page of the console on a full database. Each has to be
// faster than the console's patience, or a part of it is left out. With the long
// variable, which fills a million interviews, go test -v says how long each took.
func TestConsolePages(t *testing.T) {
	t.Parallel()
	if raceDetector {
		t.Skip("needs a run without -race, with which SQLite in Go is ten times as slow")
	}
	eachDatabase(t, []string{"postgres-pgx", "sqlite-modernc"}, func(t *testing.T, d database) {
		db, prefix := d.open(t), d.fresh(t)
		s := migrated(t, db, d.dialect, prefix)
		_, err := s.Record(t.Context(), crashInterview("the first makes the key"))
		require.NoError(t, err)
		n := filled()
		fill(t, db, d.dialect, prefix, n)
		require.NoError(t, s.Note(t.Context(), store.Interaction{Key: store.Key{StudyID: "study 1", UserID: "user 9"}, Kind: store.InteractionShown, At: time.Now()}))
		c := newConsole(t, s)

		middle := url.Values{"at": {time.Now().Add(-time.Duration(n/2) * time.Second).UTC().Format(time.RFC3339Nano)}, "id": {"interview x"}}.Encode()
		var took []string
		for _, page := range []struct{ name, path, user, says string }{
			{"overview", "", "", "Transcripts to fetch"},
			{"people", "people", "", "Look a user up"},
			{"one user", "people", "user 9", ">1 time <"},
			{"interviews", "interviews", "", ">interview 1<"},
			{"interviews of a study", "interviews?study=study+1", "", ">interview 3<"},
			{"interviews, in the middle", "interviews?" + middle, "", ">Older<"},
			{"interviews of a study, backwards", "interviews?order=oldest&study=study+1&" + middle, "", ">Newer<"},
			{"interviews of a quality that none has", "interviews?quality=insightful", "", "from 5,000 interviews"},
			{"one interview", "interview?id=interview+10", "", "fine&#34;"},
			{"queue", "queue", "", "Fetch all again"},
			{"queue, as far as it is paged", "queue?pending=1000&dead=1000&letters=1000", "", ">Back<"},
			{"deliveries", "deliveries", "", "Deliveries"},
		} {
			open := func() error {
				method, form := http.MethodGet, url.Values{}
				if page.user != "" {
					method, form = http.MethodPost, url.Values{"user": {page.user}}
				}
				r := httptest.NewRequest(method, "/"+page.path, strings.NewReader(form.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("Sec-Fetch-Site", "same-origin")
				w := httptest.NewRecorder()
				c.ServeHTTP(w, r)
				if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), page.says) {
					return fmt.Errorf("status %d, without %q", w.Code, page.says)
				}
				return nil
			}
			// The console waits a second for a store, and the machine may be busy.
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
				begun := time.Now()
				err := open()
				if err == nil {
					took = append(took, fmt.Sprintf("%s %.1f ms", page.name, float64(time.Since(begun).Microseconds())/1000))
					break
				}
				require.True(t, begun.Before(deadline), "%s: %v", page.name, err)
			}
		}
		t.Logf("%d interviews: %s", n, strings.Join(took, ", "))

		begun := time.Now()
		lines := new(lineCounter)
		c.ServeHTTP(lines, httptest.NewRequest(http.MethodGet, "/export?format=csv", nil))
		require.Equal(t, n+2, lines.n, "the header, the first and all others")
		t.Logf("exported in %v", time.Since(begun).Round(time.Millisecond))
	})
}

// newConsole returns the console over a store, with a study that takes interviews.
func newConsole(t *testing.T, s store.Store) http.Handler {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	g, err := gate.New(openStudy{}, "study 1", s, &gate.Options{Logger: log})
	require.NoError(t, err)
	hook, err := webhook.New("whsec_0123456789abcdef0123456789abcdef", s, &webhook.Options{Logger: log})
	require.NoError(t, err)
	return console.New(console.Parts{Gates: gate.First(g), Webhook: hook, Store: s, Logger: log}, func(*http.Request) bool { return true })
}

type openStudy struct{}

func (openStudy) FindStudy(context.Context, string) (userjourneys.Study, error) {
	return userjourneys.Study{ID: "study 1", Name: "study 1", InterviewLink: "https://app.userjourneys.ai/i/x", AcceptingResponses: true}, nil
}

// lineCounter is a client that counts the lines of a response.
type lineCounter struct {
	header http.Header
	n      int
}

func (l *lineCounter) Header() http.Header {
	if l.header == nil {
		l.header = http.Header{}
	}
	return l.header
}
func (l *lineCounter) WriteHeader(int) {}
func (l *lineCounter) Write(p []byte) (int, error) {
	l.n += strings.Count(string(p), "\n")
	return len(p), nil
}
