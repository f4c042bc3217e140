package storetest

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

var listCases = []contractCase{{
	name:  "empty list",
	rule:  "an empty store lists nothing",
	needs: lister,
	run: func(t *testing.T, s *subject) {
		require.Empty(t, s.list(t, store.Filter{}))
		require.Empty(t, s.list(t, store.Filter{InterviewID: newID()}))
	},
}, {
	name:  "filters",
	rule:  "a filter selects by study, user, interview, quality and time, alone and together; Since includes its own time",
	needs: lister,
	run: func(t *testing.T, s *subject) {
		k := newKey()
		all := []store.Completion{
			completionOf(k),
			completionOf(k),
			completionOf(store.Key{StudyID: k.StudyID, UserID: newID()}),
			completionOf(store.Key{StudyID: newID(), UserID: k.UserID}),
			completionOf(store.Key{StudyID: k.StudyID}),
		}
		for i := range all {
			all[i].CompletedAt = base.Add(time.Duration(i) * time.Millisecond)
		}
		all[1].Quality, all[3].Quality, all[4].Quality = "successful", "successful", ""
		s.mustRecord(t, all...)
		for _, tc := range []struct {
			name string
			f    store.Filter
			want []int
		}{
			{"none", store.Filter{}, []int{0, 1, 2, 3, 4}},
			{"study", store.Filter{StudyID: k.StudyID}, []int{0, 1, 2, 4}},
			{"user", store.Filter{UserID: k.UserID}, []int{0, 1, 3}},
			{"study and user", store.Filter{StudyID: k.StudyID, UserID: k.UserID}, []int{0, 1}},
			{"interview", store.Filter{InterviewID: all[2].InterviewID}, []int{2}},
			{"interview of another user", store.Filter{InterviewID: all[2].InterviewID, UserID: k.UserID}, nil},
			{"interview of another study", store.Filter{InterviewID: all[3].InterviewID, StudyID: k.StudyID}, nil},
			{"since", store.Filter{Since: all[3].CompletedAt}, []int{3, 4}},
			{"since, in another zone", store.Filter{Since: all[3].CompletedAt.In(time.FixedZone("", -7*3600))}, []int{3, 4}},
			{"since and user", store.Filter{Since: all[1].CompletedAt, UserID: k.UserID}, []int{1, 3}},
			{"since and study", store.Filter{Since: all[1].CompletedAt, StudyID: k.StudyID}, []int{1, 2, 4}},
			{"since and interview", store.Filter{Since: all[1].CompletedAt, InterviewID: all[0].InterviewID}, nil},
			{"since the end", store.Filter{Since: base.Add(time.Hour)}, nil},
			{"unknown study", store.Filter{StudyID: newID()}, nil},
			{"quality", store.Filter{Quality: "successful"}, []int{1, 3}},
			{"quality and study", store.Filter{Quality: "successful", StudyID: k.StudyID}, []int{1}},
			{"unknown quality", store.Filter{Quality: "Successful"}, nil},
			{"newest first", store.Filter{NewestFirst: true}, []int{4, 3, 2, 1, 0}},
			{"newest first and since", store.Filter{NewestFirst: true, Since: all[3].CompletedAt}, []int{4, 3}},
			{"newest first and user", store.Filter{NewestFirst: true, UserID: k.UserID}, []int{3, 1, 0}},
			{"after", store.Filter{After: &all[1]}, []int{2, 3, 4}},
			{"after and study", store.Filter{After: &all[1], StudyID: k.StudyID}, []int{2, 4}},
			{"after and since", store.Filter{After: &all[1], Since: all[3].CompletedAt}, []int{3, 4}},
			{"after the last", store.Filter{After: &all[4]}, nil},
			{"newest first and after", store.Filter{NewestFirst: true, After: &all[3]}, []int{2, 1, 0}},
			{"newest first, after and quality", store.Filter{NewestFirst: true, After: &all[3], Quality: "successful"}, []int{1}},
		} {
			got := s.list(t, tc.f)
			require.Len(t, got, len(tc.want), "filter: %s", tc.name)
			for i, want := range tc.want {
				equalCompletion(t, all[want], got[i])
			}
		}
	},
}, {
	name:  "stable order of many",
	rule:  "Completions yields each completion once, by completion time and then by the bytes of the interview id, over any number of pages",
	needs: lister,
	run: func(t *testing.T, s *subject) {
		const n = 1203
		study := newID()
		want := make([]store.Completion, n)
		for i := range want {
			want[i] = completionOf(store.Key{StudyID: study, UserID: newID()})
			want[i].CompletedAt = base.Add(time.Duration(i*7919%n/10) * time.Second) // ten at each moment
			if i%3 == 0 {
				want[i].InterviewID = "I-" + newID()
			}
		}
		s.mustRecordAtOnce(t, want)
		slices.SortFunc(want, func(a, b store.Completion) int {
			return cmp.Or(a.CompletedAt.Compare(b.CompletedAt), cmp.Compare(a.InterviewID, b.InterviewID))
		})
		for _, f := range []store.Filter{{}, {StudyID: study}, {Since: want[500].CompletedAt}} {
			got, from := s.list(t, f), 0
			if !f.Since.IsZero() {
				from = slices.IndexFunc(want, func(c store.Completion) bool { return !c.CompletedAt.Before(f.Since) })
			}
			require.Len(t, got, n-from)
			for i, c := range got {
				require.Equal(t, want[from+i].InterviewID, c.InterviewID, "place %d", i)
			}
		}
	},
}, {
	name:  "a page at a time",
	rule:  "After continues a list behind a completion, in the order of the list, whether or not the list contains it",
	needs: lister,
	run: func(t *testing.T, s *subject) {
		study := newID()
		var all []store.Completion
		for i := range 40 {
			c := completionOf(store.Key{StudyID: study, UserID: newID()})
			c.CompletedAt = base.Add(time.Duration(i/9) * time.Second)
			all = append(all, c)
		}
		s.mustRecordAtOnce(t, all)
		for _, newestFirst := range []bool{false, true} {
			whole := s.list(t, store.Filter{StudyID: study, NewestFirst: newestFirst})
			require.Len(t, whole, len(all))
			require.True(t, slices.IsSortedFunc(whole, func(a, b store.Completion) int {
				c := cmp.Or(a.CompletedAt.Compare(b.CompletedAt), cmp.Compare(a.InterviewID, b.InterviewID))
				if newestFirst {
					return -c
				}
				return c
			}), "newest first: %v", newestFirst)
			var paged []store.Completion
			f := store.Filter{StudyID: study, NewestFirst: newestFirst}
			for {
				page := s.list(t, f)
				if len(page) == 0 {
					break
				}
				page = page[:min(7, len(page))]
				paged = append(paged, page...)
				last := page[len(page)-1]
				f.After = &store.Completion{CompletedAt: last.CompletedAt.In(time.FixedZone("", 3600)), InterviewID: last.InterviewID}
			}
			require.Equal(t, whole, paged)
			f.After = &store.Completion{CompletedAt: base.Add(2 * time.Second), InterviewID: "\x21"} // before every other id of its moment
			if newestFirst {
				require.Len(t, s.list(t, f), 18)
			} else {
				require.Len(t, s.list(t, f), 22)
			}
		}
	},
}, {
	name:  "early break",
	rule:  "a consumer may stop at any time, and list again",
	needs: lister,
	run: func(t *testing.T, s *subject) {
		study := newID()
		for range 5 {
			s.mustRecord(t, completionOf(store.Key{StudyID: study, UserID: newID()}))
		}
		seq := s.Completions(t.Context(), store.Filter{StudyID: study})
		for stop := range 5 {
			seen := 0
			for _, err := range seq {
				require.NoError(t, err)
				if seen == stop {
					break
				}
				seen++
			}
			require.Equal(t, stop, seen)
		}
		s.mustRecord(t, newCompletion())
	},
}, {
	name:  "writing while listing",
	rule:  "Completions holds no lock while its consumer works",
	needs: lister,
	run: func(t *testing.T, s *subject) {
		study, seen := newID(), map[string]bool{}
		for range 20 {
			s.mustRecord(t, completionOf(store.Key{StudyID: study, UserID: newID()}))
		}
		for c, err := range s.Completions(t.Context(), store.Filter{StudyID: study}) {
			require.NoError(t, err)
			require.False(t, seen[c.InterviewID], "listed twice")
			seen[c.InterviewID] = true
			s.mustRecord(t, newCompletion()) // in another study
			require.True(t, s.completed(t, c.Key))
		}
		require.Len(t, seen, 20)
		require.Len(t, s.list(t, store.Filter{}), 40)
	},
}, {
	name:  "context ends a list",
	rule:  "a list whose context ends yields its error and stops",
	needs: lister,
	run: func(t *testing.T, s *subject) {
		many := make([]store.Completion, 600)
		for i := range many {
			many[i] = newCompletion()
		}
		s.mustRecordAtOnce(t, many)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		after := 0
		for _, err := range s.Completions(ctx, store.Filter{}) {
			require.NoError(t, last, "yielded after an error")
			last = err
			cancel()
			after++
		}
		if after < 600 || last != nil { // a store may have read everything by then
			require.ErrorIs(t, last, context.Canceled)
		}
	},
}, {
	name:  "bad filters",
	rule:  "a filter with a bad id yields ErrInvalid",
	needs: lister,
	run: func(t *testing.T, s *subject) {
		for name, bad := range badIDs {
			for _, f := range []store.Filter{{StudyID: bad}, {UserID: bad}, {InterviewID: bad}, {Quality: bad}} {
				_, err := collect(s.Completions(t.Context(), f))
				refused(t, err, name)
			}
		}
	},
}}

// mustRecordAtOnce is mustRecord for many, several at a time.
func (s *subject) mustRecordAtOnce(t *testing.T, cs []store.Completion) {
	t.Helper()
	const workers = 8
	atOnce(workers, func(w int) {
		for i := w; i < len(cs); i += workers {
			if first, err := s.Record(t.Context(), cs[i]); err != nil || !first {
				t.Errorf("Record = %v, %v; want true, nil", first, err)
			}
		}
	})
}
