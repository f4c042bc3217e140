package gate_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// watched is a store that counts round trips and calls trouble before each.
type watched struct {
	*memstore.Store
	trips   atomic.Int32
	trouble func(what string) error
}

func (w *watched) trip(what string) error {
	w.trips.Add(1)
	if w.trouble != nil {
		return w.trouble(what)
	}
	return nil
}

func (w *watched) Completed(ctx context.Context, k store.Key) (bool, error) {
	if err := w.trip("Completed"); err != nil {
		return false, err
	}
	return w.Store.Completed(ctx, k)
}

func (w *watched) Person(ctx context.Context, id string) (store.Person, error) {
	if err := w.trip("Person"); err != nil {
		return store.Person{}, err
	}
	return w.Store.Person(ctx, id)
}

func (w *watched) Switches(ctx context.Context) ([]store.Switch, error) {
	if err := w.trip("Switches"); err != nil {
		return nil, err
	}
	return w.Store.Switches(ctx)
}

func (w *watched) Funnel(ctx context.Context, studyID string, from, to time.Time) ([]store.FunnelDay, error) {
	if err := w.trip("Funnel"); err != nil {
		return nil, err
	}
	return w.Store.Funnel(ctx, studyID, from, to)
}

func (w *watched) Acquire(ctx context.Context, name, holder string, lease time.Duration) (string, bool, error) {
	if err := w.trip("Acquire"); err != nil {
		return "", false, err
	}
	return w.Store.Acquire(ctx, name, holder, lease)
}

func (w *watched) Release(ctx context.Context, name, holder, state string) error {
	if err := w.trip("Release"); err != nil {
		return err
	}
	return w.Store.Release(ctx, name, holder, state)
}

func note(t *testing.T, s store.Interactions, user, study string, kind store.InteractionKind, at time.Time) {
	t.Helper()
	require.NoError(t, s.Note(t.Context(), store.Interaction{
		Key: store.Key{StudyID: study, UserID: user}, Kind: kind, At: at, Until: at.Add(7 * 24 * time.Hour),
	}))
}

// What a user has said on a laptop is heard on the phone, whose browser knows
// something else.
func TestAnswersFollowTheUser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type events func(t *testing.T, s store.Interactions, now time.Time)
		noted := func(study string, kind store.InteractionKind, ago time.Duration) events {
			return func(t *testing.T, s store.Interactions, now time.Time) { note(t, s, "ada", study, kind, now.Add(-ago)) }
		}
		now := time.Now()
		for name, tc := range map[string]struct {
			elsewhere []events
			browser   gate.History
			is        gate.Reason
			click     gate.Reason // ReasonEligible if zero
		}{
			"nothing":                        {is: gate.ReasonEligible},
			"declined elsewhere":             {elsewhere: []events{noted(studyID, store.InteractionDeclined, time.Hour)}, is: gate.ReasonDeclined},
			"snoozed elsewhere":              {elsewhere: []events{noted(studyID, store.InteractionSnoozed, time.Hour)}, is: gate.ReasonSnoozed},
			"opened elsewhere":               {elsewhere: []events{noted(studyID, store.InteractionOpened, time.Hour)}, is: gate.ReasonOpened},
			"seen elsewhere":                 {elsewhere: []events{noted(studyID, store.InteractionShown, time.Hour)}, is: gate.ReasonCoolingDown},
			"seen elsewhere a moment ago":    {elsewhere: []events{noted(studyID, store.InteractionShown, time.Minute)}, is: gate.ReasonEligible},
			"opted out elsewhere":            {elsewhere: []events{noted("", store.InteractionOptedOut, time.Hour)}, is: gate.ReasonDeclined, click: gate.ReasonDeclined},
			"another study opened elsewhere": {elsewhere: []events{noted("another", store.InteractionOpened, time.Hour)}, is: gate.ReasonCoolingDown},
			"another study declined":         {elsewhere: []events{noted("another", store.InteractionDeclined, time.Hour)}, is: gate.ReasonEligible},
			"declined here, undone elsewhere": {
				elsewhere: []events{noted(studyID, store.InteractionUndone, time.Minute)},
				browser:   gate.History{}.WithDecline(studyID, now.Add(-time.Hour)), is: gate.ReasonEligible,
			},
			"undone here, declined elsewhere later": {
				elsewhere: []events{noted(studyID, store.InteractionDeclined, time.Minute)},
				browser:   gate.History{}.WithDecline(studyID, now.Add(-2*time.Hour)).WithUndo(studyID, now.Add(-time.Hour)), is: gate.ReasonDeclined,
			},
			"opted out here, undone elsewhere": {
				elsewhere: []events{noted("", store.InteractionUndone, time.Minute)},
				browser:   gate.History{}.WithOptOut(now.Add(-time.Hour)), is: gate.ReasonEligible,
			},
			"declined here, snoozed elsewhere later": {
				elsewhere: []events{noted(studyID, store.InteractionSnoozed, time.Minute)},
				browser:   gate.History{}.WithDecline(studyID, now.Add(-time.Hour)), is: gate.ReasonSnoozed,
			},
			"seen here and elsewhere, three times": {
				elsewhere: []events{noted(studyID, store.InteractionShown, 72*time.Hour), noted(studyID, store.InteractionShown, 48*time.Hour)},
				browser:   gate.History{}.WithShown(studyID, now.Add(-48*time.Hour)).WithShown(studyID, now.Add(-30*time.Hour)), is: gate.ReasonShownEnough,
			},
			"seen here and elsewhere, twice": {
				elsewhere: []events{noted(studyID, store.InteractionShown, 48*time.Hour), noted(studyID, store.InteractionShown, 30*time.Hour)},
				browser:   gate.History{}.WithShown(studyID, now.Add(-48*time.Hour)).WithShown(studyID, now.Add(-30*time.Hour)), is: gate.ReasonEligible,
			},
		} {
			s := memstore.New()
			for _, e := range tc.elsewhere {
				e(t, s, now)
			}
			g := warmGate(t, newProvider(), s, nil)
			v := gate.Visitor{UserID: "ada", History: tc.browser}
			require.Equal(t, tc.is.String(), g.Decide(t.Context(), v).Reason.String(), name)
			require.Equal(t, tc.is.String(), firstNo(g.Explain(t.Context(), v)).String(), name)
			require.Equal(t, tc.is.String(), gate.First(g, g).Decide(t.Context(), v).Reason.String(), name)
			click := tc.click
			if click == gate.ReasonUnavailable {
				click = gate.ReasonEligible
			}
			require.Equal(t, click.String(), g.Confirm(t.Context(), v).Reason.String(), name)
			require.True(t, g.Decide(t.Context(), gate.Visitor{UserID: "bob"}).Ask(), "%s: and not about others", name)
		}
	})
}

// The browser remembers only that the interview was opened.
func TestCompletionIsKnownWhereTheInterviewWasOpened(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	g := warmGate(t, newProvider(), s, nil)
	v := gate.Visitor{UserID: "ada", History: gate.History{}.WithOpened(studyID, time.Now())}
	require.Equal(t, gate.ReasonOpened.String(), g.Decide(t.Context(), v).Reason.String())
	_, err := s.Record(t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: "ada"}, InterviewID: "1", CompletedAt: time.Now()})
	require.NoError(t, err)
	require.Equal(t, gate.ReasonCompleted.String(), g.Decide(t.Context(), v).Reason.String())
}

// Who has just done one interview is not asked for the next, even if it came
// through a link in an e-mail.
func TestCoolDownCountsCompletions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &watched{Store: memstore.New()}
		g := warmGate(t, newProvider(), w, nil)
		_, err := w.Record(t.Context(), store.Completion{Key: store.Key{StudyID: "another", UserID: "ada"}, InterviewID: "i", CompletedAt: time.Now()})
		require.NoError(t, err)
		time.Sleep(time.Minute)
		for range 2 {
			require.Equal(t, gate.ReasonCoolingDown, g.Decide(t.Context(), ada).Reason)
			require.Equal(t, gate.ReasonCoolingDown, firstNo(g.Explain(t.Context(), ada)))
			require.Equal(t, gate.ReasonCoolingDown, gate.First(g, g).Decide(t.Context(), ada).Reason)
		}
		require.True(t, g.Decide(t.Context(), gate.Visitor{UserID: "bob"}).Ask())
		time.Sleep(24 * time.Hour)
		require.NoError(t, g.Warm(t.Context()))
		require.True(t, g.Decide(t.Context(), ada).Ask())
	})
}

// Another replica hears of an answer within 10 seconds, also of the last of many.
func TestAnswersOnAnotherReplica(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		one, other := store.NewCached(s, nil), store.NewCached(s, nil)
		g, h := warmGate(t, newProvider(), one, nil), warmGate(t, newProvider(), other, nil)
		for i := range 200 {
			note(t, one, "ada", user(i), store.InteractionDeclined, time.Now())
		}
		require.True(t, g.Decide(t.Context(), ada).Ask())
		require.True(t, h.Decide(t.Context(), ada).Ask())
		note(t, one, "ada", studyID, store.InteractionDeclined, time.Now())
		require.Equal(t, gate.ReasonDeclined, g.Decide(t.Context(), ada).Reason, "at once where it was said")
		time.Sleep(10 * time.Second)
		require.Equal(t, gate.ReasonDeclined, h.Decide(t.Context(), ada).Reason)
	})
}

// A page costs one round trip, whatever it has to know, and none while that is
// cached.
func TestOneRoundTripForAPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, tc := range map[string]struct {
			done func(w *watched) store.Store
			want int32
		}{
			"cached":     {func(w *watched) store.Store { return store.NewCached(w, nil) }, 1},
			"not cached": {func(w *watched) store.Store { return w }, 3},
		} {
			w := &watched{Store: memstore.New()}
			s := tc.done(w)
			pa, a := newProvider(), newProvider()
			pa.study.ID, a.study.ID = "a", "b"
			all := gate.First(
				warmGate(t, pa, s, &gate.Options{CoolDown: -1}), warmGate(t, a, s, &gate.Options{CoolDown: -1}), warmGate(t, newProvider(), s, &gate.Options{CoolDown: -1}))
			note(t, w, "ada", "a", store.InteractionDeclined, time.Now())
			note(t, w, "ada", "b", store.InteractionDeclined, time.Now())
			require.Equal(t, studyID, all.Decide(t.Context(), ada).Prompt.StudyID, "reads the switches for the first time")
			w.trips.Store(0)
			for range 3 {
				require.Equal(t, studyID, all.Decide(t.Context(), gate.Visitor{UserID: "bob", History: gate.History{}.WithDecline("a", time.Now()).WithDecline("b", time.Now())}).Prompt.StudyID)
			}
			require.Equal(t, tc.want, w.trips.Load(), name)
		}
	})
}

// A cache remembers for an hour who has completed a study, and no page asks the
// store meanwhile.
func TestNoRoundTripForACompletion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &watched{Store: memstore.New()}
		_, err := w.Record(t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: "ada"}, InterviewID: "i", CompletedAt: time.Now()})
		require.NoError(t, err)
		g := warmGate(t, newProvider(), store.NewCached(w, nil), nil)
		require.Equal(t, gate.ReasonCompleted, g.Decide(t.Context(), ada).Reason)
		persons := func() (n int) {
			w.trouble = func(what string) error {
				if what == "Person" {
					n++
				}
				return nil
			}
			require.Equal(t, gate.ReasonCompleted, g.Decide(t.Context(), ada).Reason)
			synctest.Wait()
			return n
		}
		time.Sleep(time.Minute)
		require.Zero(t, persons(), "after a minute")
		time.Sleep(time.Hour)
		require.Equal(t, 1, persons(), "after more than an hour")
	})
}

// A click is confirmed by the store itself: what another replica has recorded
// counts at once.
func TestClicksAreNotConfirmedByACache(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(store.Store) store.Store{
		"cache":           func(s store.Store) store.Store { return s },
		"wrapped cache":   func(s store.Store) store.Store { return traced{s} },
		"cache of caches": func(s store.Store) store.Store { return store.NewCached(traced{s}, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := memstore.New()
			g := warmGate(t, newProvider(), wrap(store.NewCached(s, nil)), &gate.Options{Timeout: 10 * time.Second})
			require.True(t, g.Decide(t.Context(), ada).Ask())
			_, err := s.Record(t.Context(), store.Completion{Key: store.Key{StudyID: studyID, UserID: "ada"}, InterviewID: "i", CompletedAt: time.Now()})
			require.NoError(t, err)
			require.Equal(t, gate.ReasonCompleted, g.Confirm(t.Context(), ada).Reason)
		})
	}
}

// traced stands for a wrapper of an app, which counts or traces calls.
type traced struct{ store.Store }

func (t traced) Unwrap() store.Store { return t.Store }

// Staff see the prompt whatever they have seen before, and nothing is counted.
func TestPreview(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		note(t, s, "staff", "", store.InteractionOptedOut, time.Now())
		p := newProvider()
		p.places(1)
		g := warmGate(t, p, s, &gate.Options{
			Holdout: 1, ExpectedUptake: 1,
			OnDecision: func(_ context.Context, v gate.Visitor, _ gate.Decision) { require.False(t, v.Preview) },
		})
		v := gate.Visitor{UserID: "staff", Preview: true, History: gate.History{}.WithShown(studyID, time.Now()).WithDecline(studyID, time.Now())}
		for range 3 {
			d := g.Decide(t.Context(), v)
			require.True(t, d.Ask(), "%v", d)
			require.False(t, d.Prompt.Seen)
			click := g.Confirm(t.Context(), v)
			require.True(t, click.Ask())
			link, err := click.Prompt.Link()
			require.NoError(t, err)
			require.Equal(t, d.Prompt.InterviewLink, link, "the interview has no user")
		}
		require.Equal(t, gate.ReasonHeldOut, g.Decide(t.Context(), gate.Visitor{UserID: "staff"}).Reason)
		p.places(0)
		time.Sleep(time.Minute)
		require.Equal(t, gate.ReasonFull, g.Confirm(t.Context(), v).Reason)
	})
}

func TestAnUnusableIDIsLoggedOnce(t *testing.T) {
	t.Parallel()
	log := &records{}
	g := warmGate(t, newProvider(), nobodyCompleted, &gate.Options{Logger: slog.New(log)})
	for range 3 {
		require.Equal(t, gate.ReasonUnavailable, g.Decide(t.Context(), gate.Visitor{UserID: "a\nb"}).Reason)
	}
	require.Equal(t, []string{"WARN askonce: user id cannot be used; its user is never invited"}, log.all())
}

// Nobody is sent to where the provider is not, with an id in the link.
func TestInterviewLinksAreChecked(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		link string
		ok   bool
	}{
		{"https://app.userjourneys.ai/i/x", true},
		{"https://userjourneys.ai/i/x", true},
		{"https://APP.UserJourneys.ai/i/x", true},
		{"https://interviews.example.com/i/x", true}, // allowed by the app
		{"http://127.0.0.1:8081/i/x", true},
		{"http://localhost:8081/i/x", true},
		{"http://app.userjourneys.ai/i/x", false},
		{"https://evil.example/i/x", false},
		{"https://userjourneys.ai.evil.example/i/x", false},
		{"https://evil-userjourneys.ai/i/x", false},
		{"javascript:alert(1)", false},
		{"/i/x", false},
		{"", false},
	} {
		log := &records{}
		p := newProvider()
		p.study.InterviewLink = tc.link
		g := warmGate(t, p, nobodyCompleted, &gate.Options{LinkHosts: []string{"Interviews.example.com"}, Logger: slog.New(log), Timeout: 10 * time.Second})
		d := g.Decide(t.Context(), ada)
		require.Equal(t, tc.ok, d.Ask(), tc.link)
		require.Equal(t, tc.ok, g.Confirm(t.Context(), ada).Ask(), tc.link)
		if tc.ok {
			require.Empty(t, log.all())
		} else {
			require.ErrorContains(t, d.Err, "interview link", tc.link)
			require.Equal(t, []string{"ERROR askonce: interview link refused; no prompts for this study"}, log.all())
		}
	}
	_, err := gate.Prompt{UserID: "ada", InterviewLink: "http://app.userjourneys.ai/i/x"}.Link()
	require.ErrorContains(t, err, "not an https URL")
}

// A visitor without a preference is not excluded for the language.
func TestNoPreferenceIsNoExclusion(t *testing.T) {
	t.Parallel()
	g := warmGate(t, newProvider(), nobodyCompleted, &gate.Options{RequireLanguage: true})
	require.True(t, g.Decide(t.Context(), ada).Ask())
	require.True(t, g.Decide(t.Context(), gate.Visitor{UserID: "ada", Languages: []string{"*"}}).Ask())
	require.Equal(t, gate.ReasonLanguage, g.Decide(t.Context(), gate.Visitor{UserID: "ada", Languages: []string{"ja"}}).Reason)
}

// The target sees the page and the request, and metrics tell pages from clicks.
func TestPathAndOccasion(t *testing.T) {
	t.Parallel()
	type plan struct{}
	var occasions []gate.Occasion
	g := warmGate(t, newProvider(), nobodyCompleted, &gate.Options{
		Target: func(ctx context.Context, v gate.Visitor) bool {
			return v.Path == "/dashboard" && ctx.Value(plan{}) == "paid"
		},
		OnDecision: func(_ context.Context, v gate.Visitor, _ gate.Decision) { occasions = append(occasions, v.Occasion) },
	})
	paid := context.WithValue(t.Context(), plan{}, "paid")
	require.True(t, g.Decide(paid, gate.Visitor{UserID: "ada", Path: "/dashboard"}).Ask())
	require.Equal(t, gate.ReasonExcluded, g.Decide(t.Context(), gate.Visitor{UserID: "ada", Path: "/dashboard"}).Reason)
	require.Equal(t, gate.ReasonExcluded, g.Decide(paid, gate.Visitor{UserID: "ada", Path: "/", Occasion: gate.OccasionPeek}).Reason)
	require.True(t, g.Confirm(t.Context(), gate.Visitor{UserID: "ada", Path: "/askonce/start"}).Ask())
	got, err := json.Marshal(occasions)
	require.NoError(t, err)
	require.JSONEq(t, `["page", "page", "peek", "click"]`, string(got))
}
