package userjourneys_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

// page is a list of interviews with these ids.
func page(more bool, ids ...string) string {
	var items []string
	for _, id := range ids {
		items = append(items, fmt.Sprintf(`{"id":%q}`, id))
	}
	return fmt.Sprintf(`{"object":"list","data":[%s],"has_more":%v}`, strings.Join(items, ","), more)
}

// collect ranges over all interviews of study "s" and returns their ids and the
// error that ended it.
func collect(t *testing.T, c *userjourneys.Client) (ids []string, err error) {
	t.Helper()
	for i, err := range c.Interviews(t.Context(), userjourneys.InterviewFilter{StudyID: "s"}) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, i.ID)
	}
	return ids, nil
}

func TestPagesFollowTheLastID(t *testing.T) { // N02, N16
	t.Parallel()
	fake, c := fakeProvider(t)
	st := fake.AddStudy(userjourneystest.Study{})
	var want []string
	for i := range 250 {
		want = append(want, fmt.Sprintf("int_%d", i))
		fake.FinishInterview(st.ID, userjourneystest.Interview{ID: want[i]})
	}
	all := c.Interviews(t.Context(), userjourneys.InterviewFilter{StudyID: st.ID, PageSize: 500})
	for round := range 2 { // a sequence may be ranged over again
		var got []string
		for i, err := range all {
			require.NoError(t, err)
			got = append(got, i.ID)
		}
		require.Equal(t, want, got)
		requests := fake.Requests()[3*round:]
		require.Len(t, requests, 3)
		for i, after := range []string{"", "int_99", "int_199"} {
			q, err := url.ParseQuery(requests[i].Query)
			require.NoError(t, err)
			require.Equal(t, after, q.Get("starting_after"))
			require.Equal(t, "100", q.Get("limit"), "500 is more than the provider allows")
		}
	}
}

func TestBreakAsksForNoFurtherPage(t *testing.T) {
	t.Parallel()
	fake, c := fakeProvider(t)
	st := fake.AddStudy(userjourneystest.Study{})
	for range 5 {
		fake.FinishInterview(st.ID, userjourneystest.Interview{})
	}
	n := 0
	for range c.Interviews(t.Context(), userjourneys.InterviewFilter{StudyID: st.ID, PageSize: 2}) {
		if n++; n == 3 {
			break
		}
	}
	require.Len(t, fake.Requests(), 2)
}

func TestInterviewsSendTheWholeFilter(t *testing.T) {
	t.Parallel()
	var got url.Values
	c := over(t, func(r *http.Request) (*http.Response, error) {
		got = r.URL.Query()
		return answer(200, page(false)), nil
	}, 0)
	f := userjourneys.InterviewFilter{StudyID: "s&1", Status: "completed", ReferenceID: "a b+c", QualityScore: "insightful", PageSize: 7, After: "int/9"}
	for range c.Interviews(t.Context(), f) {
	}
	require.Equal(t, url.Values{
		"study_id": {"s&1"}, "status": {"completed"}, "reference_id": {"a b+c"}, "quality_score": {"insightful"},
		"limit": {"7"}, "starting_after": {"int/9"},
	}, got)
	for _, err := range c.Interviews(t.Context(), userjourneys.InterviewFilter{}) {
		require.ErrorContains(t, err, "needs a study id")
	}
}

func TestRateLimitOnPage2KeepsTheCursor(t *testing.T) { // N10
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var cursors []string
		var at []time.Time
		c := over(t, func(r *http.Request) (*http.Response, error) {
			cursors, at = append(cursors, r.URL.Query().Get("starting_after")), append(at, time.Now())
			switch len(cursors) {
			case 1:
				return answer(200, page(true, "1", "2")), nil
			case 2:
				return answer(429, "", "Retry-After", "7"), nil
			}
			return answer(200, page(false, "3")), nil
		}, 0)
		ids, err := collect(t, c)
		require.NoError(t, err)
		require.Equal(t, []string{"1", "2", "3"}, ids, "nothing twice, nothing missed")
		require.Equal(t, []string{"", "2", "2"}, cursors)
		require.Equal(t, at[0], at[1])
		require.GreaterOrEqual(t, at[2].Sub(at[1]), 7*time.Second)
		require.Less(t, at[2].Sub(at[1]), 8*time.Second)
	})
}

func TestListsThatNeverEnd(t *testing.T) { // N03
	t.Parallel()
	for name, tt := range map[string]struct {
		pages map[string]string // by starting_after
		ids   []string
	}{
		"more, but nothing in it": {map[string]string{"": page(true)}, nil},
		"nothing on page 2":       {map[string]string{"": page(true, "1"), "1": page(true)}, []string{"1"}},
		"the same page again":     {map[string]string{"": page(true, "1", "2"), "2": page(true, "1", "2")}, []string{"1", "2", "1", "2"}},
		"a cycle of three": {map[string]string{"": page(true, "1"), "1": page(true, "2"), "2": page(true, "3"), "3": page(true, "1")},
			[]string{"1", "2", "3", "1"}},
		"a cycle further on": {map[string]string{"": page(true, "1"), "1": page(true, "2"), "2": page(true, "3"), "3": page(true, "2")},
			[]string{"1", "2", "3", "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := over(t, func(r *http.Request) (*http.Response, error) {
				return answer(200, tt.pages[r.URL.Query().Get("starting_after")]), nil
			}, 0)
			ids, err := collect(t, c)
			require.ErrorIs(t, err, userjourneys.ErrBadAnswer)
			require.Equal(t, tt.ids, ids)
		})
	}
}

func TestListWithFreshIDsForEverEnds(t *testing.T) {
	t.Parallel()
	n := 0
	c := over(t, func(*http.Request) (*http.Response, error) {
		n++
		return answer(200, page(true, fmt.Sprint(n))), nil
	}, 0)
	_, err := collect(t, c)
	require.ErrorIs(t, err, userjourneys.ErrBadAnswer)
	require.Equal(t, 10000, n)
}
