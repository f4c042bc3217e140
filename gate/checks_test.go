package gate_test

import (
	"context"
	"go/parser"
	"go/token"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// A visitor to whom every check says no is mended check by check: the reason
// must always be that of the first check that still says no.
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testOrderOfChecks)
}

func testOrderOfChecks(t *testing.T) {
	now := time.Now()
	type world struct {
		visitor   gate.Visitor
		opts      gate.Options
		target    bool
		missing   bool
		places    int
		crowded   bool // somebody else was invited to the only place
		completed bool
	}
	w := world{
		visitor: gate.Visitor{
			StudyID: "another", Languages: []string{"ja"},
			History: gate.History{}.WithShown(studyID, now).WithOpened(studyID, now).WithSnooze(studyID, now, now.Add(time.Hour)).WithDecline(studyID, time.Now()).WithOptOut(time.Now()),
		},
		opts: gate.Options{
			Holdout: 1, RequireLanguage: true, MaxShowings: 1, Linger: -1, ShowingPause: time.Hour, CoolDown: 2 * time.Hour,
			ExpectedUptake: 1,
		},
		missing: true, crowded: true, completed: true,
	}
	steps := []struct {
		no   gate.Reason
		mend func(w *world)
	}{
		{gate.ReasonAnonymous, func(w *world) { w.visitor.UserID = "bad\x00id" }},
		{gate.ReasonUnavailable, func(w *world) { w.visitor.UserID = "ada" }},
		{gate.ReasonExcluded, func(w *world) { w.target = true }},
		{gate.ReasonExcluded, func(w *world) { w.visitor.StudyID = "" }},
		{gate.ReasonLanguage, func(w *world) { w.visitor.Languages = []string{"nb"} }},
		{gate.ReasonHeldOut, func(w *world) { w.opts.Holdout = 0 }},
		{gate.ReasonDeclined, func(w *world) {
			w.visitor.History = gate.History{}.WithShown(studyID, now).WithOpened(studyID, now).WithSnooze(studyID, now, now.Add(time.Hour)).WithDecline(studyID, time.Now())
		}},
		{gate.ReasonDeclined, func(w *world) {
			w.visitor.History = gate.History{}.WithShown(studyID, now).WithOpened(studyID, now).WithSnooze(studyID, now, now.Add(time.Hour))
		}},
		{gate.ReasonSnoozed, func(w *world) { w.visitor.History = gate.History{}.WithShown(studyID, now).WithOpened(studyID, now) }},
		{gate.ReasonOpened, func(w *world) { w.visitor.History = gate.History{}.WithShown(studyID, now) }},
		{gate.ReasonShownEnough, func(w *world) { w.opts.MaxShowings = 2 }},
		{gate.ReasonCoolingDown, func(w *world) { w.visitor.History = gate.History{}.WithShown(studyID, now.Add(-90*time.Minute)) }},
		{gate.ReasonCoolingDown, func(w *world) { w.visitor.History = gate.History{} }},
		{gate.ReasonClosed, func(w *world) { w.missing = false }},
		{gate.ReasonFull, func(w *world) { w.places = 1 }},
		{gate.ReasonPaced, func(w *world) { w.crowded = false }},
		{gate.ReasonCompleted, func(w *world) { w.completed = false }},
		{gate.ReasonEligible, nil},
	}
	for i, step := range steps {
		p := newProvider()
		p.places(w.places)
		done := completions(func(_ context.Context, k store.Key) (bool, error) { return w.completed && k.UserID == "ada", nil })
		opts := w.opts
		opts.Target = func(_ context.Context, v gate.Visitor) bool { return w.target || v.UserID == "x" }
		g := warmGate(t, p, done, &opts)
		if w.missing { // once the gate has learnt which study it is
			p.fail(userjourneys.ErrNotFound)
			time.Sleep(11 * time.Second)
			require.Equal(t, gate.ReasonClosed, g.Confirm(t.Context(), gate.Visitor{UserID: "x"}).Reason)
		}
		if w.crowded {
			g.Decide(t.Context(), gate.Visitor{UserID: "x", Languages: []string{"nb"}})
		}
		d := g.Decide(t.Context(), w.visitor)
		require.Equal(t, step.no.String(), d.Reason.String(), "step %d", i)
		require.Equal(t, step.no == gate.ReasonEligible, d.Ask())
		require.Equal(t, step.no == gate.ReasonUnavailable, d.Err != nil)

		// Explain agrees: its first check that does not pass is the reason.
		all := g.Explain(t.Context(), w.visitor)
		first := gate.ReasonEligible
		for _, v := range all {
			if !v.Pass {
				first = v.Reason
				break
			}
		}
		require.Equal(t, step.no.String(), first.String(), "step %d:\n%s", i, all)
		require.Len(t, all, 18)
		if step.mend != nil {
			step.mend(&w)
		}
	}
}

// Whoever the app's own rules turn away costs the provider no request, and
// waits for nothing, even on a cold start with the provider down.
func TestAppRulesNeedNoProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		p.hang(time.Hour)
		g := newGate(t, p, nobodyCompleted, &gate.Options{Target: func(context.Context, gate.Visitor) bool { return false }})
		began := time.Now()
		require.Equal(t, gate.ReasonAnonymous, g.Decide(t.Context(), gate.Visitor{}).Reason)
		require.Equal(t, gate.ReasonExcluded, g.Decide(t.Context(), gate.Visitor{UserID: "ada"}).Reason)
		require.Equal(t, gate.ReasonAnonymous, g.Confirm(t.Context(), gate.Visitor{}).Reason)
		require.Zero(t, time.Since(began))
		require.Zero(t, p.count())
	})
}

// Which study it is does not age: long after the last answer, sample and
// history still have their say, without a request.
func TestStudyRulesOutliveCapacity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newProvider()
		g := warmGate(t, p, nobodyCompleted, &gate.Options{Holdout: 0.5})
		p.hang(time.Hour)
		time.Sleep(time.Hour)
		calls := p.count()
		began := time.Now()
		counts := map[gate.Reason]int{}
		for i := range 100 {
			counts[g.Decide(t.Context(), gate.Visitor{UserID: user(i), History: gate.History{}.WithDecline(studyID, time.Now())}).Reason]++
		}
		require.Equal(t, 100, counts[gate.ReasonHeldOut]+counts[gate.ReasonDeclined])
		require.NotZero(t, counts[gate.ReasonHeldOut])
		require.NotZero(t, counts[gate.ReasonDeclined])
		require.Zero(t, time.Since(began))
		require.Equal(t, calls, p.count())
	})
}

// Questions are used again, and remember nobody meanwhile.
func TestVisitorIsForgotten(t *testing.T) {
	t.Parallel()
	g := warmGate(t, newProvider(), nobodyCompleted, nil)
	decide := func() weak.Pointer[string] {
		languages := []string{"de"}
		require.True(t, g.Decide(t.Context(), gate.Visitor{UserID: "ada", Languages: languages}).Ask())
		return weak.Make(&languages[0])
	}
	kept := decide()
	runtime.GC()
	require.Nil(t, kept.Value())
}

func TestConfirmIgnoresWhatAClickSettles(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := newProvider()
	completed := false
	g := warmGate(t, p, completions(func(context.Context, store.Key) (bool, error) { return completed, nil }),
		&gate.Options{
			Holdout: 1, RequireLanguage: true, MaxShowings: 1, Fresh: time.Nanosecond,
			Target: func(_ context.Context, v gate.Visitor) bool {
				require.NotEqual(t, gate.OccasionClick, v.Occasion, "Target may go by the page, which a click has none of")
				return true
			},
		})
	v := gate.Visitor{UserID: "ada", StudyID: studyID, Languages: []string{"en"}, History: gate.History{}.WithShown(studyID, now).WithSnooze(studyID, now, now.Add(time.Hour)).WithOpened(studyID, now).WithDecline(studyID, time.Now())}
	require.Equal(t, gate.ReasonHeldOut, g.Decide(t.Context(), v).Reason)
	d := g.Confirm(t.Context(), v)
	require.True(t, d.Ask(), "%v", d)
	require.Equal(t, store.Key{StudyID: studyID, UserID: "ada"}, d.Prompt.Key())

	v.StudyID = "another"
	require.Equal(t, gate.ReasonExcluded, g.Confirm(t.Context(), v).Reason)
	v.StudyID, completed = "", true
	require.Equal(t, gate.ReasonCompleted, g.Confirm(t.Context(), v).Reason)
	v.History = v.History.WithOptOut(now)
	require.Equal(t, gate.ReasonDeclined, g.Confirm(t.Context(), v).Reason, "who never wants to be asked is not sent on")
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		wanted, has string
		is          string
	}{
		{"de-AT,en", "en,de", "de"},
		{"fr,DE", "en,de", "de"},
		{"nb-NO", "en,no", "no"},
		{"nn", "no", "no"},
		{"pt-BR", "pt-PT,pt-BR", "pt-BR"},
		{"pt", "pt-PT,pt-BR", "pt-PT"},
		{"ja,en-GB", "de", "en"},
		{"ja,en_GB", "en-US", "en-US"},
		{"ja", "en,de", ""},
		{"-", "en", ""},
		{"d", "de", ""},
	} {
		p := newProvider()
		p.study.SupportedLanguages = strings.Split(tc.has, ",")
		g := warmGate(t, p, nobodyCompleted, nil)
		strict := warmGate(t, p, nobodyCompleted, &gate.Options{RequireLanguage: true})
		v := gate.Visitor{UserID: "ada"}
		if tc.wanted != "" {
			v.Languages = strings.Split(tc.wanted, ",")
		}
		d := g.Decide(t.Context(), v)
		require.True(t, d.Ask())
		require.Equal(t, tc.is, d.Prompt.Language, "%v", tc)
		require.Equal(t, tc.is, d.Prompt.LanguageFor(v.Languages...), "%v", tc)
		require.Empty(t, d.Prompt.LanguageFor(""), "%v", tc)
		if tc.is == "" {
			require.Equal(t, gate.ReasonLanguage, strict.Decide(t.Context(), v).Reason, "%v", tc)
		} else {
			require.True(t, strict.Decide(t.Context(), v).Ask(), "%v", tc)
		}
	}
}

func TestPrompt(t *testing.T) {
	t.Parallel()
	g := warmGate(t, newProvider(), nobodyCompleted, nil)
	d := g.Decide(t.Context(), gate.Visitor{UserID: "a &b=ü+", Languages: []string{"de"}})
	require.Equal(t, store.Key{StudyID: studyID, UserID: "a &b=ü+"}, d.Prompt.Key())
	require.Equal(t, studyName, d.Prompt.StudyName)
	require.Equal(t, link, d.Prompt.InterviewLink)
	require.Equal(t, "de", d.Prompt.Language)
	for base, want := range map[string]string{
		link:             link + "?reference_id=a%20%26b%3D%C3%BC%2B",
		link + "?x=1":    link + "?x=1&reference_id=a%20%26b%3D%C3%BC%2B",
		link + "?x=1#p?": link + "?x=1&reference_id=a%20%26b%3D%C3%BC%2B#p?",
	} {
		d.Prompt.InterviewLink = base
		got, err := d.Prompt.Link()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	d.Prompt.UserID = ""
	_, err := d.Prompt.Link()
	require.ErrorIs(t, err, store.ErrInvalid)
}

func TestNewReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := gate.New(newProvider(), "", nobodyCompleted, &gate.Options{
		Holdout: 10, MaxShowings: 256, ExpectedUptake: -1, LinkHosts: []string{"https://example.com"}, Timeout: -1, ConfirmTimeout: -1, Fresh: -1, Stale: -1,
	})
	require.Error(t, err)
	for _, fault := range []string{"name is empty", "Holdout is 10", "MaxShowings is 256", "ExpectedUptake is -1", "LinkHosts", "Timeout", "ConfirmTimeout", "Fresh", "Stale"} {
		require.ErrorContains(t, err, fault)
	}
	_, err = gate.New(newProvider(), "x", nobodyCompleted, &gate.Options{Fresh: time.Hour, Stale: time.Minute})
	require.ErrorContains(t, err, "Fresh is longer than Stale")
	require.PanicsWithValue(t, "gate: New: s is nil", func() { _, _ = gate.New(nil, "x", nobodyCompleted, nil) })
	require.PanicsWithValue(t, "gate: New: done is nil", func() { _, _ = gate.New(newProvider(), "x", nil, nil) })
}

// The package decides; what HTTP makes of it is the business of others.
func TestNoNetHTTP(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	files := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		files++
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			require.NoError(t, err)
			require.False(t, path == "net/http" || strings.HasPrefix(path, "net/http/"), "%s imports %s", name, path)
			require.NotContains(t, path, "askonce/webhook", name)
		}
	}
	require.Greater(t, files, 5)
}
