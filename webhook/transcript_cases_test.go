package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// transcriptCase receives one delivery while Run runs. The provider first responds as
// scripted and then well. The transcript must not be there too early, nor too late.
func transcriptCase(reason string, attempts int, early, late time.Duration, script ...answer) func(t *testing.T) {
	return withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		b.wire.add(interviewJSON(interviewID, "ada"))
		b.wire.next(script...)
		b.run()
		b.receive(interviewID, "ada")
		b.wait(early)
		require.False(b.t, b.stored(), "stored too early")
		if jobs := b.jobs(false); reason != "" {
			require.Len(b.t, jobs, 1)
			require.Equal(b.t, reason, jobs[0].Reason)
			require.Equal(b.t, attempts, jobs[0].Attempts)
		}
		b.wait(late - early)
		require.True(b.t, b.stored(), "stored too late")
		require.Empty(b.t, b.jobs(false))
	})
}

func TestTranscripts(t *testing.T) {
	t.Parallel()
	for name, test := range transcriptCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// transcriptCases are tests, named by what they show.
var transcriptCases = map[string]func(t *testing.T){
	"a transcript is stored once, byte for byte": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		want := interviewJSON(interviewID, "ada")
		b.wire.add(want)
		b.run()
		b.receive(interviewID, "ada")
		b.receive(interviewID, "ada")
		b.wait(time.Minute)
		got, err := b.store.Transcript(b.t.Context(), interviewID)
		require.NoError(b.t, err)
		raw, err := json.Marshal(want)
		require.NoError(b.t, err)
		require.Equal(b.t, string(raw), string(got.Body), "byte for byte")
		require.Empty(b.t, b.jobs(false))
		require.Len(b.t, b.wire.asked(), 1)
	}),
	"an interview that is processing is tried again": func(t *testing.T) {
		transcriptCase("not_ready", 1, time.Second/2, 20*time.Second, jsonAnswer(200, interviewJSON(interviewID, "ada", "status", "processing")))(t)
	},
	"an interview that is not found is tried again, and given up after a day": func(t *testing.T) {
		t.Run("twice", transcriptCase("not_found", 1, time.Second/2, time.Minute, jsonAnswer(404, nil), jsonAnswer(404, nil)))
		t.Run("for a day", withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
			b.run()
			b.receive(interviewID, "ada")
			b.wait(23 * time.Hour)
			require.Len(b.t, b.jobs(false), 1)
			b.wait(3 * time.Hour)
			require.Empty(b.t, b.jobs(false))
			require.Len(b.t, b.jobs(true), 1)
			require.Equal(b.t, "not_found", b.jobs(true)[0].Reason)
		}))
	},
	"a refused key pauses the queue and counts no attempt": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		for range 20 {
			b.wire.next(jsonAnswer(401, nil))
		}
		b.run()
		b.receive(interviewID, "ada")
		b.receive("int-2", "bob")
		b.wait(30 * time.Minute)
		require.Less(b.t, len(b.wire.asked()), 10, "paused")
		require.Equal(b.t, 1, strings.Count(b.log.String(), "refuses the API key"))
		for _, j := range b.jobs(false) {
			require.Zero(b.t, j.Attempts)
		}
		b.receive("int-3", "eve")
		require.Equal(b.t, 3, b.recorded())
	}),
	"a rate limit with Retry-After in seconds is waited for": transcriptCase("rate_limited", 0, 17*time.Second-1, 45*time.Second, jsonAnswer(429, nil, "Retry-After", "17")),
	"a rate limit with Retry-After as a date is waited for": func(t *testing.T) {
		transcriptCase("rate_limited", 0, 59*time.Second, 90*time.Second, func(r *http.Request) (*http.Response, error) {
			return jsonAnswer(429, nil, "Retry-After", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat))(r)
		})(t)
	},
	"server errors are tried again and counted": transcriptCase("unavailable", 1, time.Second/2, 3*time.Minute, jsonAnswer(500, nil), jsonAnswer(502, nil), jsonAnswer(503, nil), jsonAnswer(504, nil)),
	"a request without an answer ends after ten seconds": func(t *testing.T) {
		t.Run("gives up at ten seconds", transcriptCase("unavailable", 1, 10*time.Second+1, 40*time.Second, noAnswer))
		t.Run("and not before", transcriptCase("", 0, 10*time.Second-1, 40*time.Second, noAnswer))
	},
	"a page of HTML is not stored":         transcriptCase("bad_answer", 1, time.Second/2, 20*time.Second, textAnswer(200, "text/html", "<!doctype html><title>Log in</title>")),
	"JSON that is cut short is not stored": transcriptCase("bad_answer", 1, time.Second/2, 20*time.Second, textAnswer(200, "application/json", `{"id":"`+interviewID)),
	"an answer beyond 16 MiB is given up": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		body := &countingReader{left: 50 << 20}
		b.wire.next(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
		})
		b.run()
		b.receive(interviewID, "ada")
		synctest.Wait()
		require.Len(b.t, b.jobs(true), 1)
		require.Equal(b.t, "too_large", b.jobs(true)[0].Reason)
		require.LessOrEqual(b.t, body.read, 16<<20+1)
	}),
	"a redirect is not followed": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		b.wire.next(textAnswer(302, "text/plain", "", "Location", "https://evil.example/steal"))
		b.run()
		b.receive(interviewID, "ada")
		b.wait(time.Second / 2)
		for _, r := range b.wire.asked() {
			require.Equal(b.t, "app.userjourneys.ai", r.URL.Host)
		}
		require.False(b.t, b.stored())
		require.Len(b.t, b.jobs(false), 1)
	}),
	"of two replicas one fetches": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		b.wire.add(interviewJSON(interviewID, "ada"))
		client, err := userjourneys.NewClient("uj_live_test", &userjourneys.Options{HTTPClient: &http.Client{Transport: b.wire}, Logger: discard})
		require.NoError(b.t, err)
		other, err := webhook.New(secret, b.store, &webhook.Options{Client: client, ReconcileEvery: -1, Logger: discard})
		require.NoError(b.t, err)
		ctx, stop := context.WithCancel(b.t.Context())
		defer stop()
		go func() { _ = other.Run(ctx) }()
		b.receive(interviewID, "ada")
		b.run()
		b.wait(time.Hour)
		require.True(b.t, b.stored())
		require.Len(b.t, b.wire.asked(), 1)
	}),
	"another reference in the API does not change the user": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		b.wire.add(interviewJSON(interviewID, "bob"))
		b.run()
		b.receive(interviewID, "ada")
		b.wait(time.Minute)
		require.True(b.t, b.stored())
		require.Equal(b.t, "ada", b.completion(interviewID).UserID)
		require.Contains(b.t, b.log.String(), "names another user")
		require.NotContains(b.t, b.log.String(), "ada")
		require.NotContains(b.t, b.log.String(), "bob")
	}),
	"a quality that comes later is recorded": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		b.wire.add(interviewJSON(interviewID, "ada"))
		e := webhooktest.Completed("ada")
		e.Data.InterviewID, e.Data.QualityScore = interviewID, nil
		b.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, e))
		require.Empty(b.t, b.completion(interviewID).Quality)
		b.run()
		b.wait(time.Minute)
		require.Equal(b.t, "insightful", b.completion(interviewID).Quality)
	}),
	"nothing is stored of a user who was erased meanwhile": withClient(webhook.Options{ReconcileEvery: -1}, func(b *clientBubble) {
		b.wire.next(func(r *http.Request) (*http.Response, error) {
			require.NoError(b.t, b.store.Erase(b.t.Context(), "ada"))
			return jsonAnswer(200, interviewJSON(interviewID, "ada"))(r)
		})
		b.run()
		b.receive(interviewID, "ada")
		b.wait(time.Hour)
		require.False(b.t, b.stored())
		require.Empty(b.t, b.jobs(false))
		require.Empty(b.t, b.jobs(true))
	}),
}

type countingReader struct{ left, read int }

func (c *countingReader) Read(p []byte) (int, error) {
	n := min(len(p), c.left)
	if n == 0 {
		return 0, io.EOF
	}
	c.left, c.read = c.left-n, c.read+n
	return n, nil
}

// losingStore has lost the job of every interview when one of its methods is called.
type losingStore struct {
	*memstore.Store
	method string
}

func (s losingStore) SaveTranscript(ctx context.Context, j store.Job, t store.Transcript) error {
	if s.method == "SaveTranscript" {
		return fmt.Errorf("test: %w", store.ErrNotFound)
	}
	return s.Store.SaveTranscript(ctx, j, t)
}

func (s losingStore) FinishJob(ctx context.Context, j store.Job) error {
	if s.method == "FinishJob" {
		return fmt.Errorf("test: %w", store.ErrNotFound)
	}
	return s.Store.FinishJob(ctx, j)
}

func TestAStoreThatDoesNotFindAJobIsNamed(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"SaveTranscript", "FinishJob"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := losingStore{memstore.New(), method}
			synctestHandler(t, s, webhook.Options{ReconcileEvery: -1}, func(b *bubble) {
				b.source.add(completed(interviewID, "ada"))
				b.run()
				b.receive(interviewID, "ada")
				b.wait(time.Minute)
				require.Equal(t, 1, strings.Count(b.log.String(), "transcript not stored, trying again"))
				for j, err := range s.PendingJobs(t.Context()) {
					require.NoError(t, err)
					require.Equal(t, "not_stored", j.Reason)
				}
			})
		})
	}
}
