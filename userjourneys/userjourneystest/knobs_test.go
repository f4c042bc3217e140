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

// status is that of the answer to a request with the right key, 404 when all is
// well: there is no webhook.
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
