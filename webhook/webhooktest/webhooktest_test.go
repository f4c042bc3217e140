package webhooktest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/webhook/webhooktest"
)

func TestCompletedIsWhatTheProviderDocuments(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(webhooktest.Completed("user_12345"))
	require.NoError(t, err)
	var event struct {
		Event, Timestamp string
		Data             map[string]any
	}
	require.NoError(t, json.Unmarshal(b, &event))
	require.Equal(t, "interview.completed", event.Event)
	var names []string
	for name := range event.Data {
		names = append(names, name)
	}
	require.ElementsMatch(t, []string{
		"interview_id", "study_id", "study_name", "interview_link", "status", "started_at", "completed_at", "duration_secs",
		"quality_score", "language", "reference_id", "respondent_email", "respondent_id",
	}, names)

	other := webhooktest.Completed("")
	require.Nil(t, other.Data.ReferenceID)
	require.NotEqual(t, event.Data["interview_id"], other.Data.InterviewID, "each is a new interview")
	require.Regexp(t, `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`, other.Data.InterviewID)
}

// TestDeliverDoesNotFollowRedirects checks that a redirect is reported: following it
// would turn the POST into a GET, and hide that the URL is wrong.
func TestDeliverDoesNotFollowRedirects(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusMovedPermanently))
	t.Cleanup(srv.Close)
	status, err := webhooktest.Deliver(t.Context(), srv.URL, secret, webhooktest.Completed(""))
	require.NoError(t, err)
	require.Equal(t, http.StatusMovedPermanently, status)
	_, err = webhooktest.Deliver(t.Context(), "://", secret, webhooktest.Completed(""))
	require.Error(t, err)
}
