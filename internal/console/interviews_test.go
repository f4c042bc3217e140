package console_test

import (
	"context"
	"fmt"
	"html"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// listed is a store that lists n interviews, the newest of which is numbered n,
// without keeping them.
type listed struct {
	store.Store
	n     int64
	yield func(n int64) error // may be nil
	score func(n int64) string
	read  *atomic.Int64
}

func (l listed) Completions(_ context.Context, f store.Filter) iter.Seq2[store.Completion, error] {
	return func(yield func(store.Completion, error) bool) {
		first, last, step := int64(1), l.n, int64(1)
		if f.NewestFirst {
			first, last, step = l.n, 1, -1
		}
		if f.After != nil {
			first = f.After.CompletedAt.Unix() + step
		}
		for n := first; n*step <= last*step; n += step {
			if l.read != nil {
				l.read.Add(1)
			}
			c := store.Completion{Key: store.Key{StudyID: studyID, UserID: "ada"}, InterviewID: fmt.Sprintf("int-%07d", n), CompletedAt: time.Unix(n, 0)}
			if l.score != nil {
				c.Quality = l.score(n)
			}
			var err error
			if l.yield != nil {
				err = l.yield(n)
			}
			if f.Selects(c) && !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// rowsOf returns the ids of the interviews in a page, and its links by their text.
func rowsOf(a answer) (ids []string, links map[string]string) {
	for _, m := range regexp.MustCompile(`href="interview\?id=([^"]*)"`).FindAllStringSubmatch(a.text, -1) {
		ids = append(ids, m[1])
	}
	links = map[string]string{}
	for _, m := range regexp.MustCompile(`<a class="button" href="([^"]*)"[^>]*>([^<]*)<`).FindAllStringSubmatch(a.text, -1) {
		links[m[2]] = html.UnescapeString(m[1])
	}
	return ids, links
}

func Test_interviews_are_paged_both_ways_without_reading_more_than_a_page(t *testing.T) {
	t.Parallel()
	const all = 1_000_000
	var read atomic.Int64
	s := setup(t, listed{Store: bare{}, n: all, read: &read}, nil)
	page := func(path string, newest, oldest int, links ...string) map[string]string {
		t.Helper()
		read.Store(0)
		ids, to := rowsOf(s.get(path))
		require.LessOrEqual(t, read.Load(), int64(102))
		require.Len(t, ids, newest-oldest+1)
		require.Equal(t, fmt.Sprintf("int-%07d", newest), ids[0])
		require.Equal(t, fmt.Sprintf("int-%07d", oldest), ids[len(ids)-1])
		for _, link := range []string{"Newer", "Older"} {
			if strings.Contains(strings.Join(links, " "), link) {
				require.Contains(t, to, link)
			} else {
				require.NotContains(t, to, link)
			}
		}
		return to
	}
	first := page("interviews", all, all-49, "Older")
	second := page(first["Older"], all-50, all-99, "Newer", "Older")
	third := page(second["Older"], all-100, all-149, "Newer", "Older")
	back := page(third["Newer"], all-50, all-99, "Newer", "Older")
	page(back["Newer"], all, all-49, "Older")

	few := setup(t, listed{Store: bare{}, n: 60}, nil)
	_, links := rowsOf(few.get("interviews"))
	ids, links := rowsOf(few.get(links["Older"]))
	require.Len(t, ids, 10)
	require.NotContains(t, links, "Older", "it is the last page")
	ids, _ = rowsOf(few.get(links["Newer"]))
	require.Len(t, ids, 50)
	ids, links = rowsOf(few.get("interviews?order=oldest&at=1970-01-01T00:00:40Z&id=int-0000040"))
	require.Len(t, ids, 50, "the first page is full, though only 20 are newer")
	require.NotContains(t, links, "Newer")
}

func Test_a_rare_quality_is_looked_for_a_part_at_a_time(t *testing.T) {
	t.Parallel()
	var read atomic.Int64
	s := setup(t, listed{Store: bare{}, n: 12_000, read: &read, score: func(n int64) string {
		if n == 3_000 {
			return "insightful"
		}
		return "successful"
	}}, nil)
	path := "interviews?quality=insightful"
	for n, want := range [][]string{nil, {"int-0003000"}, nil} {
		read.Store(0)
		a := s.get(path)
		require.LessOrEqual(t, read.Load(), int64(5_001))
		ids, links := rowsOf(a)
		require.Equal(t, want, ids)
		require.Equal(t, n < 2, strings.Contains(a.text, "from 5,000 interviews"))
		require.Equal(t, n > 0, links["Newer"] != "")
		require.Equal(t, n < 2, links["Older"] != "")
		path = links["Older"]
	}
}

func Test_interviews_are_filtered(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	for n, c := range []store.Completion{
		{Key: store.Key{StudyID: studyID}, Quality: "insightful"}, {Key: store.Key{StudyID: studyID}}, {Key: store.Key{StudyID: "other"}, Quality: "insightful"},
	} {
		c.InterviewID, c.CompletedAt = fmt.Sprint("int-", n), time.Unix(int64(n), 0)
		_, err := kept.Record(t.Context(), c)
		require.NoError(t, err)
	}
	s := setup(t, kept, nil)
	require.NoError(t, s.gates.Warm(t.Context()))
	for query, want := range map[string][]string{
		"":                                  {"int-2", "int-1", "int-0"},
		"?study=" + studyID:                 {"int-1", "int-0"},
		"?quality=insightful":               {"int-2", "int-0"},
		"?study=other&quality=insightful":   {"int-2"},
		"?study=nothing":                    nil,
		"?study=%00":                        nil,
		"?at=x&id=y":                        {"int-2", "int-1", "int-0"},
		"?at=1970-01-01T00:00:01Z&id=int-1": {"int-0"},
	} {
		a := s.get("interviews" + query)
		require.Equal(t, http.StatusOK, a.status)
		ids, _ := rowsOf(a)
		require.Equal(t, want, ids, query)
	}
	require.Contains(t, s.get("interviews?study="+studyID).text, `<option value="`+studyID+`" selected>Onboarding</option>`)
	require.Contains(t, s.get("interviews?study=nothing").text, "No matching interviews.")
	_, links := rowsOf(s.get("interviews?study=" + url.QueryEscape("a&b=c d") + "&quality=odd"))
	export, err := url.Parse(links["Export CSV"])
	require.NoError(t, err)
	require.Equal(t, "export", export.Path)
	require.Equal(t, url.Values{"format": {"csv"}, "study": {"a&b=c d"}, "quality": {"odd"}}, export.Query())
}
