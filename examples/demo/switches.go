package main

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/askonce/askonce/examples/recipes"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
	"github.com/askonce/askonce/webhook/webhooktest"
)

// switches are the positions of the panel's switches.
type switches struct {
	Down, Full, Paused bool
	Webhooks           string // one of fates
	Days               int64
	Provider, Console  string // their URLs
}

// fates are what can happen to deliveries, by the panel's name for it.
var fates = map[string]userjourneystest.Fate{
	"on time": {},
	"lost":    {Drop: true},
	"late":    {Delay: 5 * time.Second},
	"twice":   {Copies: 1},
}

const wrongSecret = "whsec_ffffffffffffffffffffffffffffffff"

func (a *app) switches(ctx context.Context) switches {
	c := a.provider.Conditions()
	s := switches{Down: c.Down, Full: c.Full, Days: a.store.days.Load(), Provider: a.provider.URL(), Console: consolePath}
	for name, fate := range fates {
		if fate == c.Deliveries {
			s.Webhooks = name
		}
	}
	if all, err := a.store.Switches(ctx); err == nil { // otherwise shown as not paused
		s.Paused = slices.ContainsFunc(all, func(s store.Switch) bool { return s.Name == store.PauseAll && s.On })
	}
	return s
}

// flip turns one of the panel's switches, and redirects back to the page.
func (a *app) flip(w http.ResponseWriter, r *http.Request) {
	what, to := r.PathValue("switch"), r.PostFormValue("to")
	words, err := a.turn(r, what, to)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case words == "":
		http.NotFound(w, r)
	default:
		a.journal.add(entry{About: "demo", Code: what, Words: words})
		if what == "day" || what == "reset" {
			// The browser's own copy of what its user saw and answered would not age.
			http.SetCookie(w, &http.Cookie{Name: "askonce", Path: "/", MaxAge: -1})
		}
		back(w, r)
	}
}

// turn turns a switch. It returns what was done, or "" if there is no such switch.
func (a *app) turn(r *http.Request, what, to string) (words string, err error) {
	on := to == "on"
	either := func(yes, no string) string {
		if on {
			return yes
		}
		return no
	}
	switch what {
	case "provider":
		a.provider.change(func(c *userjourneystest.Conditions) { c.Down = on })
		return either("you took the provider down: its last answer is used for 12 seconds", "the provider is back: it is tried once a minute"), nil
	case "study":
		a.provider.change(func(c *userjourneystest.Conditions) { c.Full = on })
		return either("you filled the study", "the study has places again"), nil
	case "asking":
		by := cmp.Or(currentUser(r), "a visitor")
		return either("you paused asking: every replica hears of it within 10 seconds", "you resumed asking"), recipes.Pause(r.Context(), a.store, on, by)
	case "webhooks":
		fate, known := fates[to]
		if !known {
			return "", nil
		}
		a.provider.change(func(c *userjourneystest.Conditions) { c.Deliveries = fate })
		return "the next webhooks are " + map[string]string{
			"on time": "on time", "lost": "lost: reconciliation looks every 15 seconds", "late": "5 seconds late", "twice": "delivered twice",
		}[to], nil
	case "forge":
		return "you forged a webhook", a.forge(r.Context(), cmp.Or(currentUser(r), "cleo"))
	case "day":
		a.store.pass(1)
		return "a day has passed: what users saw and said is a day older", nil
	case "reset":
		return "you started over: nobody has seen, said or completed anything", a.forgetAll(r.Context())
	}
	return "", nil
}

// forge delivers a completion of the user that is signed with a wrong secret.
func (a *app) forge(ctx context.Context, user string) error {
	body := webhooktest.Completed(user)
	body.Data.StudyID = a.provider.study.ID
	_, err := webhooktest.Deliver(ctx, a.url+webhookPath, wrongSecret, body)
	return err
}
