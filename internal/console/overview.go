package console

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
)

// warmUp is how long the overview waits for the provider if nothing is known about a
// study yet. The rest of [patience] is for the store.
const warmUp = patience / 2

// overviewPage is the data of ui/overview.html.
type overviewPage struct {
	Trouble  string
	Health   webhook.Health
	Known    bool // the store has answered
	Advice   []advice
	CanPause bool
	Pause    pause // of all studies
	Studies  []study
}

func (c *console) overview(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	var (
		page                 overviewPage
		switches             []store.Switch
		parts                sync.WaitGroup
		noSwitches, noHealth error
	)
	parts.Go(func() { page.Studies = c.studies(ctx) })
	parts.Go(func() { switches, noSwitches = read(ctx, c, readSwitches) })
	parts.Go(func() { page.Health, noHealth = wait(ctx, c, c.Webhook.Health) })
	parts.Wait()
	page.Trouble = c.trouble(ctx, "Pause switches", noSwitches)
	_ = c.trouble(ctx, "Health", noHealth) // for the log: adviceStore says it in the page
	page.Known = noHealth == nil
	page.Advice = adviceOn(page.Health, noHealth, time.Since(c.started))
	page.CanPause = noSwitches == nil
	page.Pause = pauseOf("", switches)
	for i := range page.Studies {
		page.Studies[i].setPause(switches)
	}
	c.render(w, r, http.StatusOK, "overview", page)
}

// A study is what the overview shows of one study.
type study struct {
	gate.Status
	Badge   badge
	Advice  *advice // why nobody is asked, if something is wrong
	Pause   pause
	Funnel  *funnel
	Trouble string // why there is no funnel
}

// A badge is a word with the class of its color in ui/style.css.
type badge struct{ Class, Text string }

// studies returns what is known of all studies, each with its funnel.
func (c *console) studies(ctx context.Context) []study {
	_, _ = wait(ctx, c, func(ctx context.Context) (struct{}, error) {
		ctx, cancel := context.WithTimeout(ctx, warmUp)
		defer cancel()
		return struct{}{}, c.Gates.Warm(ctx) // each status has its own error
	})
	states := c.Gates.Status()
	all := make([]study, len(states))
	var funnels sync.WaitGroup
	for i, s := range states {
		all[i] = study{Status: s}
		all[i].Badge, all[i].Advice = asking(s)
		if s.Study.ID == "" {
			continue
		}
		funnels.Go(func() {
			var err error
			all[i].Funnel, err = c.funnel(ctx, s.Study.ID)
			all[i].Trouble = c.trouble(ctx, "Funnel", err)
		})
	}
	funnels.Wait()
	return all
}

// setPause marks the study as paused if a switch pauses it.
func (s *study) setPause(switches []store.Switch) {
	s.Pause = pauseOf(s.Study.ID, switches)
	if s.Reason == gate.ReasonEligible && (s.Pause.On || pauseOf("", switches).On) {
		s.Badge = badge{"warn", "Paused"}
	}
}

// A pause is the switch that stops asking for one study, or for all.
type pause struct {
	StudyID string // "" for all
	store.Switch
}

func pauseOf(studyID string, switches []store.Switch) pause {
	p := pause{StudyID: studyID}
	for _, s := range switches {
		if s.Name == pauseName(studyID) {
			p.Switch = s
		}
	}
	return p
}

func pauseName(studyID string) string {
	if studyID == "" {
		return store.PauseAll
	}
	return store.PauseSwitch(studyID)
}

func readSwitches(ctx context.Context, s store.Switches) ([]store.Switch, error) {
	return s.Switches(ctx)
}

// pause is the action that pauses or resumes one study, or all.
func (c *console) pause(w http.ResponseWriter, r *http.Request) {
	studyID, on := r.PostFormValue("study"), r.PostFormValue("on") == "true"
	configured := studyID == "" || slices.ContainsFunc(c.Gates.Status(), func(s gate.Status) bool { return s.Study.ID == studyID })
	// A truncated form must neither resume asking nor apply to all studies.
	if !isSwitch(r) || !r.PostForm.Has("study") || !configured {
		c.done(w, r, "./", "invalid")
		return
	}
	set := store.Switch{Name: pauseName(studyID), On: on, By: cleanTo(r.PostFormValue("by"), 100), At: time.Now()}
	err := act(r.Context(), c, func(ctx context.Context, s store.Switches) error {
		all, err := s.Switches(ctx)
		if err != nil {
			return err
		}
		// The store keeps the latest of several, and another replica's clock may be ahead.
		if had := pauseOf(studyID, all); !set.At.After(had.At) {
			set.At = had.At.Add(time.Millisecond)
		}
		return s.SetSwitch(ctx, set)
	})
	switch {
	case err != nil:
		c.failed(w, r, "./", "pause", err)
	case on:
		c.Logger.InfoContext(r.Context(), "askonce: asking was paused in the console", "study", studyID)
		c.done(w, r, "./", "paused")
	default:
		c.Logger.InfoContext(r.Context(), "askonce: asking was resumed in the console", "study", studyID)
		c.done(w, r, "./", "resumed")
	}
}

// isSwitch reports whether a form says which way to switch.
func isSwitch(r *http.Request) bool {
	on := r.PostFormValue("on")
	return on == "true" || on == "false"
}
