package console_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// transcribed returns a store with one interview, "int-1", and its transcript.
func transcribed(t *testing.T, body string) *memstore.Store {
	t.Helper()
	kept := memstore.New()
	record(kept, "int-1")
	jobs, err := kept.ClaimJobs(t.Context(), time.Minute, 1)
	require.NoError(t, err)
	require.NoError(t, kept.SaveTranscript(t.Context(), jobs[0], store.Transcript{InterviewID: "int-1", FetchedAt: time.Now(), Body: []byte(body)}))
	require.NoError(t, kept.FinishJob(t.Context(), jobs[0]))
	return kept
}

func Test_transcripts_are_readable_in_any_form(t *testing.T) {
	t.Parallel()
	const (
		unknown = "has a form that the console does not know"
		silent  = "Nothing was said in this interview."
	)
	for name, c := range map[string]struct {
		body string
		says []string
		not  string
	}{
		"turns": {`{"id":"int-1","headline":"Likes it","summary":"Found by a friend.","transcript":[{"role":"assistant","text":"How did you find us?","start":0},{"role":"user","text":"A friend\ntold me.","start":65}]}`,
			[]string{"<h1><bdi>Likes it</bdi></h1>", "Found by a friend.", "<bdi>Interviewer</bdi>", "<bdi>Respondent</bdi>", "1:05", "A friend\ntold me.", "<details><summary>What the provider sent"}, "flash"},
		"other names":       {`{"interview":{"id":"1","transcript":{"messages":[{"speaker":"Moderator","content":"Hello"},{"speaker":"Eve","content":"Hi"}]}}}`, []string{"<bdi>Interviewer</bdi>", "<bdi>Eve</bdi>", ">Hi<"}, "flash"},
		"a list alone":      {`[{"role":"user","text":"A friend told me."}]`, []string{"<bdi>Respondent</bdi>", ">A friend told me.<"}, "flash"},
		"one text":          {`{"id":"1","transcript":"All that was said."}`, []string{">All that was said.</p>"}, "flash"},
		"answers":           {`{"id":"1","transcript":["Yes"],"answers":{"1":"never"}}`, []string{"Structured answers", "&#34;1&#34;: &#34;never&#34;"}, "flash"},
		"an unknown form":   {`{"id":"1","transcript":{"u":[["Well,"]]}}`, []string{unknown, "<details open>", "&#34;Well,&#34;"}, `class="card turns"`},
		"nothing said":      {`{"id":"1","transcript":{"turns":[]}}`, []string{silent}, `class="card turns"`},
		"no JSON":           {`Internal Server Error`, []string{unknown, "Internal Server Error"}, `class="card turns"`},
		"half of it":        {`{"id":"1","transcript":[{"text":"We`, []string{unknown, "&#34;We"}, `class="card turns"`},
		"nothing":           {``, []string{unknown}, `class="card turns"`},
		"null":              {`null`, []string{silent}, `class="card turns"`},
		"other types":       {`{"id":"1","headline":7,"summary":[],"transcript":[{"role":{},"text":"Yes","start":"x"}]}`, []string{">Yes<", "<h1>Interview</h1>"}, "flash"},
		"a deep one":        {strings.Repeat("[", 300_000), []string{unknown}, `class="card turns"`},
		"a deep, valid one": {`{"id":"1","transcript":["Yes"],"x":` + strings.Repeat("[", 9_000) + strings.Repeat("0,", 200_000) + "0" + strings.Repeat("]", 9_000) + "}", []string{">Yes<"}, "flash"},
		"not indented":      {`{"id":"1","transcript":["Yes"],"x":` + strings.Repeat("[", 3_000) + strings.Repeat("]", 3_000) + "}", []string{">Yes<", "&#34;x&#34;:[[[["}, "flash"},
		"many turns":        {`{"id":"1","transcript":[` + strings.Repeat(`{"text":"x"},`, 10_000) + `"end"]}`, []string{"This transcript goes on. Download it"}, ">end<"},
		"a long turn":       {`{"id":"1","transcript":["` + strings.Repeat("é", 400_000) + `","end"]}`, []string{"This transcript goes on. Download it", "é…"}, ">end<"},
		"5 MB":              {`{"id":"1","transcript":["` + strings.Repeat("x", 5<<20) + `"]}`, []string{"This transcript is too long for a page. Download it", "5.2 MB"}, `class="card turns"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, transcribed(t, c.body), nil)
			a := s.get("interview?id=int-1")
			require.Equal(t, http.StatusOK, a.status)
			require.Less(t, len(a.text), 500_000)
			for _, text := range c.says {
				require.Contains(t, a.text, text)
			}
			require.NotContains(t, a.text, c.not)
			d := s.get("transcript?id=int-1")
			require.Equal(t, c.body, d.text, "the download is what the provider sent")
			require.Equal(t, "attachment; filename=transcript-int-1.json", d.header.Get("Content-Disposition"))
			require.Equal(t, "application/json", d.header.Get("Content-Type"))
		})
	}
}

func Test_hostile_interviews_do_nothing(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"short": hostile, "900 KB": long[:900_000], "5 MB": long} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text = strings.ToValidUTF8(text, "")
			kept := memstore.New()
			id := hostileID(90)
			c := store.Completion{
				Key: store.Key{StudyID: id, UserID: id}, InterviewID: id, CompletedAt: time.Now(),
				Quality: id, Language: id, Duration: time.Minute, Until: time.Now().Add(time.Hour), Ignored: true,
			}
			_, err := kept.Record(t.Context(), c)
			require.NoError(t, err)
			jobs, err := kept.ClaimJobs(t.Context(), time.Minute, 1)
			require.NoError(t, err)
			body, err := json.Marshal(map[string]any{"id": hostile, "headline": hostile, "summary": text, "transcript": []map[string]string{{"role": hostile, "text": hostile}, {"role": "user", "text": text}}, "answers": []string{hostile}})
			require.NoError(t, err)
			require.NoError(t, kept.SaveTranscript(t.Context(), jobs[0], store.Transcript{InterviewID: id, FetchedAt: time.Now(), Body: body}))
			s := setup(t, kept, nil)
			s.provider.set(func(p *provider) { p.study.Name, p.study.ID = text, id })
			require.NoError(t, s.gates.Warm(t.Context()))
			for _, page := range []string{"interviews", "interviews?study=" + url.QueryEscape(id) + "&quality=" + url.QueryEscape(id), "interview?id=" + url.QueryEscape(id)} {
				requireHarmless(t, s.get(page))
			}
			requireHarmless(t, s.look(id))
			requireHarmless(t, s.get("interviews?quality="+url.QueryEscape(hostile)))
			require.Regexp(t, `^attachment; filename=transcript-[A-Za-z0-9_-]+\.json$`, s.get("transcript?id="+url.QueryEscape(id)).header.Get("Content-Disposition"))
		})
	}
}

// hostileID returns the part of hostile that a store accepts as an id, at most n bytes.
func hostileID(n int) string {
	id := strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == '\u0085' {
			return -1
		}
		return r
	}, hostile), "")
	return strings.ToValidUTF8(id[:min(n, len(id))], "")
}

func Test_deleting_a_transcript(t *testing.T) {
	t.Parallel()
	kept := transcribed(t, `{"id":"int-1","transcript":["Yes"]}`)
	s := setup(t, kept, nil)
	require.Contains(t, s.get("interview?id=int-1").text, "Delete the transcript")
	a := s.do(http.MethodPost, "delete-transcript", url.Values{"id": {"int-1"}})
	require.Equal(t, "interview?did=transcript-deleted&id=int-1", a.header.Get("Location"))
	page := s.get(a.header.Get("Location")).text
	require.Contains(t, page, "The transcript is deleted. The interview still counts.")
	require.Contains(t, page, "There is no transcript.")
	require.NotContains(t, page, ">Yes<")
	require.Contains(t, s.log.String(), `msg="askonce: transcript was deleted in the console" interview=int-1`)
	a = s.do(http.MethodPost, "delete-transcript", url.Values{"id": {"int-1"}})
	require.Contains(t, s.get(a.header.Get("Location")).text, "Nothing was done: it is not there any more.")

	bareStore := setup(t, struct {
		store.Store
		store.Lister
		store.Transcripts
	}{bare{}, kept, transcribed(t, `{"id":"1","transcript":["Yes"]}`)}, nil)
	page = bareStore.get("interview?id=int-1").text
	require.Contains(t, page, ">Yes<")
	require.NotContains(t, page, "Delete the transcript", "this store cannot")
}

func Test_an_interview_that_nobody_knows_is_404(t *testing.T) {
	t.Parallel()
	s := setup(t, memstore.New(), nil)
	for _, id := range []string{"", "int-1", "%00", strings.Repeat("a", 300), "a/../b"} {
		a := s.get("interview?id=" + id)
		require.Equal(t, http.StatusNotFound, a.status)
		require.Contains(t, a.text, "There is no interview with this id.")
		require.Equal(t, http.StatusSeeOther, s.get("transcript?id="+id).status)
	}
	require.NotContains(t, s.log.String(), "level=WARN", "it is no trouble")
}
