package gate_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/userjourneys"
)

func TestOnDecision(t *testing.T) {
	t.Parallel()
	var told []gate.Reason
	opts := &gate.Options{OnDecision: func(_ context.Context, v gate.Visitor, d gate.Decision) {
		told = append(told, d.Reason)
	}}
	g := warmGate(t, newProvider(), nobodyCompleted, opts)
	opts.OnDecision = nil // options are copied
	g.Decide(t.Context(), gate.Visitor{UserID: "ada"})
	g.Confirm(t.Context(), gate.Visitor{})
	g.Explain(t.Context(), gate.Visitor{UserID: "ada"})
	require.Equal(t, []gate.Reason{gate.ReasonEligible, gate.ReasonAnonymous}, told)
}

func TestDecisionsNameTheStudy(t *testing.T) {
	t.Parallel()
	gone := userjourneys.ErrNotFound
	for _, tc := range []struct {
		name    string
		opts    gate.Options
		first   error // of the provider, at the warming
		then    error // and afterwards
		visitor gate.Visitor
		reason  gate.Reason
		study   string
	}{
		{name: "an invitation", visitor: ada, reason: gate.ReasonEligible, study: studyID},
		{name: "nobody", reason: gate.ReasonAnonymous, study: studyID},
		{name: "an id that cannot be used", visitor: gate.Visitor{UserID: "a\x00"}, reason: gate.ReasonUnavailable, study: studyID},
		{name: "a holdout", opts: gate.Options{Holdout: 1}, visitor: ada, reason: gate.ReasonHeldOut, study: studyID},
		{name: "another study", visitor: gate.Visitor{UserID: "ada", StudyID: "x"}, reason: gate.ReasonExcluded, study: studyID},
		{name: "a target that panics", opts: gate.Options{Target: func(context.Context, gate.Visitor) bool { panic("lost") }}, visitor: ada, study: studyID},
		{name: "nobody, before the first answer", first: context.DeadlineExceeded, reason: gate.ReasonAnonymous, study: studyName},
		{name: "no answer yet", first: context.DeadlineExceeded, visitor: ada, study: studyName},
		{name: "no such study", first: gone, visitor: ada, reason: gate.ReasonClosed, study: studyName},
		{name: "a study that is gone", then: gone, visitor: ada, reason: gate.ReasonClosed, study: studyID},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newProvider()
				p.fail(tc.first)
				var told []string
				opts := tc.opts
				opts.Logger = discard
				opts.OnDecision = func(_ context.Context, _ gate.Visitor, d gate.Decision) { told = append(told, d.StudyID) }
				g, err := gate.New(p, studyName, nobodyCompleted, &opts)
				require.NoError(t, err)
				_ = g.Warm(t.Context())
				if tc.then != nil {
					p.fail(tc.then)
					time.Sleep(time.Hour)
				}
				for range 2 {
					d := g.Decide(t.Context(), tc.visitor)
					require.Equal(t, tc.reason, d.Reason, "%v", d.Err)
					require.Equal(t, tc.study, d.StudyID)
				}
				require.Equal(t, []string{tc.study, tc.study}, told)
				require.Equal(t, tc.study, g.Confirm(t.Context(), tc.visitor).StudyID)
			})
		})
	}
}

// Metrics that break cost a prompt, and no page.
func TestOnDecisionPanics(t *testing.T) {
	t.Parallel()
	g := warmGate(t, newProvider(), nobodyCompleted, &gate.Options{
		OnDecision: func(context.Context, gate.Visitor, gate.Decision) { panic("lost") },
	})
	d := g.Decide(t.Context(), ada)
	require.False(t, d.Ask())
	require.Equal(t, gate.ReasonUnavailable, d.Reason)
	require.Zero(t, d.Prompt)
	require.Equal(t, studyID, d.StudyID)
	require.EqualError(t, d.Err, "gate: Options.OnDecision: panic: string", "what was thrown may hold anything")
}

// A target that panics is a decision too, of which metrics hear.
func TestOnDecisionHearsOfPanics(t *testing.T) {
	t.Parallel()
	var told []gate.Reason
	g := warmGate(t, newProvider(), nobodyCompleted, &gate.Options{
		Target:     func(context.Context, gate.Visitor) bool { panic("lost") },
		OnDecision: func(_ context.Context, _ gate.Visitor, d gate.Decision) { told = append(told, d.Reason) },
	})
	g.Decide(t.Context(), ada)
	require.Equal(t, []gate.Reason{gate.ReasonUnavailable}, told)
}

func TestReasonNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for r := gate.ReasonUnavailable; r <= gate.ReasonPaused; r++ {
		require.Regexp(t, `^[a-z_]+$`, r.String())
		require.False(t, seen[r.String()])
		seen[r.String()] = true
	}
	require.Len(t, seen, 16)
	require.Equal(t, "unknown", (gate.ReasonPaused + 1).String())
	require.Equal(t, gate.ReasonUnavailable, gate.Decision{}.Reason)
}

func TestReasonsReadInJSON(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(gate.Decision{Reason: gate.ReasonHeldOut})
	require.NoError(t, err)
	require.Contains(t, string(got), `"Reason":"held_out"`)
}
