package console_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

func Test_an_export_has_every_interview_of_its_filter(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	at := time.Date(2026, 3, 11, 14, 30, 0, 456_000_000, time.UTC)
	for _, c := range []store.Completion{
		{Key: store.Key{StudyID: studyID, UserID: "ada, \"the\" first"}, InterviewID: "int-1", CompletedAt: at, Quality: "insightful", Language: "de", Duration: 580500 * time.Millisecond},
		{Key: store.Key{StudyID: "other"}, InterviewID: "=1+1", CompletedAt: at.Add(time.Hour), Until: at.Add(2 * time.Hour), Ignored: true},
	} {
		_, err := kept.Record(t.Context(), c)
		require.NoError(t, err)
	}
	s := setup(t, kept, nil)
	require.NoError(t, s.gates.Warm(t.Context()))
	a := s.get("export?format=csv")
	require.Equal(t, "interview_id,study_id,study_name,user_id,completed_at,quality,language,duration_secs,until,ignored\r\n"+
		"int-1,"+studyID+",Onboarding,\"ada, \"\"the\"\" first\",2026-03-11T14:30:00.456Z,insightful,de,580.5,,false\r\n"+
		"'=1+1,other,,,2026-03-11T15:30:00.456Z,,,0,2026-03-11T16:30:00.456Z,true\r\n", a.text)
	require.Equal(t, "text/csv; charset=utf-8; header=present", a.header.Get("Content-Type"))
	require.Regexp(t, `^attachment; filename=interviews-\d{4}-\d\d-\d\d\.csv$`, a.header.Get("Content-Disposition"))

	a = s.get("export?format=jsonl&study=" + studyID)
	require.Equal(t, `{"interview_id":"int-1","study_id":"`+studyID+`","study_name":"Onboarding","user_id":"ada, \"the\" first","completed_at":"2026-03-11T14:30:00.456Z","quality":"insightful","language":"de","duration_secs":580.5,"ignored":false}`+"\n", a.text)
	require.Regexp(t, `^attachment; filename=interviews-\d{4}-\d\d-\d\d\.jsonl$`, a.header.Get("Content-Disposition"))
	require.Contains(t, s.get("export?format=jsonl&quality=&study=other").text, `"interview_id":"=1+1"`, "JSON is exact")
	require.Empty(t, s.get("export?format=jsonl&quality=unsuccessful").text)
	require.Empty(t, s.do(http.MethodHead, "export?format=csv", nil).text)
	require.Equal(t, http.StatusNotFound, s.get("export?format=xlsx").status)
	require.Equal(t, "interviews?did=invalid", s.get("export?format=csv&study=%00").header.Get("Location"))
}

func Test_formulas_are_defused_in_CSV(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "＝1+1", "＋1", "－1", "＠x", " =1", "\u200b=1", "\u00a0@x", `="a"&","&"b"`,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			kept := memstore.New()
			_, err := kept.Record(t.Context(), store.Completion{Key: store.Key{StudyID: text, UserID: text}, InterviewID: text, Quality: text, Language: text, CompletedAt: time.Now()})
			require.NoError(t, err)
			s := setup(t, kept, nil)
			s.provider.set(func(p *provider) { p.study.ID, p.study.Name = text, "\t"+text })
			require.NoError(t, s.gates.Warm(t.Context()))
			rows, err := csv.NewReader(strings.NewReader(s.get("export?format=csv").text)).ReadAll()
			require.NoError(t, err)
			for _, n := range []int{0, 1, 3, 5, 6} {
				require.Equal(t, "'"+text, rows[1][n])
			}
			require.Equal(t, "'\t"+text, rows[1][2])
		})
	}
}

func Test_formulas_behind_a_semicolon_are_defused_in_CSV(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	_, err := kept.Record(t.Context(), store.Completion{Key: store.Key{StudyID: "s", UserID: "a;=cmd|'/C calc'!A0; @x;b-c;\u00a0=d;\u200b+e"}, InterviewID: "int-1", CompletedAt: time.Now()})
	require.NoError(t, err)
	rows, err := csv.NewReader(strings.NewReader(setup(t, kept, nil).get("export?format=csv").text)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, "a;'=cmd|'/C calc'!A0; '@x;b-c;\u00a0'=d;\u200b'+e", rows[1][3])
}

// However many interviews there are, only as many are read ahead of the client as the
// buffers hold.
func Test_an_export_takes_no_more_memory_the_longer_it_is(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"csv", "jsonl"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			const n = 100_000
			client := &counter{header: http.Header{}}
			var ahead atomic.Int64
			s := setup(t, listed{Store: bare{}, n: n, yield: func(n int64) error {
				if now := n - client.lines.Load(); now > ahead.Load() {
					ahead.Store(now)
				}
				return nil
			}}, nil)
			s.ServeHTTP(client, httptest.NewRequest(http.MethodGet, "/console/export?format="+format, nil))
			require.GreaterOrEqual(t, client.lines.Load(), int64(n))
			require.Less(t, ahead.Load(), int64(100), "rows that were read and not written yet")
			require.Greater(t, client.flushes, int64(n/1000))
			require.Greater(t, client.deadlines, int64(n/1000), "a server's WriteTimeout does not cut it off")
		})
	}
}

// counter is a client that counts lines.
type counter struct {
	header             http.Header
	lines              atomic.Int64
	flushes, deadlines int64
}

func (c *counter) Header() http.Header { return c.header }
func (c *counter) WriteHeader(int)     {}
func (c *counter) Flush()              { c.flushes++ }
func (c *counter) SetWriteDeadline(time.Time) error {
	c.deadlines++
	return nil
}
func (c *counter) Write(p []byte) (int, error) {
	c.lines.Add(int64(bytes.Count(p, []byte("\n"))))
	return len(p), nil
}

func Test_an_export_that_the_store_breaks_off_is_seen_to_be_incomplete(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"csv", "jsonl"} {
		for name, fail := range map[string]func() error{
			"fails":  func() error { return errors.New("connection refused") },
			"panics": func() error { panic("ada") },
		} {
			t.Run(format+" "+name, func(t *testing.T) {
				t.Parallel()
				s := setup(t, listed{Store: bare{}, n: 10_000, yield: func(n int64) error {
					if n == 5_000 {
						return fail()
					}
					return nil
				}}, nil)
				server := httptest.NewServer(s)
				defer server.Close()
				res, err := http.Get(server.URL + "/console/export?format=" + format)
				require.NoError(t, err)
				defer res.Body.Close()
				require.Equal(t, http.StatusOK, res.StatusCode)
				body, err := io.ReadAll(res.Body)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				require.Contains(t, string(body), "int-0004000")
				require.NotContains(t, string(body), "connection refused")
				require.Eventually(t, func() bool { return strings.Contains(s.log.String(), "an export of the console was cut off") }, 10*time.Second, time.Millisecond)
			})
		}
	}
}

func Test_an_export_does_not_begin_if_the_store_is_down(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		store store.Store
		did   string
	}{
		"cannot": {bare{}, "lacking"},
		"fails":  {unwell{memstore.New(), func() error { return errors.New("connection refused") }}, "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := setup(t, c.store, nil).get("export?format=csv")
			require.Equal(t, http.StatusSeeOther, a.status)
			require.Equal(t, "interviews?did="+c.did, a.header.Get("Location"))
			require.Empty(t, a.header.Get("Content-Disposition"))
		})
	}
}
