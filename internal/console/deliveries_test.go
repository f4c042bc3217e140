package console_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/internal/console"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

func Test_deliveries_with_their_verdicts(t *testing.T) {
	t.Parallel()
	s := setup(t, memstore.New(), &webhook.Options{Studies: []string{studyID}})
	first := s.deliver(secret)
	s.deliver("whsec_another_secret_0123")
	other := webhooktest.Completed(somebody)
	other.Data.StudyID = "another"
	s.webhook.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, other))
	s.webhook.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, "no event"))
	s.webhook.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))

	page := s.get("deliveries").text
	var verdicts []string
	for _, m := range regexp.MustCompile(`<span class="badge (\w*)">(\w+)</span></td>\s*<td data-label="Why">([^<]*)`).FindAllStringSubmatch(page, -1) {
		verdicts = append(verdicts, strings.Join(m[1:], "|"))
	}
	require.Equal(t, []string{
		"bad|Refused|Not a POST",
		"bad|Refused|Signed, but not an event that can be recorded: see the dead letters",
		"|Ignored|Not one of the configured studies",
		"bad|Refused|The signature is not of this body and secret",
		"good|Recorded|Recorded for the first time, the user is known",
	}, verdicts)
	require.Contains(t, page, `href="interview?id=`+first.Data.InterviewID+`"`)
	require.Contains(t, page, `class="number">401<`)
	require.NotContains(t, page, "What was sent")
	require.Contains(t, page, "set <code>webhook.Options.Inspect</code>")
	require.NotContains(t, page, somebody)
}

func Test_every_result_has_its_words(t *testing.T) {
	t.Parallel()
	for r := webhook.ResultAccepted; r.String() != "unknown"; r++ {
		require.NotEmpty(t, console.Reason(r), r)
	}
}

func Test_a_delivery_that_failed(t *testing.T) {
	t.Parallel()
	s := setup(t, memstore.New(), nil)
	require.NoError(t, s.webhook.Close())
	s.deliver(secret)
	require.Contains(t, s.get("deliveries").text, `<span class="badge bad">Failed</span>`)
	require.Contains(t, s.get("deliveries").text, "The process is about to stop")
}

func Test_what_was_sent_is_shown_if_it_is_kept(t *testing.T) {
	t.Parallel()
	s := setup(t, memstore.New(), &webhook.Options{Inspect: true})
	s.deliver(secret)
	page := s.get("deliveries").text
	require.Contains(t, page, "What was sent")
	require.Contains(t, page, "X-Webhook-Signature: (hidden, 71 bytes)")
	require.Contains(t, page, "&#34;event&#34;: &#34;interview.completed&#34;")
	require.Contains(t, page, "&#34;reference_id&#34;: &#34;(hidden, 12 bytes)&#34;")
	require.NotContains(t, page, "Options.Inspect")
	require.NotContains(t, page, somebody)
}
