package gate_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// A reset outranks what a browser remembers from before, of this study alone, and an
// opt-out outranks a reset.
func TestResetOutranksTheBrowser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		before, after := now.Add(-time.Hour), now.Add(time.Hour)
		for name, tc := range map[string]struct {
			browser gate.History
			reset   []string // studies
			was, is gate.Reason
		}{
			"declined": {gate.History{}.WithDecline(studyID, before), []string{studyID}, gate.ReasonDeclined, gate.ReasonEligible},
			"snoozed":  {gate.History{}.WithSnooze(studyID, before, now.AddDate(0, 1, 0)), []string{studyID}, gate.ReasonSnoozed, gate.ReasonEligible},
			"opened":   {gate.History{}.WithOpened(studyID, before), []string{studyID}, gate.ReasonOpened, gate.ReasonEligible},
			"seen":     {gate.History{}.WithShown(studyID, before), []string{studyID}, gate.ReasonCoolingDown, gate.ReasonEligible},
			"seen enough": {
				gate.History{}.WithShown(studyID, now.AddDate(0, 0, -4)).WithShown(studyID, now.AddDate(0, 0, -3)).WithShown(studyID, now.AddDate(0, 0, -2)),
				[]string{studyID}, gate.ReasonShownEnough, gate.ReasonEligible,
			},
			"all of these": {
				gate.History{}.WithShown(studyID, before).WithOpened(studyID, before).WithDecline(studyID, before),
				[]string{studyID}, gate.ReasonDeclined, gate.ReasonEligible,
			},
			"another study seen":   {gate.History{}.WithShown("another", before), []string{"another"}, gate.ReasonCoolingDown, gate.ReasonEligible},
			"another study opened": {gate.History{}.WithOpened("another", before), []string{"another"}, gate.ReasonCoolingDown, gate.ReasonEligible},
			"another study reset":  {gate.History{}.WithDecline(studyID, before), []string{"another"}, gate.ReasonDeclined, gate.ReasonDeclined},
			"declined since":       {gate.History{}.WithDecline(studyID, after), []string{studyID}, gate.ReasonDeclined, gate.ReasonDeclined},
			"seen before and since": {
				gate.History{}.WithShown(studyID, before).WithShown(studyID, after), []string{studyID}, gate.ReasonCoolingDown, gate.ReasonCoolingDown,
			},
			"opted out": {gate.History{}.WithOptOut(before).WithDecline(studyID, before), []string{studyID}, gate.ReasonDeclined, gate.ReasonDeclined},
		} {
			s := memstore.New()
			v := gate.Visitor{UserID: "ada", History: tc.browser}
			kept := tc.browser.Merge(gate.History{})
			g := warmGate(t, newProvider(), s, nil)
			require.Equal(t, tc.was.String(), g.Decide(t.Context(), v).Reason.String(), name)
			for _, id := range tc.reset {
				require.NoError(t, s.Reset(t.Context(), store.Key{StudyID: id, UserID: "ada"}))
			}
			require.Equal(t, tc.is.String(), g.Decide(t.Context(), v).Reason.String(), name)
			require.Equal(t, tc.is.String(), firstNo(g.Explain(t.Context(), v)).String(), name)
			require.Equal(t, tc.is.String(), gate.First(g, warmGate(t, newProvider(), memstore.New(), &gate.Options{Holdout: 1})).Decide(t.Context(), v).Reason.String(), name)
			require.Equal(t, kept, v.History, "%s: the visitor's history was changed", name)
			bob := v
			bob.UserID = "bob"
			require.Equal(t, tc.was.String(), g.Decide(t.Context(), bob).Reason.String(), "%s: another user", name)
		}
	})
}

// A reset can undo every refusal that the browser knows a reason for, so each of them
// costs the look-up that an invitation costs, and none while that is cached.
func TestOneRoundTripForARefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		before := time.Now().Add(-time.Hour)
		for name, h := range map[string]gate.History{
			"declined": gate.History{}.WithDecline(studyID, before), "seen": gate.History{}.WithShown(studyID, before), "opened": gate.History{}.WithOpened(studyID, before),
		} {
			w := &watched{Store: memstore.New()}
			g := warmGate(t, newProvider(), store.NewCached(w, nil), nil)
			require.True(t, g.Decide(t.Context(), ada).Ask(), "reads the switches")
			w.trips.Store(0)
			for range 3 {
				require.False(t, g.Decide(t.Context(), gate.Visitor{UserID: "bob", History: h}).Ask(), name)
			}
			require.EqualValues(t, 1, w.trips.Load(), name)
		}
	})
}

// Gates of one group may have stores of their own: what one has reset, another has not.
func TestResetIsTheStoresOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one, two := memstore.New(), memstore.New()
		group := gate.First(
			warmGate(t, newProvider(), one, &gate.Options{Holdout: 1}), // asks nobody
			warmGate(t, newProvider(), two, nil),
		)
		v := gate.Visitor{UserID: "ada", History: gate.History{}.WithDecline(studyID, time.Now().Add(-time.Hour))}
		require.NoError(t, one.Reset(t.Context(), store.Key{StudyID: studyID, UserID: "ada"}))
		e := group.Explain(t.Context(), v)
		declined := map[bool]int{}
		for _, r := range e {
			if r.Check == "not declined" {
				declined[r.Pass]++
			}
		}
		require.Equal(t, map[bool]int{true: 1, false: 1}, declined)
		require.NoError(t, two.Reset(t.Context(), store.Key{StudyID: studyID, UserID: "ada"}))
		require.True(t, group.Decide(t.Context(), v).Ask())
	})
}
