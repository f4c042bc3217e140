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

// userOf returns the user with the id, or nobody.
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

// standing is how a user stands with the study.
type standing struct {
	user
	Reason gate.Reason
	Words  string
}

// standings asks the gate about every user, as an operator would with
// gate.Explain. That counts nothing, but may wait for the provider.
func (a *app) standings(ctx context.Context) []standing {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	var all []standing
	for _, u := range users {
		s := standing{user: u, Reason: a.reason(ctx, u)}
		s.Words = meaning[s.Reason]
		if s.Reason == gate.ReasonEligible {
			s.Words = "will be asked on the next page"
			if p, err := a.store.Person(ctx, u.ID); err == nil && len(p.Study(a.provider.study.ID).Showings) > 0 {
				s.Words = "was asked, has not answered yet"
			}
		}
		all = append(all, s)
	}
	return all
}

func (a *app) reason(ctx context.Context, u user) gate.Reason {
	first := gate.ReasonEligible
	for _, check := range a.kit.Gate().Explain(ctx, gate.Visitor{UserID: u.ID}) {
		switch {
		case check.Reason == gate.ReasonCompleted:
			return gate.ReasonCompleted // whatever else there is
		case first == gate.ReasonEligible:
			first = check.Reason
		}
	}
	return first
}

// forgetAll makes the users strangers again, as an operator can with one of them
// in the console.
func (a *app) forgetAll(ctx context.Context) error {
	for _, u := range users {
		if err := a.store.Reset(ctx, store.Key{StudyID: a.provider.study.ID, UserID: u.ID}); err != nil {
			return err
		}
		back := store.Interaction{Key: store.Key{UserID: u.ID}, Kind: store.InteractionUndone, At: time.Now().Add(time.Second)}
		if err := a.store.Note(ctx, back); err != nil { // takes an opt-out back
			return err
		}
	}
	return nil
}
