package webhook_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
)

func TestVectorsRequest(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)
	var mu sync.Mutex
	bodies401 := map[string]bool{}
	t.Run("cases", func(t *testing.T) {
		for _, c := range v.Request {
			t.Run(c.Category+"/"+c.ID, func(t *testing.T) {
				t.Parallel()
				count(t, "request")
				opts := webhook.Options{}
				if c.Framing == "stall" || strings.HasPrefix(c.Framing, "declared:") {
					opts.ReadTimeout = 100 * time.Millisecond
				}
				if c.Store == "hook-panic" {
					opts.Policy = func(store.Completion) webhook.Verdict { panic("test") }
				}
				r := newReceiver(t, opts)
				if c.Secrets != nil {
					r.accept(c.Secrets...)
				}
				r.store.set(c.Store)
				r.failing = c.Store == "secrets-unavailable"
				if c.Store == "closed" {
					require.NoError(t, r.Close())
				}
				resp := r.send(t, c.request, v.body(t, c.BodyB64, c.BodyGen))
				if resp != nil {
					body, err := io.ReadAll(resp.Body)
					require.NoError(t, err)
					require.Equal(t, c.Expect.Status, resp.StatusCode)
					require.Equal(t, c.Expect.Allow, resp.Header.Get("Allow"))
					require.Equal(t, c.Expect.RetryAfter, resp.Header.Get("Retry-After") != "")
					if resp.StatusCode == http.StatusUnauthorized {
						mu.Lock()
						bodies401[string(body)] = true
						mu.Unlock()
					}
				}
				if c.Expect.Reason != "net_http" { // the handler never ran
					require.Equal(t, c.Expect.Reason, (<-r.reasons).String())
				}
				after := r.state(t)
				require.Equal(t, c.Expect.Effect, effect(t, state{}, after))
				require.Equal(t, c.Expect.User, after.user)
				if c.Expect.Quality != "" {
					require.Equal(t, c.Expect.Quality, after.quality)
				}
				if c.Expect.Interview != "" {
					n := 0
					for _, err := range r.store.Completions(t.Context(), store.Filter{InterviewID: c.Expect.Interview}) {
						require.NoError(t, err)
						n++
					}
					require.Equal(t, 1, n)
				}
			})
		}
	})
	require.Len(t, bodies401, 1, "every refused signature gets the same answer")
}

func TestVectorsSequence(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)
	for _, c := range v.Sequence {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			count(t, "sequence")
			source := &fakeInterviews{}
			r := newReceiver(t, webhook.Options{Client: source})
			for _, s := range c.Steps {
				switch s.Do {
				case "post", "post-concurrent":
					s.request.Method, s.request.Path = http.MethodPost, "/webhooks/userjourneys"
					before := r.state(t)
					var wg sync.WaitGroup
					for range max(1, s.N) {
						wg.Go(func() {
							resp := r.send(t, s.request, v.body(t, s.BodyB64, s.BodyGen))
							require.Equal(t, s.Expect.Status, resp.StatusCode)
						})
					}
					wg.Wait()
					after := r.state(t)
					reason := <-r.reasons
					switch s.Expect.Effect {
					case "":
					case "duplicate":
						require.Equal(t, webhook.ResultDuplicate, reason)
						require.Equal(t, before.interviews, after.interviews)
						require.Equal(t, before.user, after.user)
					case "complete": // a second interview of the same user shows in the count alone
						require.Equal(t, webhook.ResultAccepted, reason)
						require.Equal(t, before.interviews+1, after.interviews)
						require.Equal(t, before.jobs+1, after.jobs)
					default:
						require.Equal(t, s.Expect.Effect, effect(t, before, after))
					}
				case "store":
					r.store.set(s.Mode)
				case "secrets":
					r.accept(s.Set...)
				case "reconcile":
					source.add(completed(s.InterviewID, s.ReferenceID))
					require.NoError(t, r.Reconcile(t.Context()))
				default:
					t.Fatalf("unknown step %q", s.Do)
				}
			}
			final := r.state(t)
			require.Equal(t, c.Final.Interviews, final.interviews)
			require.Equal(t, c.Final.Jobs, final.jobs)
			for _, user := range c.Final.Complete {
				done, err := r.store.Completed(t.Context(), store.Key{StudyID: studyID, UserID: user})
				require.NoError(t, err)
				require.True(t, done)
			}
			if c.ID == "quality update" {
				require.Equal(t, "insightful", final.quality)
			}
		})
	}
}
