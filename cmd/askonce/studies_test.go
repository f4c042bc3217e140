package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

func TestStudiesShowsThePlacesLeft(t *testing.T) {
	t.Parallel()
	fake := userjourneystest.NewServer(t, nil)
	st := fake.AddStudy(userjourneystest.Study{ID: "s1", Name: "Onboarding Feedback", WeeklyLimit: 5, MonthlyLimit: 20})
	fake.AddStudy(userjourneystest.Study{ID: "s2", Name: "Odd\n\x1b[31mname", WeeklyLimit: 1, Languages: []string{"en"}})
	for _, user := range []string{"ada", "bob"} {
		fake.FinishInterview(st.ID, userjourneystest.Interview{ReferenceID: user})
	}
	fake.FinishInterview("s2", userjourneystest.Interview{})
	out, hints, err := runWith(t.Context(), environment(fake), "studies")
	require.NoError(t, err)
	require.Equal(t, ""+
		"NAME                 RESPONSES      LEFT THIS WEEK  LEFT THIS MONTH  LANGUAGES  ID\n"+
		"Onboarding Feedback  accepting      3 of 5          18 of 20         en,de      s1\n"+
		"Odd  [31mname        not accepting  0 of 1          no limit         en         s2\n", out)
	require.Empty(t, hints)
}

func TestStudiesExplainsTheProjectsLimit(t *testing.T) {
	t.Parallel()
	fake := userjourneystest.NewServer(t, &userjourneystest.Options{ProjectLimit: 1})
	fake.FinishInterview(fake.Studies()[0].ID, userjourneystest.Interview{})
	out, hints, err := runWith(t.Context(), environment(fake), "studies")
	require.NoError(t, err)
	require.Contains(t, out, "not accepting")
	require.Contains(t, hints, "the project's own monthly limit")
}

func TestStudiesSaysWhenThereIsNone(t *testing.T) {
	t.Parallel()
	fake := userjourneystest.NewServer(t, nil)
	fake.SetConditions(userjourneystest.Conditions{Paused: true})
	out, err := runAgainst(t, fake, "studies")
	require.NoError(t, err)
	require.Contains(t, out, "No study is active")
}
