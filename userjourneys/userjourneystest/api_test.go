package userjourneystest_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

func TestInterviewFilters(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	st, other := s.AddStudy(userjourneystest.Study{}), s.AddStudy(userjourneystest.Study{})
	for _, i := range []userjourneystest.Interview{
		{ID: "1", ReferenceID: "ada"},
		{ID: "2", ReferenceID: "ada", Quality: userjourneys.QualityUnsuccessful},
		{ID: "3", ReferenceID: "bob", Status: userjourneys.StatusProcessing},
		{ID: "4", ReferenceID: "bob", Status: userjourneys.StatusStarted, Quality: userjourneys.QualityUnsuccessful},
		{ID: "5"},
	} {
		s.FinishInterview(st.ID, i)
	}
	s.FinishInterview(other.ID, userjourneystest.Interview{ID: "6", ReferenceID: "ada"})
	for _, tt := range []struct {
		filter userjourneys.InterviewFilter
		want   []string
	}{
		{userjourneys.InterviewFilter{}, []string{"1", "2", "3", "4", "5"}},
		{userjourneys.InterviewFilter{Status: userjourneys.StatusCompleted}, []string{"1", "2", "5"}},
		{userjourneys.InterviewFilter{Status: userjourneys.StatusStarted}, []string{"4"}},
		{userjourneys.InterviewFilter{QualityScore: userjourneys.QualityUnsuccessful}, []string{"2", "4"}},
		{userjourneys.InterviewFilter{QualityScore: userjourneys.QualitySuccessful}, nil},
		{userjourneys.InterviewFilter{ReferenceID: "bob"}, []string{"3", "4"}},
		{userjourneys.InterviewFilter{ReferenceID: "bob", Status: userjourneys.StatusProcessing}, []string{"3"}},
		{userjourneys.InterviewFilter{ReferenceID: "ada", QualityScore: userjourneys.QualityInsightful, Status: userjourneys.StatusCompleted}, []string{"1"}},
		{userjourneys.InterviewFilter{After: "3"}, []string{"4", "5"}},
	} {
		tt.filter.StudyID = st.ID
		require.Equal(t, tt.want, interviews(t, s, tt.filter), "%+v", tt.filter)
		tt.filter.PageSize = 1
		require.Equal(t, tt.want, interviews(t, s, tt.filter), "%+v", tt.filter)
	}
	require.Empty(t, interviews(t, s, userjourneys.InterviewFilter{StudyID: "unknown"}))
}

func TestNewestFirst(t *testing.T) {
	t.Parallel()
	for _, newest := range []bool{false, true} {
		s := userjourneystest.NewServer(t, &userjourneystest.Options{NewestFirst: newest})
		var want []string
		st := s.AddStudy(userjourneystest.Study{})
		for i := range 7 {
			want = append(want, fmt.Sprint(i))
			s.FinishInterview(st.ID, userjourneystest.Interview{ID: want[i]})
		}
		if newest {
			slices.Reverse(want)
		}
		for _, size := range []int{1, 3, 7, 100} {
			require.Equal(t, want, interviews(t, s, userjourneys.InterviewFilter{StudyID: st.ID, PageSize: size}))
		}
	}
}

func TestStartedInterviewsTakeNoPlace(t *testing.T) {
	t.Parallel()
	s := userjourneystest.NewServer(t, nil)
	st := s.AddStudy(userjourneystest.Study{WeeklyLimit: 1})
	id := s.FinishInterview(st.ID, userjourneystest.Interview{Status: userjourneys.StatusStarted})
	i, err := client(t, s).Interview(t.Context(), id)
	require.NoError(t, err)
	require.Zero(t, i.CompletedAt)
	require.Zero(t, i.Duration)
	for _, tt := range []struct {
		status string
		accept bool
	}{{userjourneys.StatusStarted, true}, {userjourneys.StatusProcessing, false}} {
		s.FinishInterview(st.ID, userjourneystest.Interview{Status: tt.status})
		got, err := client(t, s).FindStudy(t.Context(), st.ID)
		require.NoError(t, err)
		require.Equal(t, tt.accept, got.AcceptingResponses, tt.status)
	}
	require.Panics(t, func() { s.FinishInterview("unknown", userjourneystest.Interview{}) })
	s.Requests() // the lock is free again
}
