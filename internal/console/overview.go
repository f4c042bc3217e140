package console

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/webhook"
)

// warmUp is how long the overview waits for the provider where nothing is known
// about a study yet. The rest of [patience] is for the store.
const warmUp = patience / 2

// overviewPage is the data of ui/overview.html.
type overviewPage struct {
	Trouble  []string
	Health   health
	CanPause bool
	Pause    pause // of all studies
	Studies  []study
}

func (c *console) overview(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	var (
		page     overviewPage
		switches []store.Switch
		parts    sync.WaitGroup
	)
	var noSwitches, noHealth error
	parts.Go(func() { page.Studies = c.studies(ctx) })
	parts.Go(func() { switches, noSwitches = c.switches(ctx) })
	parts.Go(func() {
		var now webhook.Health
		now, noHealth = wait(ctx, c, c.Webhook.Health)
		page.Health = newHealth(now, noHealth, time.Since(c.since))
	})
	parts.Wait()
	page.Trouble = []string{c.trouble(ctx, "The switches that pause studies", noSwitches)}
	if noHealth != nil {
		_ = c.trouble(ctx, "health", noHealth) // the health's own advice says it
	}
	page.CanPause = noSwitches == nil
	page.Pause = pauseOf("", switches)
	for i := range page.Studies {
		page.Studies[i].setPause(switches)
	}
	c.render(w, r, http.StatusOK, "overview", page)
}

// study is what the overview shows of one study.
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
	_ = act(ctx, c, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, warmUp)
		defer cancel()
		return c.Gates.Warm(ctx) // each status has its own error
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
			all[i].Trouble = c.trouble(ctx, "The funnel", err)
		})
	}
	funnels.Wait()
	return all
}

// setPause makes the study a paused one if a switch says so.
func (s *study) setPause(switches []store.Switch) {
	s.Pause = pauseOf(s.Study.ID, switches)
	if s.Reason == gate.ReasonEligible && (s.Pause.On || pauseOf("", switches).On) {
		s.Badge = badge{"warn", "Paused"}
	}
}
