package userjourneystest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

// status returns the status of a request for the webhook: 404 if all is well,
// because none is registered.
func status(t *testing.T, s *userjourneystest.Server) (code int, retryAfter time.Duration) {
	t.Helper()
	_, err := client(t, s).Webhook(t.Context())
	var e *userjourneys.Error
	require.ErrorAs(t, err, &e)
	return e.StatusCode, e.RetryAfter
}

func TestFailNextRunsOut(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	s.FailNext(2, 503)
	s.FailNextRetryAfter(1, 429, "17")
	s.FailNext(0, 500)
	for i, want := range []int{503, 503, 429, 404, 404} {
		got, retryAfter := status(t, s)
		require.Equal(t, want, got, "request %d", i+1)
		require.Equal(t, want == 429, retryAfter == 17*time.Second)
	}
	require.Len(t, s.Requests(), 5)

	s.FailNext(2, 503) // which the client's retries get over
	patient, err := userjourneys.NewClient(s.APIKey(), &userjourneys.Options{BaseURL: s.BaseURL()})
	require.NoError(t, err)
	_, err = patient.Webhook(t.Context())
	require.ErrorIs(t, err, userjourneys.ErrNotFound)
	require.Len(t, s.Requests(), 8)
}

func TestRecoverForgetsFailures(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	s.FailNext(2, 503)
	s.Recover()
	got, _ := status(t, s)
	require.Equal(t, 404, got)
}

func TestHangUntilRelease(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	s.Hang()
	s.Hang()
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error, 2)
	for _, ctx := range []context.Context{ctx, t.Context()} {
		go func() {
			_, err := client(t, s).Webhook(ctx)
			answered <- err
		}()
	}
	require.Eventually(t, func() bool { return len(s.Requests()) == 2 }, 10*time.Second, time.Millisecond)
	require.Empty(t, answered)
	cancel() // one client gives up
	require.ErrorIs(t, <-answered, context.Canceled)
	s.Release()
	s.Release()
	require.ErrorIs(t, <-answered, userjourneys.ErrNotFound)
	got, _ := status(t, s)
	require.Equal(t, 404, got)
}

func TestStudiesCloseAndPause(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	st := s.AddStudy(userjourneystest.Study{})
	for _, on := range []bool{true, false, true} {
		s.SetAccepting(st.ID, on)
		got, err := client(t, s).FindStudy(t.Context(), st.ID)
		require.NoError(t, err)
		require.Equal(t, on, got.AcceptingResponses)
	}
	for _, on := range []bool{true, false, true} {
		s.SetActive(st.ID, on)
		_, err := client(t, s).FindStudy(t.Context(), st.ID)
		require.Equal(t, !on, errors.Is(err, userjourneys.ErrNotFound))
		_, err = client(t, s).FindStudy(t.Context(), st.Name)
		require.Equal(t, !on, errors.Is(err, userjourneys.ErrNotFound))
	}
	s.SetActive("unknown", false)
	s.SetAccepting("unknown", false)
}

func TestHideTranscripts(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	st := s.AddStudy(userjourneystest.Study{})
	fresh := s.FinishInterview(st.ID, userjourneystest.Interview{})
	old := s.FinishInterview(st.ID, userjourneystest.Interview{CompletedAt: time.Now().Add(-2 * time.Hour)})
	s.HideTranscripts(time.Hour)
	_, err := client(t, s).Interview(t.Context(), fresh)
	require.ErrorIs(t, err, userjourneys.ErrNotFound)
	_, err = client(t, s).Interview(t.Context(), old)
	require.NoError(t, err)
	s.HideTranscripts(0)
	_, err = client(t, s).Interview(t.Context(), fresh)
	require.NoError(t, err)
}

func TestANewServerHasTheStudyOfTheExamples(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	study, err := client(t, s).FindStudy(t.Context(), "Onboarding Feedback")
	require.NoError(t, err)
	require.True(t, study.AcceptingResponses)
	require.Equal(t, study.ID, s.Studies()[0].ID)

	s.AddStudy(userjourneystest.Study{Name: "Checkout"})
	s.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback", ID: "own"})
	require.Len(t, s.Studies(), 2, "the first call replaces it")
	study, err = client(t, s).FindStudy(t.Context(), "Onboarding Feedback")
	require.NoError(t, err)
	require.Equal(t, "own", study.ID)
}

func TestConditions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		conditions  userjourneystest.Conditions
		status      int // of a request for the webhook, of which there is none
		listed      int
		accepting   bool
		transcripts bool
	}{
		"as documented": {userjourneystest.Conditions{}, 404, 1, true, true},
		"down":          {userjourneystest.Conditions{Down: true}, 503, 0, false, false},
		"full":          {userjourneystest.Conditions{Full: true}, 404, 1, false, true},
		"paused":        {userjourneystest.Conditions{Paused: true}, 404, 0, false, true},
		"lying":         {userjourneystest.Conditions{Lying: true}, 404, 1, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := userjourneystest.NewServer(t, nil)
			id := s.FinishInterview(s.Studies()[0].ID, userjourneystest.Interview{ReferenceID: "ada"})
			s.SetConditions(tt.conditions)
			require.Equal(t, tt.conditions, s.Conditions())
			c := client(t, s)

			listed, accepting := 0, false
			for study, err := range c.Studies(t.Context()) {
				if err == nil {
					listed, accepting = listed+1, study.AcceptingResponses
				}
			}
			require.Equal(t, tt.listed, listed)
			require.Equal(t, tt.accepting, accepting)
			i, _ := c.Interview(t.Context(), id)
			require.Equal(t, tt.transcripts, i.HasTranscript())
			if name != "down" {
				require.Equal(t, []string{id}, interviews(t, s, userjourneys.InterviewFilter{StudyID: s.Studies()[0].ID}))
			}
			got, _ := status(t, s)
			require.Equal(t, tt.status, got)
			s.SetConditions(userjourneystest.Conditions{})
			got, _ = status(t, s)
			require.Equal(t, 404, got)
		})
	}
}

func TestRateLimitSaysWhenToComeBack(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	s.SetConditions(userjourneystest.Conditions{RateLimit: 1})
	_, none := status(t, s)
	require.Zero(t, none)
	code, wait := status(t, s)
	require.Equal(t, 429, code)
	require.Greater(t, wait, 50*time.Second)
	require.LessOrEqual(t, wait, time.Minute)
}

func TestSlowProviderLetsAClientGo(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	s.SetConditions(userjourneystest.Conditions{Slow: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client(t, s).Webhook(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	s.SetConditions(userjourneystest.Conditions{Slow: time.Millisecond})
	got, _ := status(t, s)
	require.Equal(t, 404, got)
}

func TestFateOfEveryDelivery(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	got := receive(t, s, 200)
	study := s.Studies()[0].ID
	s.SetConditions(userjourneystest.Conditions{Quality: "unsuccessful", Deliveries: userjourneystest.Fate{Copies: 1}})
	s.FinishInterview(study, userjourneystest.Interview{ID: "twice"})
	for range 2 {
		d := <-got
		require.Contains(t, string(d.body), `"twice"`)
		require.Contains(t, string(d.body), `"unsuccessful"`)
	}
	s.SetConditions(userjourneystest.Conditions{Deliveries: userjourneystest.Fate{Drop: true}})
	s.NextDeliveries(userjourneystest.Fate{})
	s.FinishInterview(study, userjourneystest.Interview{ID: "planned"})
	require.Contains(t, string((<-got).body), `"planned"`)
	s.FinishInterview(study, userjourneystest.Interview{ID: "lost"})
	require.Equal(t, userjourneystest.Delivery{InterviewID: "lost", Dropped: true}, s.Deliveries()[len(s.Deliveries())-1])
}
