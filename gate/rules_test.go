package gate_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
)

// Which checks a decision leaves out, because they cannot say no with these
// options or in this situation, never shows: Decide, Confirm and Explain answer
// as all rules do, walked in their order, for any options and any visitor.
func TestDecisionsFollowTheRules(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		decided, confirmed := map[gate.Reason]int{}, map[gate.Reason]int{}
		for i := range fewer(20_000) {
			c := randomCase(rng, i)
			g := c.gate(t)
			want := c.first(false)
			require.Equal(t, want.String(), firstNo(g.Explain(t.Context(), c.visitor)).String(), "explained: %+v", c)
			require.Equal(t, want.String(), g.Decide(t.Context(), c.visitor).Reason.String(), "decided: %+v", c)
			decided[want]++
			want = c.first(true)
			require.Equal(t, want.String(), g.Confirm(t.Context(), c.visitor).Reason.String(), "confirmed: %+v", c)
			confirmed[want]++
		}
		require.Len(t, decided, 15, "every reason was met: %v", decided)
		require.Len(t, confirmed, 8, "every reason that a click leaves: %v", confirmed)
	})
}

// ruleCase is a gate and a visitor, and what the rules make of the two: true
// for each that says no.
type ruleCase struct {
	opts    gate.Options
	visitor gate.Visitor

	shown                bool // the visitor has seen the prompt, and so was invited
	missing              bool // the study, after it was known
	places               int  // negative: no limit
	completed, storeDown bool

	target, language, holdout, pacing                                              bool
	optedOut, declined, snoozed, opened, showings, showingPause, coolDown, badUser bool
}

// first is the reason of the first rule that says no.
func (c *ruleCase) first(clicked bool) gate.Reason {
	for _, r := range []struct {
		no     bool
		reason gate.Reason
		click  bool // it counts at a click, too
	}{
		{c.visitor.UserID == "", gate.ReasonAnonymous, true},
		{c.badUser, gate.ReasonUnavailable, true},
		{c.target, gate.ReasonExcluded, false},
		{c.visitor.StudyID == "another", gate.ReasonExcluded, true},
		{c.language, gate.ReasonLanguage, false},
		{c.holdout, gate.ReasonHeldOut, false},
		{c.optedOut, gate.ReasonDeclined, true},
		{c.declined, gate.ReasonDeclined, false},
		{c.snoozed, gate.ReasonSnoozed, false},
		{c.opened, gate.ReasonOpened, false},
		{c.showings, gate.ReasonShownEnough, false},
		{c.showingPause || c.coolDown, gate.ReasonCoolingDown, false},
		{c.missing, gate.ReasonClosed, true},
		{c.places == 0, gate.ReasonFull, true},
		{c.pacing && !c.shown, gate.ReasonPaced, false},
		{c.storeDown, gate.ReasonUnavailable, true},
		{c.completed, gate.ReasonCompleted, true},
	} {
		if r.no && (r.click || !clicked) {
			return r.reason
		}
	}
	return gate.ReasonEligible
}

func (c *ruleCase) gate(t *testing.T) *gate.Gate {
	p := newProvider()
	if c.places >= 0 {
		p.places(c.places)
	}
	g := warmGate(t, p, completions(func(_ context.Context, k store.Key) (bool, error) {
		if strings.HasPrefix(k.UserID, "crowd") {
			return false, nil
		}
		if c.storeDown {
			return false, errors.New("down")
		}
		return c.completed, nil
	}), &c.opts)
	if c.pacing { // others are invited first
		for i, invited := 0, 0; i < 200 && invited < c.places; i++ {
			if g.Decide(t.Context(), gate.Visitor{UserID: "crowd-" + user(i), Languages: []string{"de"}}).Ask() {
				invited++
			}
		}
	}
	if c.missing {
		p.fail(userjourneys.ErrNotFound)
		time.Sleep(time.Second)
		require.NoError(t, g.Warm(t.Context()))
	}
	return g
}

func oneOf[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// randomCase says no by each rule seldom enough that the last ones are reached.
func randomCase(rng *rand.Rand, i int) *ruleCase {
	c := &ruleCase{
		missing: rng.IntN(12) == 0, places: oneOf(rng, -1, -1, -1, 3, 3, 3, 0),
		completed: rng.IntN(3) == 0, storeDown: rng.IntN(8) == 0,
		opts: gate.Options{Fresh: time.Nanosecond, RequireLanguage: rng.IntN(2) == 0},
		visitor: gate.Visitor{
			UserID: user(i), StudyID: oneOf(rng, "", "", "", studyID, studyID, "another"),
			Languages: oneOf(rng, []string{"de"}, []string{"ja", "no"}, []string{"ja"}),
		},
	}
	switch rng.IntN(24) {
	case 0:
		c.visitor.UserID = ""
	case 1:
		c.visitor.UserID, c.badUser = "a\x00", true
	}
	if rng.IntN(2) == 0 {
		c.target = rng.IntN(8) == 0
		c.opts.Target = func(_ context.Context, v gate.Visitor) bool {
			return !c.target || strings.HasPrefix(v.UserID, "crowd")
		}
	}
	c.language = c.opts.RequireLanguage && len(c.visitor.Languages) == 1 && c.visitor.Languages[0] == "ja"
	c.opts.Holdout = oneOf(rng, 0, 0, 0, 0.5, 0.5, 1)
	sum := sha256.Sum256([]byte(studyID + "\x00" + c.visitor.UserID))
	c.holdout = c.opts.Holdout == 1 || c.opts.Holdout == 0.5 && sum[0] >= 128
	if rng.IntN(2) == 0 {
		c.opts.ExpectedUptake = 1
		c.pacing = c.places > 0 && rng.IntN(3) == 0
	}
	if rng.IntN(3) > 0 {
		c.remember(rng)
	}
	return c
}

// remember gives the visitor a History.
func (c *ruleCase) remember(rng *rand.Rand) {
	now, h := time.Now(), gate.History{}
	maxShowings := oneOf(rng, 0, 1, -1)
	showingPause, coolDown := oneOf(rng, 0, -1, 2*time.Hour), oneOf(rng, 0, -1, 4*time.Hour)
	openedPause := oneOf(rng, 0, -1, 30*time.Minute)
	c.opts.MaxShowings, c.opts.ShowingPause, c.opts.CoolDown, c.opts.OpenedPause = maxShowings, showingPause, coolDown, openedPause
	c.opts.Linger = -1
	if maxShowings == 0 {
		maxShowings = 3
	}
	if showingPause == 0 {
		showingPause = 24 * time.Hour
	}
	if coolDown == 0 {
		coolDown = showingPause
	}
	if openedPause == 0 {
		openedPause = 2 * time.Hour
	}
	if shown := oneOf(rng, 0, 0, 1, 2, 3); shown > 0 {
		c.shown = true
		ago := oneOf(rng, 0, time.Hour, 2*time.Hour, 3*time.Hour, 4*time.Hour, 24*time.Hour)
		for i := range shown {
			h = h.WithShown(studyID, now.Add(-ago-time.Duration(i)*time.Second))
		}
		c.showings = maxShowings > 0 && shown >= maxShowings
		c.showingPause, c.coolDown = ago < showingPause, ago < coolDown
	}
	if rng.IntN(4) == 0 {
		ago := oneOf(rng, 0, 3*time.Hour, 24*time.Hour)
		h = h.WithShown("another", now.Add(-ago))
		c.coolDown = c.coolDown || ago < coolDown
	}
	if rng.IntN(3) == 0 {
		ago := oneOf(rng, 0, 30*time.Minute, time.Hour, 2*time.Hour)
		h = h.WithOpened(studyID, now.Add(-ago))
		c.opened = ago < openedPause
	}
	if rng.IntN(4) == 0 {
		ahead := oneOf(rng, -time.Hour, 0, time.Hour)
		h = h.WithSnooze(studyID, now, now.Add(ahead))
		c.snoozed = ahead > 0
	}
	if c.declined = rng.IntN(16) == 0; c.declined {
		h = h.WithDecline(studyID, time.Now())
	}
	if c.optedOut = rng.IntN(16) == 0; c.optedOut {
		h = h.WithOptOut(time.Now())
	}
	c.visitor.History = h
}
