package gate_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

func studyGate(t *testing.T, id string, opts *gate.Options) (*provider, *gate.Gate) {
	p := newProvider()
	p.study.ID = id
	return p, warmGate(t, p, memstore.New(), opts)
}

func TestFirst(t *testing.T) {
	t.Parallel()
	_, a := studyGate(t, "a", nil)
	_, b := studyGate(t, "b", nil)
	_, never := studyGate(t, "c", &gate.Options{Target: func(context.Context, gate.Visitor) bool { return false }})
	now := time.Now()
	both := gate.First(never, a, b)

	d := both.Decide(t.Context(), ada)
	require.Equal(t, "a", d.Prompt.StudyID, "by priority")
	d = both.Decide(t.Context(), gate.Visitor{UserID: "ada", History: gate.History{}.WithDecline("a", time.Now())})
	require.Equal(t, "b", d.Prompt.StudyID)
	d = both.Decide(t.Context(), gate.Visitor{UserID: "ada", History: gate.History{}.WithShown("a", now.Add(-time.Hour))})
	require.Equal(t, gate.ReasonCoolingDown, d.Reason, "the pause after one study's prompt is the other's too")
	d = both.Decide(t.Context(), gate.Visitor{UserID: "ada", History: gate.History{}.WithDecline("a", time.Now()).WithSnooze("b", now, now.Add(time.Hour))})
	require.Equal(t, gate.ReasonDeclined, d.Reason, "that of the first gate that does not exclude her")
	require.Equal(t, gate.ReasonExcluded, gate.First(never).Decide(t.Context(), ada).Reason)
	require.Equal(t, gate.ReasonAnonymous, both.Decide(t.Context(), gate.Visitor{}).Reason)
	require.Equal(t, gate.ReasonClosed, gate.First().Decide(t.Context(), ada).Reason)
	require.PanicsWithValue(t, "gate: First: a gate is nil", func() { gate.First(a, nil) })
}

// A group returns the study of the gate whose decision it returns, and each gate
// reports its own.
func TestDecisionsOfAGroupNameTheStudy(t *testing.T) {
	t.Parallel()
	var told []string
	note := func(_ context.Context, _ gate.Visitor, d gate.Decision) {
		told = append(told, d.StudyID+" "+d.Reason.String())
	}
	nobody := func(context.Context, gate.Visitor) bool { return false }
	_, a := studyGate(t, "a", &gate.Options{OnDecision: note, Target: nobody})
	_, b := studyGate(t, "b", &gate.Options{OnDecision: note})
	_, c := studyGate(t, "c", &gate.Options{OnDecision: note, Target: nobody})
	all := gate.First(a, b, c)
	_, l := studyGate(t, "l", &gate.Options{OnDecision: note, RequireLanguage: true})
	for _, tc := range []struct {
		group   *gate.Group
		visitor gate.Visitor
		study   string
		told    []string
	}{
		{all, ada, "b", []string{"a excluded", "b eligible"}},
		{all, gate.Visitor{UserID: "ada", History: gate.History{}.WithDecline("b", time.Now())}, "b", []string{"a excluded", "b declined", "c excluded"}},
		{all, gate.Visitor{UserID: "ada", StudyID: "c"}, "c", []string{"c excluded"}},
		{all, gate.Visitor{}, "a", []string{"a anonymous", "b anonymous", "c anonymous"}},
		{gate.First(c, a), ada, "c", []string{"c excluded", "a excluded"}},
		{gate.First(l, a), gate.Visitor{UserID: "ada", Languages: []string{"ja"}}, "l", []string{"l language", "a excluded"}},
		{gate.First(l, b), gate.Visitor{UserID: "ada", Languages: []string{"ja"}, History: gate.History{}.WithDecline("b", time.Now())}, "b", []string{"l language", "b declined"}},
		{gate.First(), ada, "", nil},
	} {
		told = nil
		require.Equal(t, tc.study, tc.group.Decide(t.Context(), tc.visitor).StudyID)
		require.Equal(t, tc.told, told)
	}
}

// TestTargetOfSeveralStudies shares one Target between two studies, each on a page of
// its own.
func TestTargetOfSeveralStudies(t *testing.T) {
	t.Parallel()
	opts := &gate.Options{Target: func(_ context.Context, v gate.Visitor) bool {
		return v.StudyID == map[string]string{"/dashboard": "a", "/reports": "b"}[v.Path]
	}}
	gates := make([]*gate.Gate, 2)
	for n, id := range []string{"a", "b"} {
		p := newProvider()
		p.study.ID, p.study.Name = id, "Study "+id
		g, err := gate.New(p, id, memstore.New(), opts)
		require.NoError(t, err)
		require.NoError(t, g.Warm(t.Context()))
		gates[n] = g
	}
	both := gate.First(gates...)
	for path, want := range map[string]string{"/dashboard": "a", "/reports": "b", "/": ""} {
		require.Equal(t, want, both.Decide(t.Context(), gate.Visitor{UserID: "ada", Path: path}).Prompt.StudyID, path)
		require.Equal(t, want == "b", both.Decide(t.Context(), gate.Visitor{UserID: "ada", Path: path, StudyID: "b"}).Ask(), path)
	}
}

func TestFirstConfirmsTheClickedStudyAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pa, a := studyGate(t, "a", nil)
		pb, b := studyGate(t, "b", nil)
		both := gate.First(a, b)
		time.Sleep(time.Minute)
		d := both.Confirm(t.Context(), gate.Visitor{UserID: "ada", StudyID: "b"})
		require.Equal(t, "b", d.Prompt.StudyID)
		require.Equal(t, 1, pa.count())
		require.Equal(t, 2, pb.count())
		time.Sleep(time.Minute)
		pb.places(0)
		require.Equal(t, gate.ReasonFull, both.Confirm(t.Context(), gate.Visitor{UserID: "ada", StudyID: "b"}).Reason, "and never another")
		require.Equal(t, gate.ReasonExcluded, both.Confirm(t.Context(), gate.Visitor{UserID: "ada", StudyID: "x"}).Reason)
	})
}

// A link that an app writes by hand names the study as its configuration does.
func TestVisitorNamesTheStudyAsItsGateDoes(t *testing.T) {
	t.Parallel()
	for _, warm := range []bool{false, true} {
		_, a := studyGate(t, "a", &gate.Options{OnDecision: func(context.Context, gate.Visitor, gate.Decision) { t.Error("a was asked") }})
		p := newProvider()
		p.study.ID = "b"
		b, err := gate.New(p, "Checkout", nobodyCompleted, &gate.Options{Logger: discard})
		require.NoError(t, err)
		if warm {
			require.NoError(t, b.Warm(t.Context()))
		}
		both := gate.First(a, b)
		v := gate.Visitor{UserID: "ada", StudyID: "Checkout"}
		require.Equal(t, "b", both.Confirm(t.Context(), v).Prompt.StudyID)
		require.Equal(t, "b", both.Decide(t.Context(), v).Prompt.StudyID)
		v.StudyID = "b"
		require.Equal(t, "b", both.Confirm(t.Context(), v).Prompt.StudyID, "by id too")
	}
}

// Several providers that hang cost a page no more than one.
func TestFirstHasOneTimeLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gates []*gate.Gate
		for range 5 {
			p := newProvider()
			p.hang(time.Hour)
			gates = append(gates, newGate(t, p, nobodyCompleted, nil))
		}
		began := time.Now()
		require.Equal(t, gate.ReasonUnavailable, gate.First(gates...).Decide(t.Context(), ada).Reason)
		require.Equal(t, 150*time.Millisecond, time.Since(began))
		time.Sleep(time.Minute)
	})
}

// A provider that is down does not hold up the next study.
func TestFirstGoesPastTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.fail(context.DeadlineExceeded)
		down := newGate(t, p, nobodyCompleted, nil)
		_, b := studyGate(t, "b", nil)
		require.Equal(t, "b", gate.First(down, b).Decide(t.Context(), ada).Prompt.StudyID)
	})
}

// The study that was clicked is its own gate's business, even before that has
// heard of the provider: no other gate decides, or counts.
func TestFirstLeavesTheStudyToItsGate(t *testing.T) {
	t.Parallel()
	_, a := studyGate(t, "a", &gate.Options{OnDecision: func(context.Context, gate.Visitor, gate.Decision) { t.Error("a was asked") }})
	p := newProvider()
	p.study.ID = "b"
	cold, err := gate.New(p, "b", nobodyCompleted, &gate.Options{Logger: discard})
	require.NoError(t, err)
	both := gate.First(a, cold)
	for range 2 {
		require.Equal(t, "b", both.Confirm(t.Context(), gate.Visitor{UserID: "ada", StudyID: "b"}).Prompt.StudyID)
	}
}

// The gates of a group share what they read, but not their cool-downs.
func TestCoolDownOfALaterGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &watched{Store: memstore.New()}
		p := newProvider()
		p.study.ID = "first"
		p.places(1)
		first := warmGate(t, p, w, &gate.Options{CoolDown: time.Hour, ExpectedUptake: 1})
		last := warmGate(t, newProvider(), w, nil)
		note(t, w, "bob", "first", store.InteractionShown, time.Now())
		_, err := w.Record(t.Context(), store.Completion{Key: store.Key{StudyID: "another", UserID: "ada"}, InterviewID: "i", CompletedAt: time.Now().Add(-2 * time.Hour)})
		require.NoError(t, err)
		require.False(t, gate.First(first, last).Decide(t.Context(), ada).Ask())
		require.Equal(t, gate.ReasonPaced, first.Decide(t.Context(), ada).Reason)
		require.Equal(t, gate.ReasonCoolingDown, last.Decide(t.Context(), ada).Reason)
	})
}

// Of two gates for one study, the one that did not invite has no say at the click.
func TestGroupConfirmsWhatAnyGateInvitedTo(t *testing.T) {
	t.Parallel()
	staff := warmGate(t, newProvider(), nobodyCompleted, &gate.Options{Target: func(_ context.Context, v gate.Visitor) bool { return v.UserID == "staff" }})
	customers := warmGate(t, newProvider(), nobodyCompleted, nil)
	both := gate.First(staff, customers)
	d := both.Decide(t.Context(), gate.Visitor{UserID: "ada", StudyID: studyID})
	require.True(t, d.Ask())
	require.True(t, both.Confirm(t.Context(), gate.Visitor{UserID: "ada", StudyID: studyID}).Ask())
}

func TestGroupIsWarmedAndExplainedAsAWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pa, pb := newProvider(), newProvider()
		pa.study.ID, pa.study.Name = "a", "Checkout"
		pb.study.ID = "b"
		pa.hang(time.Second)
		pb.hang(time.Second)
		both := gate.First(newGate(t, pa, nobodyCompleted, nil), newGate(t, pb, nobodyCompleted, nil))
		_, ok := both.Age()
		require.False(t, ok)
		began := time.Now()
		require.NoError(t, both.Warm(t.Context()))
		require.Equal(t, time.Second, time.Since(began))
		age, ok := both.Age()
		require.True(t, ok)
		require.Equal(t, time.Second, age)

		all := both.Explain(t.Context(), gate.Visitor{UserID: "ada", History: gate.History{}.WithDecline("b", time.Now())})
		require.Len(t, all, 36)
		require.Equal(t, "Checkout", all[0].Study)
		require.Contains(t, all.String(), "Checkout\n  signed in: pass\n")
		require.Contains(t, all.String(), studyName+"\n  signed in: pass\n")
		require.Contains(t, all.String(), "not declined: fail (declined)")

		time.Sleep(time.Minute)
		both.Recorded(t.Context(), store.Completion{Key: store.Key{StudyID: "b"}})
		both.Decide(t.Context(), gate.Visitor{UserID: "ada", History: gate.History{}.WithDecline("a", time.Now())})
		synctest.Wait()
		require.Equal(t, 1, pa.count())
		require.Equal(t, 2, pb.count())
		time.Sleep(time.Second)

		pa.fail(errors.New("trouble"))
		require.ErrorContains(t, gate.First(newGate(t, pa, nobodyCompleted, nil)).Warm(t.Context()), "trouble")
	})
}
