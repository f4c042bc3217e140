package gate_test

import (
	"context"
	"errors"
	"go/parser"
	"go/token"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

func TestTroubleIsUnavailable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		hang := func(ctx context.Context, _ store.Key) (bool, error) {
			time.Sleep(time.Minute) // ignores its context
			return false, nil
		}
		for name, tc := range map[string]struct {
			done   completions
			target func(context.Context, gate.Visitor) bool
			is     error
		}{
			"store fails":  {done: func(context.Context, store.Key) (bool, error) { return false, boom }, is: boom},
			"store panics": {done: func(context.Context, store.Key) (bool, error) { panic("lost") }},
			"store hangs":  {done: hang, is: context.DeadlineExceeded},
			"store hangs after a slow target": {
				done: hang, target: func(context.Context, gate.Visitor) bool { time.Sleep(100 * time.Millisecond); return true }, is: context.DeadlineExceeded,
			},
			"target panics": {done: nobodyCompleted, target: func(context.Context, gate.Visitor) bool { panic("lost") }},
		} {
			g := warmGate(t, newProvider(), tc.done, &gate.Options{Target: tc.target})
			began := time.Now()
			d := g.Decide(t.Context(), gate.Visitor{UserID: "ada-lovelace"})
			require.Equal(t, gate.ReasonUnavailable, d.Reason, name)
			require.False(t, d.Ask(), name)
			require.Error(t, d.Err, name)
			require.NotContains(t, d.Err.Error(), "ada", name)
			if tc.is != nil {
				require.ErrorIs(t, d.Err, tc.is, name)
			}
			require.LessOrEqual(t, time.Since(began), 150*time.Millisecond, name)
		}
		time.Sleep(2 * time.Minute) // the store that hung returns, and its goroutine ends
	})
}

// What the app's own rules take counts, and a store that could answer only too
// late is not asked.
func TestNoTimeLeftForTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := warmGate(t, newProvider(), completions(func(context.Context, store.Key) (bool, error) {
			t.Error("the store was asked")
			return false, nil
		}), &gate.Options{Target: func(context.Context, gate.Visitor) bool { time.Sleep(150 * time.Millisecond); return true }})
		require.ErrorIs(t, g.Decide(t.Context(), ada).Err, context.DeadlineExceeded)
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

// A store that never answers is asked by a bounded number of goroutines.
func TestLookUpsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		release := make(chan struct{})
		g := warmGate(t, newProvider(), completions(func(context.Context, store.Key) (bool, error) {
			asked.Add(1)
			<-release
			return false, nil
		}), nil)
		for i := range 2000 {
			go g.Decide(t.Context(), gate.Visitor{UserID: user(i)})
		}
		time.Sleep(time.Second)
		require.EqualValues(t, 256, asked.Load())
		close(release)
		synctest.Wait()
		require.Equal(t, gate.ReasonEligible, g.Decide(t.Context(), gate.Visitor{UserID: "ada"}).Reason)
	})
}

// The store's answer does not hang on the request: a browser that leaves would
// otherwise close a pooled connection in mid-query.
func TestStoreIsAskedOnADetachedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), detachedKey{}, "kept"))
	cancel()
	g := warmGate(t, newProvider(), completions(func(ctx context.Context, _ store.Key) (bool, error) {
		_, has := ctx.Deadline()
		return !has || ctx.Value(detachedKey{}) != "kept", ctx.Err()
	}), &gate.Options{Timeout: 5 * time.Second})
	require.Equal(t, gate.ReasonEligible, g.Decide(ctx, gate.Visitor{UserID: "ada"}).Reason)
}

type detachedKey struct{}

// An answer that is there is used, however the goroutines that bring it are
// scheduled.
func TestNoAnswerOfTheStoreIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // where no time passes, so no deadline can be missed
		g := warmGate(t, newProvider(), nobodyCompleted, nil)
		var all sync.WaitGroup
		var lost atomic.Int32
		for range 8 {
			all.Go(func() {
				for range fewer(12_000) {
					if !g.Decide(t.Context(), ada).Ask() {
						lost.Add(1)
					}
				}
			})
		}
		all.Wait()
		require.Zero(t, lost.Load())
	})
}

// peeking is a store that answers from memory what it can.
type peeking struct {
	completions
	completed, known bool
}

func (p peeking) Peek(store.Key) (bool, bool) { return p.completed, p.known }

func TestPeek(t *testing.T) {
	t.Parallel()
	never := completions(func(context.Context, store.Key) (bool, error) { return false, errors.New("asked") })
	for _, tc := range []struct {
		done peeking
		is   gate.Reason
	}{
		{peeking{never, true, true}, gate.ReasonCompleted},
		{peeking{never, false, true}, gate.ReasonEligible},
		{peeking{never, true, false}, gate.ReasonUnavailable},
	} {
		g := warmGate(t, newProvider(), tc.done, nil)
		require.Equal(t, tc.is, g.Decide(t.Context(), gate.Visitor{UserID: "ada"}).Reason)
	}
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
