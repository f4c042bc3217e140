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
	rule:  "a filter selects by study, user, interview and time, alone and together; Since includes its moment",
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
	rule:  "Completions yields each once, by completion time and then by the bytes of the interview id, also over many pages",
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
		if after < 600 || last != nil { // a store may have all in its hands by then
			require.ErrorIs(t, last, context.Canceled)
		}
	},
}, {
	name:  "bad filters",
	rule:  "a filter with a bad id yields ErrInvalid",
	needs: lister,
	run: func(t *testing.T, s *subject) {
		for name, bad := range badIDs {
			for _, f := range []store.Filter{{StudyID: bad}, {UserID: bad}, {InterviewID: bad}} {
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
