package console_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

func Test_the_queue_shows_what_waits_and_what_was_given_up(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	s := setup(t, kept, nil)
	page := s.get("queue").text
	for _, text := range []string{"No transcript was given up.", "Nothing to fetch.", "No dead letters."} {
		require.Contains(t, page, text)
	}
	require.NotContains(t, page, "<form")

	giveUp(kept, "int-1")
	record(kept, "int-2")
	require.NoError(t, kept.AddDeadLetter(t.Context(), store.DeadLetter{ReceivedAt: time.Now().Add(-3 * time.Hour), Reason: "schema", Body: []byte(`{"event":1}`)}))
	page = s.get("queue").text
	dead, rest, _ := strings.Cut(page, `id="pending"`)
	pending, letters, _ := strings.Cut(rest, `id="letters"`)
	require.Contains(t, dead, `<a class="mono" href="interview?id=int-1">int-1</a>`)
	require.Contains(t, dead, "it is too large")
	require.Contains(t, dead, `class="number">96<`)
	require.Contains(t, pending, `href="interview?id=int-2"`)
	require.Contains(t, letters, "schema")
	require.Contains(t, letters, "3 hours ago")
	require.Contains(t, letters, "11 B")
	require.Contains(t, letters, "{&#34;event&#34;:1}")
	require.NotContains(t, page, "ada", "no person is named")
}

func Test_given_up_transcripts_are_counted_by_reason(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	s := setup(t, kept, nil)
	for i := range 60 {
		giveUp(kept, fmt.Sprint("int-", i))
	}
	record(kept, "int-60")
	jobs, err := kept.ClaimJobs(t.Context(), time.Minute, 1)
	require.NoError(t, err)
	jobs[0].Reason = "it is <late>"
	require.NoError(t, kept.KillJob(t.Context(), jobs[0]))
	require.Contains(t, s.get("queue").text, "<li>60 × it is too large</li><li>1 × it is &lt;late&gt;</li>")
	require.Contains(t, s.get("queue?dead=50").text, "<li>60 × it is too large</li>", "on every page of the list")
}

func Test_requeueing_one_transcript(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	s := setup(t, kept, nil)
	giveUp(kept, "int-1")
	giveUp(kept, "int-2")
	page := s.post("requeue", url.Values{"id": {"int-1"}}).text
	require.Contains(t, page, "The transcript is queued again.")
	dead, pending, _ := strings.Cut(page, `id="pending"`)
	require.Contains(t, pending, "int-1")
	require.NotContains(t, dead, "int-1")
	require.Contains(t, dead, "int-2")
	require.Contains(t, s.log.String(), `msg="askonce: given-up transcript was requeued in the console" interview=int-1`)
	require.NotContains(t, s.log.String(), "ada")
	require.Contains(t, s.post("requeue", url.Values{"id": {"int-1"}}).text, "Nothing was done: it is not there any more.")
	require.Contains(t, s.post("requeue", nil).text, "Nothing was done: the form was not complete.")
}

func Test_requeueing_all_transcripts(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	s := setup(t, kept, nil)
	giveUp(kept, "int-1")
	require.Contains(t, s.post("requeue-all", nil).text, "1 given-up transcript queued again.")
	for i := range 60 {
		giveUp(kept, fmt.Sprint("int-", i+2))
	}
	require.Contains(t, s.post("requeue-all", nil).text, "60 given-up transcripts queued again.")
	require.Contains(t, s.get("queue").text, "No transcript was given up.")
	require.Contains(t, s.log.String(), `msg="askonce: all given-up transcripts were requeued in the console" jobs=60`)
}

func Test_deleting_a_dead_letter(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	s := setup(t, kept, nil)
	for _, body := range []string{"one", "two"} {
		require.NoError(t, kept.AddDeadLetter(t.Context(), store.DeadLetter{ReceivedAt: time.Now(), Reason: "schema", Body: []byte(body)}))
	}
	ids := regexp.MustCompile(`name="id" value="([^"]+)"`).FindAllStringSubmatch(s.get("queue").text, -1)
	require.Len(t, ids, 2)
	page := s.post("delete-letter", url.Values{"id": {ids[0][1]}}).text
	require.Contains(t, page, "The dead letter is deleted.")
	require.NotContains(t, page, ids[0][1])
	require.Contains(t, page, ids[1][1])
	require.Contains(t, s.log.String(), `msg="askonce: dead letter was deleted in the console" letter=`+ids[0][1])
}

func Test_the_queue_is_paged(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	s := setup(t, kept, nil)
	for i := range 120 {
		record(kept, fmt.Sprintf("int-%03d", i))
	}
	seen := map[string]bool{}
	for at, pages := "queue", 0; at != ""; pages++ {
		require.Less(t, pages, 3)
		page := s.get(at).text
		rows := regexp.MustCompile(`>(int-\d+)</a>`).FindAllStringSubmatch(page, -1)
		require.LessOrEqual(t, len(rows), 50)
		for _, row := range rows {
			require.False(t, seen[row[1]])
			seen[row[1]] = true
		}
		at = ""
		if next := regexp.MustCompile(`href="(queue\?pending=\d+)">Next`).FindStringSubmatch(page); next != nil {
			at = next[1]
		}
	}
	require.Len(t, seen, 120)
	require.Contains(t, s.get("queue?pending=100").text, `href="queue?pending=50">Back`)
	for _, wrong := range []string{"-5", "x", "99999999999999999999", "1e9"} {
		require.Contains(t, s.get("queue?pending="+wrong).text, `id="pending"`)
	}
}
