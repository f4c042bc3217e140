package webhook_test

import (
	"context"
	"iter"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// project is a provider with several studies, each with one interview.
type project struct {
	*fakeInterviews
	mu      sync.Mutex
	studies []userjourneys.Study
	walked  map[string]int
}

const (
	onboarding = "00000000-0000-4000-8000-00000000000a"
	staging    = "00000000-0000-4000-8000-00000000000b"
)

func newProject() *project {
	return &project{fakeInterviews: &fakeInterviews{}, walked: map[string]int{}, studies: []userjourneys.Study{
		{ID: onboarding, Name: "Onboarding"}, {ID: staging, Name: "Onboarding (staging)"},
	}}
}

func (p *project) Studies(context.Context) iter.Seq2[userjourneys.Study, error] {
	return func(yield func(userjourneys.Study, error) bool) {
		p.mu.Lock()
		studies := p.studies
		p.mu.Unlock()
		for _, s := range studies {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func (p *project) Interviews(_ context.Context, f userjourneys.InterviewFilter) iter.Seq2[userjourneys.Interview, error] {
	p.mu.Lock()
	p.walked[f.StudyID]++
	p.mu.Unlock()
	return func(yield func(userjourneys.Interview, error) bool) {
		i := completed("of-"+f.StudyID, "ada")
		i.StudyID = f.StudyID
		yield(i, nil)
	}
}

func TestOnlyConfiguredStudiesAreRecordedAndWalked(t *testing.T) {
	t.Parallel()
	for name, study := range map[string]string{
		"by name":              "Onboarding",
		"by id":                onboarding,
		"by id in capitals":    "00000000-0000-4000-8000-00000000000A",
		"a name that has none": "Nothing",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject()
			inBubble(t, webhook.Options{Client: p, Studies: []string{study}}, func(b *bubble) {
				b.run()
				p.mu.Lock()
				defer p.mu.Unlock()
				if study == "Nothing" {
					require.Empty(t, p.walked)
					return
				}
				require.Equal(t, map[string]int{onboarding: 1}, p.walked)
				require.Equal(t, onboarding, b.completion("of-"+onboarding).StudyID)
			})
		})
	}
}

func TestAStudyThatIsNamedIsStillWalkedWhilePaused(t *testing.T) {
	t.Parallel()
	p := newProject()
	inBubble(t, webhook.Options{Client: p, Studies: []string{"Onboarding"}}, func(b *bubble) {
		b.run()
		p.mu.Lock()
		p.studies = nil
		p.mu.Unlock()
		b.wait(time.Hour)
		p.mu.Lock()
		defer p.mu.Unlock()
		require.Equal(t, 7, p.walked[onboarding])
		require.Zero(t, p.walked[staging])
	})
}

func TestDeliveriesOfOtherStudies(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		studies   []string
		id, study string // what the delivery says
		want      webhook.Result
	}{
		{"all when none is configured", nil, staging, "Onboarding (staging)", webhook.ResultAccepted},
		{"the name", []string{"Onboarding"}, onboarding, "Onboarding", webhook.ResultAccepted},
		{"the id", []string{onboarding}, onboarding, "renamed", webhook.ResultAccepted},
		{"another name", []string{"Onboarding"}, staging, "Onboarding (staging)", webhook.ResultOtherStudy},
		{"another id", []string{onboarding}, staging, "Onboarding (staging)", webhook.ResultOtherStudy},
		{"no name", []string{"Onboarding"}, staging, "", webhook.ResultOtherStudy},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got webhook.Result
			h, err := webhook.New(secret, memstore.New(), &webhook.Options{
				Client: newProject(), Studies: tc.studies, Logger: discard,
				OnDelivery: func(_ context.Context, d webhook.Delivery) { got = d.Result },
			})
			require.NoError(t, err)
			e := webhooktest.Completed("ada")
			e.Data.StudyID, e.Data.StudyName = tc.id, tc.study
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, webhooktest.NewRequest(secret, e))
			require.Equal(t, 200, rec.Code)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestARenamedStudyIsRecognisedByItsID(t *testing.T) {
	t.Parallel()
	p := newProject()
	var got webhook.Result
	inBubble(t, webhook.Options{
		Client: p, Studies: []string{"Onboarding"},
		OnDelivery: func(_ context.Context, d webhook.Delivery) { got = d.Result },
	}, func(b *bubble) {
		require.NoError(t, b.Reconcile(t.Context()))
		e := webhooktest.Completed("bob")
		e.Data.StudyID, e.Data.StudyName = onboarding, "Welcome"
		b.ServeHTTP(httptest.NewRecorder(), webhooktest.NewRequest(secret, e))
		require.Equal(t, webhook.ResultAccepted, got)
	})
}

func TestNamesNeedAClientThatListsStudies(t *testing.T) {
	t.Parallel()
	_, err := webhook.New(secret, memstore.New(), &webhook.Options{Client: &fakeInterviews{}, Studies: []string{"Onboarding Feedback"}})
	require.ErrorContains(t, err, "names need a Client")
	_, err = webhook.New(secret, memstore.New(), &webhook.Options{Client: newProject(), Studies: []string{"Onboarding Feedback"}})
	require.NoError(t, err)
	_, err = webhook.New(secret, memstore.New(), &webhook.Options{Client: newProject(), Studies: []string{""}})
	require.ErrorContains(t, err, "neither")
}
