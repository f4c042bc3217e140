package userjourneys_test

import (
	"bytes"
	"fmt"
	"log/slog"
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

// page returns a list of interviews with these ids.
func page(more bool, ids ...string) string {
	var items []string
	for _, id := range ids {
		items = append(items, fmt.Sprintf(`{"id":%q}`, id))
	}
	return fmt.Sprintf(`{"object":"list","data":[%s],"has_more":%v}`, strings.Join(items, ","), more)
}

// collect returns the ids of all interviews of study "s", and the error that
// ended the list.
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

func TestPagesFollowTheLastID(t *testing.T) {
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

func TestRateLimitOnPage2KeepsTheCursor(t *testing.T) {
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

func TestListsThatNeverEnd(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pages map[string]string // by starting_after
		ids   []string
	}{
		"the same page again": {map[string]string{"": page(true, "1", "2"), "2": page(true, "1", "2")}, []string{"1", "2", "1", "2"}},
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
			require.ErrorIs(t, err, userjourneys.ErrUnexpectedResponse)
			require.Equal(t, tt.ids, ids)
		})
	}
}

// full returns a page of 100 interviews, starting with the given number. The format has one
// %s for the items.
func full(format string, from int) string {
	var items []string
	for i := range 100 {
		items = append(items, fmt.Sprintf(`{"id":"%d"}`, from+i))
	}
	return fmt.Sprintf(format, strings.Join(items, ","))
}

func TestListsAreReadAsFarAsTheyCanBe(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pages    map[string]string // by starting_after
		ids      int
		requests int
		skipped  string // kind and count
		err      error
	}{
		"an empty list":                        {pages: map[string]string{"": page(false)}, requests: 1},
		"more, but nothing in it":              {pages: map[string]string{"": page(true)}, requests: 1},
		"an empty page ends the list":          {pages: map[string]string{"": page(true, "1"), "1": page(true)}, ids: 1, requests: 2},
		"an array alone":                       {pages: map[string]string{"": `[{"id":"1"},{"id":"2"}]`}, ids: 2, requests: 1},
		"an empty array":                       {pages: map[string]string{"": `[]`}, requests: 1},
		"null instead of no items":             {pages: map[string]string{"": `{"data":null,"has_more":false}`}, requests: 1},
		"items under another name":             {pages: map[string]string{"": `{"experiments":[{"id":"1"}],"has_more":false}`}, ids: 1, requests: 1},
		"data that is no list, items that are": {pages: map[string]string{"": `{"data":{},"interviews":[{"id":"1"}]}`}, ids: 1, requests: 1},
		"a short page without has_more":        {pages: map[string]string{"": `{"data":[{"id":"1"}]}`}, ids: 1, requests: 1},
		"full pages without has_more": {
			pages: map[string]string{"": full(`{"data":[%s]}`, 0), "99": full(`{"data":[%s]}`, 100), "199": `{"data":[{"id":"200"}]}`}, ids: 201, requests: 3},
		"has_more is null":             {pages: map[string]string{"": full(`{"data":[%s],"has_more":null}`, 0), "99": page(false, "100")}, ids: 101, requests: 2},
		"has_more is of no use":        {pages: map[string]string{"": full(`{"data":[%s],"has_more":{}}`, 0), "99": page(false, "100")}, ids: 101, requests: 2},
		"full arrays":                  {pages: map[string]string{"": full(`[%s]`, 0), "99": `[]`}, ids: 100, requests: 2},
		"an array without pages":       {pages: map[string]string{"": full(`[%s]`, 0), "99": full(`[%s]`, 0)}, ids: 100, requests: 2},
		"has_more is the string true":  {pages: map[string]string{"": `{"data":[{"id":"1"}],"has_more":"true"}`, "1": page(false, "2")}, ids: 2, requests: 2},
		"has_more is 1":                {pages: map[string]string{"": `{"data":[{"id":"1"}],"has_more":1}`, "1": page(false, "2")}, ids: 2, requests: 2},
		"has_more is the string false": {pages: map[string]string{"": full(`{"data":[%s],"has_more":"false"}`, 0)}, ids: 100, requests: 1},
		"has_more is false":            {pages: map[string]string{"": full(`{"data":[%s],"has_more":false}`, 0)}, ids: 100, requests: 1},
		"a null item":                  {pages: map[string]string{"": `{"data":[{"id":"1"},null,{"id":"2"}],"has_more":false}`}, ids: 2, requests: 1, skipped: "kind=null items=1"},
		"items without an id":          {pages: map[string]string{"": `{"data":[{},{"id":null},{"id":"2"}],"has_more":false}`}, ids: 1, requests: 1, skipped: `kind="no id" items=2`},
		"an item that is a string":     {pages: map[string]string{"": `{"data":["1",{"id":"2"}],"has_more":false}`}, ids: 1, requests: 1, skipped: `kind="not an object" items=1`},
		"numeric ids on two pages": {
			pages: map[string]string{"": `{"data":[{"id":"1"},{"id":2}],"has_more":true}`, "2": `{"data":[{"id":3},{"id":"4"}],"has_more":false}`},
			ids:   2, requests: 2, skipped: `kind="an id that is not a string" items=2`},
		"the last item is null": {
			pages: map[string]string{"": `{"data":[{"id":"1"},null],"has_more":true}`, "1": page(false, "2")}, ids: 2, requests: 2, skipped: "kind=null items=1"},
		"more, but no item to go on from": {
			pages: map[string]string{"": `{"data":[null,{}],"has_more":true}`}, requests: 1, skipped: "kind=null items=1", err: userjourneys.ErrUnexpectedResponse},
		"no list at all":    {pages: map[string]string{"": `{"object":"list"}`}, requests: 1, err: userjourneys.ErrUnexpectedResponse},
		"a list of nothing": {pages: map[string]string{"": `{"data":"none"}`}, requests: 1, err: userjourneys.ErrUnexpectedResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			var log bytes.Buffer
			c := newClient(t, userjourneys.Options{
				Logger: slog.New(slog.NewTextHandler(&log, nil)),
				HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					requests++
					body, ok := tt.pages[r.URL.Query().Get("starting_after")]
					require.True(t, ok, "a page after %q", r.URL.Query().Get("starting_after"))
					return answer(200, body), nil
				})},
			})
			for range 2 { // the second time nothing more is logged
				requests = 0
				ids, err := collect(t, c)
				require.ErrorIs(t, err, tt.err)
				require.Len(t, ids, tt.ids)
				require.Equal(t, tt.requests, requests)
			}
			if tt.skipped == "" {
				require.Empty(t, log.String())
			} else {
				require.Equal(t, 1, strings.Count(log.String(), tt.skipped), "in %s", log.String())
			}
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
	require.ErrorIs(t, err, userjourneys.ErrUnexpectedResponse)
	require.Equal(t, 10000, n)
}
