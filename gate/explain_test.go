package gate_test

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/userjourneys"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	p := newProvider()
	p.places(0)
	g := warmGate(t, p, nobodyCompleted, nil)
	got := g.Explain(t.Context(), gate.Visitor{UserID: "ada", History: gate.History{}.WithDecline(studyID, time.Now())})
	require.Equal(t, `Onboarding Feedback
  signed in: pass
  valid user id: pass
  accepted by Target: pass
  study requested: pass
  language supported: pass
  not held out: pass
  not opted out: pass
  not declined: fail (declined)
  not snoozed: pass
  not opened recently: pass
  not shown enough: pass
  not shown recently: pass
  no other study recently: pass
  study active: pass
  places left: fail (full)
  not paused: pass
  within pacing: pass
  not completed: pass
`, got.String())
}

// The invitations to a study without places are not counted: the provider does not say
// since when they would count.
func TestExplainDoesNotPaceAClosedStudy(t *testing.T) {
	t.Parallel()
	var counted atomic.Bool
	w := &watched{Store: memstore.New(), trouble: func(what string) error {
		if what == "Funnel" {
			counted.Store(true)
		}
		return nil
	}}
	p := newProvider()
	p.study.AcceptingResponses = false
	g := warmGate(t, p, w, &gate.Options{ExpectedUptake: 0.05, ConfirmTimeout: time.Minute})
	require.Equal(t, gate.ReasonFull, firstNo(g.Explain(t.Context(), ada)))
	require.False(t, counted.Load())
}

func TestExplainNobody(t *testing.T) {
	t.Parallel()
	asked := false
	p := newProvider()
	g := newGate(t, p, nobodyCompleted, &gate.Options{Target: func(context.Context, gate.Visitor) bool { asked = true; return true }})
	for _, id := range []string{"", "a\x00"} {
		all := g.Explain(t.Context(), gate.Visitor{UserID: id})
		require.Equal(t, g.Decide(t.Context(), gate.Visitor{UserID: id}).Reason, firstNo(all))
		require.Contains(t, all.String(), "not completed: unknown (there is no user)")
	}
	require.False(t, asked, "Decide never asks the target about nobody")
	require.Zero(t, p.count())
}

func firstNo(all gate.Explanation) gate.Reason {
	for _, v := range all {
		if !v.Pass {
			return v.Reason
		}
	}
	return gate.ReasonEligible
}

// Explain leaves everything as it was: no slot is taken, and no answer that can
// still be used is fetched anew.
func TestExplainWritesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.places(1)
		g := warmGate(t, p, nobodyCompleted, &gate.Options{ExpectedUptake: 1})
		time.Sleep(10 * time.Minute) // stale, and usable
		for i := range 5 {
			require.Equal(t, gate.ReasonEligible, firstNo(g.Explain(t.Context(), gate.Visitor{UserID: user(i)})))
		}
		synctest.Wait()
		require.Equal(t, 1, p.count())
		require.True(t, g.Decide(t.Context(), gate.Visitor{UserID: user(7)}).Ask())
		require.Equal(t, gate.ReasonPaced, firstNo(g.Explain(t.Context(), gate.Visitor{UserID: user(8)})))
	})
}

func TestExplainWithoutProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.hang(time.Hour)
		g := newGate(t, p, nobodyCompleted, nil)
		began := time.Now()
		all := g.Explain(t.Context(), gate.Visitor{UserID: "ada", History: gate.History{}.WithOptOut(time.Now())})
		require.LessOrEqual(t, time.Since(began), 3*time.Second)
		require.Equal(t, gate.ReasonDeclined, firstNo(all))
		require.Contains(t, all.String(), "study active: unknown")
		require.Contains(t, all.String(), "not opted out: fail (declined)")
		require.NotContains(t, all.String(), "ada")
		time.Sleep(time.Minute)
	})
}

// Whoever asks why has more time than a page.
func TestExplainWaitsForTheFirstAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.hang(time.Second)
		require.Equal(t, gate.ReasonEligible, firstNo(newGate(t, p, nobodyCompleted, nil).Explain(t.Context(), ada)))
	})
}

// Of a study that nobody has ever seen the store is not asked.
func TestExplainMissingStudy(t *testing.T) {
	t.Parallel()
	p := newProvider()
	p.fail(userjourneys.ErrNotFound)
	g := warmGate(t, p, completions(func(context.Context, store.Key) (bool, error) {
		t.Error("the store was asked")
		return false, nil
	}), nil)
	all := g.Explain(t.Context(), ada)
	require.Equal(t, gate.ReasonClosed, firstNo(all))
	require.Contains(t, all.String(), "not declined: unknown (no study has this id or name)\n")
	require.Contains(t, all.String(), "study active: fail (closed); no active study has this id or name\n")
}

// A study that is gone has no place, whatever was last heard of its limits.
func TestExplainStudyThatIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		g := warmGate(t, p, nobodyCompleted, nil)
		p.fail(userjourneys.ErrNotFound)
		time.Sleep(11 * time.Second)
		require.Equal(t, gate.ReasonClosed, g.Confirm(t.Context(), ada).Reason)
		require.Contains(t, g.Explain(t.Context(), ada).String(), "study active: fail (closed); no active study has this id or name\n  places left: fail (full)\n")
	})
}

// listing is a provider that can name its studies.
type listing struct{ *provider }

func (listing) Studies(context.Context) iter.Seq2[userjourneys.Study, error] {
	return func(yield func(userjourneys.Study, error) bool) {
		_ = yield(userjourneys.Study{Name: "Onboarding Feedback"}, nil) && yield(userjourneys.Study{Name: "Pricing"}, nil)
	}
}

func TestExplainNamesTheStudiesThereAre(t *testing.T) {
	t.Parallel()
	p := newProvider()
	p.fail(userjourneys.ErrNotFound)
	g := warmGate(t, listing{p}, nobodyCompleted, nil)
	require.Contains(t, g.Explain(t.Context(), ada).String(),
		"study active: fail (closed); no active study has this id or name; there are: Onboarding Feedback, Pricing\n")
}

func TestExplainSaysWhichLanguageIsMissing(t *testing.T) {
	t.Parallel()
	g := warmGate(t, newProvider(), nobodyCompleted, nil)
	explain := func(languages ...string) string {
		return g.Explain(t.Context(), gate.Visitor{UserID: "ada", Languages: languages}).String()
	}
	require.Contains(t, explain("nl-NL"), "language supported: pass; the study supports en, de, no, not nl-NL\n")
	require.Contains(t, explain("de-AT", "en"), "language supported: pass; the interview can be in de\n")
}
