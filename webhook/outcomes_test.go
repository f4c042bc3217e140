package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// withTranscript returns an interview as the provider's detail shows it.
func withTranscript(id, transcript string) userjourneys.Interview {
	i := completed(id, "ada")
	i.Transcript = json.RawMessage(transcript)
	i.Raw = json.RawMessage(fmt.Sprintf(`{"id":%q,"status":"completed","transcript":%s}`, id, transcript))
	return i
}

func TestAnEmptyTranscriptIsNotOneYet(t *testing.T) {
	t.Parallel()
	for _, empty := range []string{`null`, `[]`, `""`, `{}`, `{"turns":[]}`, `{"turns":null}`, `[{"role":"assistant","text":""}]`} {
		t.Run(empty, func(t *testing.T) {
			t.Parallel()
			told := 0
			hook := func(_ context.Context, _ store.Completion, tr store.Transcript) error {
				told++
				require.Contains(t, string(tr.Body), "hello")
				return nil
			}
			inBubble(t, webhook.Options{OnCompleted: hook, ReconcileEvery: -1}, func(b *bubble) {
				b.answer(func(id string) (userjourneys.Interview, error) { return withTranscript(id, empty), nil })
				b.source.add(withTranscript(interviewID, `[{"role":"user","text":"hello"}]`))
				b.run()
				b.receive(interviewID, "ada")
				b.wait(time.Millisecond)
				require.False(t, b.stored())
				require.Equal(t, "not_ready", b.jobs(false)[0].Reason)
				b.wait(30 * time.Second)
				require.True(t, b.stored())
				require.Equal(t, 1, told)
			})
		})
	}
}

func TestATranscriptThatNeverComesIsStoredWithoutAndSaysSo(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{ReconcileEvery: -1}, func(b *bubble) {
		b.source.add(withTranscript(interviewID, `{"turns":[]}`))
		b.run()
		b.receive(interviewID, "ada")
		b.wait(11 * time.Hour)
		require.False(t, b.stored())
		b.wait(3 * time.Hour)
		require.True(t, b.stored())
		require.Equal(t, 1, strings.Count(b.log.String(), "stored without a transcript"))
		require.Contains(t, b.log.String(), "reason=not_ready")
	})
}

func TestOneForbiddenInterviewIsGivenUpAndHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var steps []webhook.Progress
	opts := webhook.Options{ReconcileEvery: -1, OnProgress: func(_ context.Context, p webhook.Progress) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, p)
	}}
	inBubble(t, opts, func(b *bubble) {
		b.source.refused = map[string]error{"int-forbidden": status(403, 0)}
		b.run()
		b.receive("int-forbidden", "eve")
		for n := range 20 {
			id := fmt.Sprintf("int-%d", n)
			b.source.add(completed(id, "ada"))
			b.receive(id, "ada")
		}
		b.wait(time.Minute)
		require.Len(t, b.jobs(false), 1, "the others are fetched at once")
		b.wait(7 * 24 * time.Hour)
		dead := b.jobs(true)
		require.Len(t, dead, 1)
		require.Equal(t, "forbidden", dead[0].Reason)
		calls, _ := b.source.counts()
		require.Less(t, calls, 100)
		require.NotContains(t, b.log.String(), "refuses the API key")
		mu.Lock()
		defer mu.Unlock()
		require.Len(t, steps, 21)
		require.Equal(t, webhook.StepFetched, steps[0].Step)
		last := steps[20]
		require.Equal(t, webhook.Progress{Step: webhook.StepGivenUp, StudyID: studyID, InterviewID: "int-forbidden", Reason: "forbidden", Attempts: last.Attempts}, last)
		require.Positive(t, last.Attempts)
	})
}

func TestAFailingHookLosesNoTranscript(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	var calls atomic.Int32
	broken.Store(true)
	hook := func(context.Context, store.Completion, store.Transcript) error {
		calls.Add(1)
		if broken.Load() {
			return errors.New("test: the app's database is down")
		}
		return nil
	}
	inBubble(t, webhook.Options{OnCompleted: hook, ReconcileEvery: -1}, func(b *bubble) {
		for _, id := range []string{"int-1", "int-2", "int-3"} {
			b.source.add(completed(id, "ada"))
			b.receive(id, "ada")
		}
		b.run()
		b.wait(60 * time.Hour)
		require.Len(t, b.jobs(true), 3)
		for _, j := range b.jobs(true) {
			require.Equal(t, "hook_failed", j.Reason)
			_, err := b.store.Transcript(b.t.Context(), j.InterviewID)
			require.NoError(t, err, "it was fetched, and is kept")
		}
		fetches, _ := b.source.counts()
		require.Equal(t, 3, fetches, "each was fetched once")
		require.Equal(t, 3, strings.Count(b.log.String(), "OnCompleted failed"), "each is said once")

		broken.Store(false)
		calls.Store(0)
		n, err := b.store.RequeueJobs(b.t.Context())
		require.NoError(t, err)
		require.Equal(t, 3, n)
		b.wait(time.Minute)
		require.EqualValues(t, 3, calls.Load())
		require.Empty(t, b.jobs(true))
		require.Empty(t, b.jobs(false))
	})
}

func TestAHookHasADayOfItsOwnAfterAFetchThatTookLong(t *testing.T) {
	t.Parallel()
	hook := func(context.Context, store.Completion, store.Transcript) error { return errors.New("test") }
	inBubble(t, webhook.Options{OnCompleted: hook, ReconcileEvery: -1}, func(b *bubble) {
		b.run()
		b.receive(interviewID, "ada")
		b.wait(20 * time.Hour)
		b.source.add(completed(interviewID, "ada"))
		b.wait(20 * time.Hour)
		require.Len(t, b.jobs(false), 1, "the fetch has not used up the hook's time")
		b.wait(8 * time.Hour)
		require.Len(t, b.jobs(true), 1)
	})
}

func TestATranscriptThatIsReadyAfterADayIsFetchedAllTheSame(t *testing.T) {
	t.Parallel()
	for name, notYet := range map[string]func(id string) (userjourneys.Interview, error){
		"processing": gives(func(i *userjourneys.Interview) { i.Status = userjourneys.StatusProcessing }),
		"not found":  fails(status(404, 0)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, webhook.Options{}, func(b *bubble) {
				b.source.always = notYet
				b.run()
				b.receive(interviewID, "ada")
				b.wait(30 * time.Hour)
				require.Len(t, b.jobs(true), 1)
				b.source.mu.Lock()
				b.source.always = nil
				b.source.mu.Unlock()
				b.source.add(completed(interviewID, "ada"))
				b.wait(11 * time.Minute)
				require.True(t, b.stored(), "the walk sees it")
				require.Empty(t, b.jobs(true))
			})
		})
	}
}

func TestThePolicyHearsALateScoreBeforeTheTranscriptIsStored(t *testing.T) {
	t.Parallel()
	var hooked store.Completion
	opts := webhook.Options{
		ReconcileEvery: -1,
		Policy: func(c store.Completion) webhook.Verdict {
			if c.Quality == userjourneys.QualityUnsuccessful {
				return webhook.Ignore()
			}
			return webhook.Complete()
		},
		OnCompleted: func(_ context.Context, c store.Completion, _ store.Transcript) error {
			hooked = c
			return nil
		},
	}
	inBubble(t, opts, func(b *bubble) {
		i := completed(interviewID, "ada")
		i.QualityScore = userjourneys.QualityUnsuccessful
		b.source.add(i)
		e := webhooktest.Completed("ada")
		e.Data.InterviewID, e.Data.QualityScore = interviewID, nil
		b.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, e))
		ada := store.Key{StudyID: studyID, UserID: "ada"}
		done, err := b.store.Completed(b.t.Context(), ada)
		require.NoError(t, err)
		require.True(t, done, "nothing speaks against it yet")
		b.run()
		b.wait(time.Second)
		done, err = b.store.Completed(b.t.Context(), ada)
		require.NoError(t, err)
		require.False(t, done, "it does not count")
		require.Equal(t, "ada", b.completion(interviewID).UserID, "and is still hers")
		require.Equal(t, b.completion(interviewID), hooked, "the app gets what the store has")
		require.Equal(t, userjourneys.QualityUnsuccessful, hooked.Quality)
		require.True(t, hooked.Ignored)
	})
}
