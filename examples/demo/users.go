package main

import (
	"context"
	"net/http"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
)

// user is one of Fernly's users.
type user struct{ ID, First, Last, Office string }

var users = []user{
	{"ada", "Ada", "Lindqvist", "Nordlys Studio"},
	{"bob", "Bob", "Okafor", "Harbour & Finch"},
	{"cleo", "Cleo", "Marchetti", "Marchetti Dental"},
}

// userOf returns the user with the id, or the zero user.
func userOf(id string) user {
	for _, u := range users {
		if u.ID == id {
			return u
		}
	}
	return user{}
}

const userCookie = "demo_user"

// currentUser stands in for an app's session.
func currentUser(r *http.Request) string {
	c, err := r.Cookie(userCookie)
	if err != nil {
		return ""
	}
	return userOf(c.Value).ID
}

func login(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: userCookie, Value: r.PostFormValue("user"), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// standing is whether a user would be asked, and why.
type standing struct {
	user
	Reason gate.Reason
	Words  string
}

// standings returns the standing of every user, without side effects.
func (a *app) standings(ctx context.Context) (all []standing) {
	soon, cancel := context.WithTimeout(ctx, 200*time.Millisecond) // the gate may wait for the provider
	defer cancel()
	for _, u := range users {
		p, err := a.store.Person(ctx, u.ID)
		seen, s := p.Study(a.provider.study.ID), standing{user: u}
		switch {
		case err != nil: // as unavailable
		case seen.Completed:
			s.Reason = gate.ReasonCompleted // whatever the gate says
		default:
			s.Reason = a.refusal(soon, u)
		}
		switch {
		case s.Reason != gate.ReasonEligible:
			s.Words = meaning[s.Reason]
		case len(seen.Showings) > 0:
			s.Words = "was asked, has not answered yet"
		default:
			s.Words = "will be asked"
		}
		all = append(all, s)
	}
	return all
}

// refusal returns the reason of the first check that fails for a user, or
// ReasonEligible.
func (a *app) refusal(ctx context.Context, u user) gate.Reason {
	for _, check := range a.kit.Gates().Explain(ctx, gate.Visitor{UserID: u.ID}) {
		if !check.Pass {
			return check.Reason
		}
	}
	return gate.ReasonEligible
}

// forgetAll resets all users, as an operator resets one user in the console.
func (a *app) forgetAll(ctx context.Context) error {
	for _, u := range users {
		if err := a.store.Reset(ctx, store.Key{StudyID: a.provider.study.ID, UserID: u.ID}); err != nil {
			return err
		}
		if err := store.OptOut(ctx, a.store, u.ID, false); err != nil {
			return err
		}
	}
	return nil
}
