package console

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
)

const personRows = 50 // interviews of one user in a page

// peoplePage is the data of ui/people.html. All but Preview is about one user.
type peoplePage struct {
	Preview    *preview
	UserID     string
	Invalid    bool // no user can have this id
	Trouble    []string
	Studies    []personStudy
	Known      bool // the store has answered what the user has seen
	OptedOut   bool
	OptedOutAt time.Time
	Interviews list[store.Completion]
	More       bool // interviews than those
	Names      map[string]string
	CanReset   bool
	CanErase   bool
}

// people shows the form for a user's id and, if one was sent, what is known about
// that user. Ids are personal, so they are sent by POST: in a URL they would stay
// in access logs, in the browser's history and in a Referer header.
func (c *console) people(w http.ResponseWriter, r *http.Request) {
	page := peoplePage{UserID: r.PostFormValue("user"), Preview: c.previewOf(r)}
	page.Invalid = page.UserID != "" && store.CheckID(page.UserID) != nil
	if page.UserID != "" && !page.Invalid {
		c.lookUp(r.Context(), &page)
	}
	c.render(w, r, http.StatusOK, "people", page)
}

func (c *console) lookUp(ctx context.Context, page *peoplePage) {
	var (
		parts    sync.WaitGroup
		person   store.Person
		problems [3]error
	)
	page.Names = c.studyNames()
	parts.Go(func() { page.Studies, problems[0] = c.explain(ctx, page.UserID) })
	parts.Go(func() { person, problems[1] = c.person(ctx, page.UserID) })
	parts.Go(func() { page.Interviews, page.More, problems[2] = c.interviewsOf(ctx, page.UserID) })
	parts.Wait()
	for i, what := range []string{"The checks", "What the user saw and answered", "The user's interviews"} {
		page.Trouble = append(page.Trouble, c.trouble(ctx, what, problems[i]))
	}
	page.Known, page.OptedOut, page.OptedOutAt = problems[1] == nil, person.OptedOut, person.OptedOutAt
	for _, seen := range person.Studies {
		page.addSeen(seen)
	}
	_, noReset := has[store.Resetter](c)
	_, noErase := has[store.Eraser](c)
	page.CanReset, page.CanErase = noReset == nil, noErase == nil
}

func (c *console) person(ctx context.Context, userID string) (store.Person, error) {
	s, err := has[store.Interactions](c)
	if err != nil {
		return store.Person{}, err
	}
	return wait(ctx, c, func(ctx context.Context) (store.Person, error) { return s.Person(ctx, userID) })
}

func (c *console) interviewsOf(ctx context.Context, userID string) (l list[store.Completion], more bool, err error) {
	lister, err := has[store.Lister](c)
	if err != nil {
		return l, false, err
	}
	l.Items, more, err = take(ctx, c, 0, personRows, func(ctx context.Context) iter.Seq2[store.Completion, error] {
		return lister.Completions(ctx, store.Filter{UserID: userID, NewestFirst: true})
	})
	l.Known = err == nil
	return l, more, err
}

// A personStudy is one user and one study.
type personStudy struct {
	ID      string // "" if it is not known yet
	Name    string
	Verdict badge
	Why     string
	Checks  []checked         // none of a study that is not configured
	Seen    store.PersonStudy // zero if the user has seen nothing of it
}

// A checked is the result of one check in words.
type checked struct {
	Class string // good, bad or warn
	Text  string
	Note  string
}

// explain returns the checks of every gate, in their order.
func (c *console) explain(ctx context.Context, userID string) ([]personStudy, error) {
	results, err := wait(ctx, c, func(ctx context.Context) (gate.Explanation, error) {
		return c.Gates.Explain(ctx, gate.Visitor{UserID: userID}), nil
	})
	if err != nil {
		return nil, err
	}
	states := c.Gates.Status()
	var all []personStudy
	var failed error
	for i, r := range results {
		if i == 0 || r.Check == results[0].Check { // the first of another gate
			all = append(all, personStudy{ID: states[len(all)].Study.ID, Name: r.Study, Verdict: badge{"good", "Would be asked"}})
		}
		study := &all[len(all)-1]
		result := inWords(r)
		study.Checks = append(study.Checks, result)
		if !r.Pass && study.Why == "" {
			study.Verdict, study.Why = badge{"warn", "Not asked"}, result.Text
			if r.Err != nil {
				study.Verdict = badge{"bad", "Not asked"}
			}
		}
		failed = cmp.Or(failed, r.Err)
	}
	return all, failed
}

// checkWords say what it means that a check of the gate passes, and that it fails.
var checkWords = map[string]struct{ pass, fail string }{
	"signed in":               {"Is signed in", "Is not signed in"},
	"valid user id":           {"The id can be used", "The id cannot be used"},
	"accepted by Target":      {"The app's Target accepts the user", "The app's Target refuses the user"},
	"study requested":         {"No other study was asked for", "Another study was asked for"},
	"language supported":      {"A language fits", "The study supports none of the user's languages"},
	"not held out":            {"Is not in the holdout", "Is in the holdout, which is never asked"},
	"not opted out":           {"Has not opted out", "Has opted out of all studies"},
	"not declined":            {"Has not declined", "Has answered “No thanks”"},
	"not snoozed":             {"Has not put it off", "Has answered “Later”, and it is not later yet"},
	"not opened recently":     {"Has not opened the interview recently", "Opened the interview a short while ago"},
	"not shown enough":        {"May see the prompt again", "Has seen the prompt as often as allowed"},
	"not shown recently":      {"Has not seen the prompt recently", "Saw the prompt a short while ago"},
	"no other study recently": {"No other study asked recently", "Another study asked, or was completed, a short while ago"},
	"study active":            {"The study is active", "The study is not active"},
	"places left":             {"The study has places left", "The study takes no more interviews now"},
	"not paused":              {"Asking is not paused", "Asking is paused"},
	"within pacing":           {"Within the pace of invitations", "Enough others are invited at the moment"},
	"not completed":           {"Has not completed the study", "Has completed the study"},
}

func inWords(r gate.CheckResult) checked {
	words, known := checkWords[r.Check]
	if !known {
		words.pass, words.fail = r.Check, "not: "+r.Check
	}
	switch {
	case r.Pass:
		return checked{"good", words.pass, clean(r.Detail)}
	case r.Err != nil:
		return checked{"warn", "Not known: " + strings.ToLower(words.pass[:1]) + words.pass[1:], clean(r.Detail)}
	}
	return checked{"bad", words.fail, clean(r.Detail)}
}

// addSeen puts what the user has seen of a study beside its checks.
func (p *peoplePage) addSeen(seen store.PersonStudy) {
	i := slices.IndexFunc(p.Studies, func(s personStudy) bool { return s.ID == seen.StudyID })
	if i < 0 {
		p.Studies = append(p.Studies, personStudy{ID: seen.StudyID, Name: seen.StudyID, Verdict: badge{"", "Not configured"}})
		i = len(p.Studies) - 1
	}
	p.Studies[i].Seen = seen
}

// Answer says what the user has answered last.
func (s personStudy) Answer() string {
	switch {
	case s.Seen.AnsweredAt.IsZero():
		return ""
	case s.Seen.Answer == store.InteractionSnoozed:
		return "“Later”"
	case s.Seen.Answer == store.InteractionDeclined:
		return "“No thanks”"
	}
	return "took the answer back"
}

// LastShown returns when the user saw the prompt last.
func (s personStudy) LastShown() time.Time {
	if n := len(s.Seen.Showings); n > 0 {
		return s.Seen.Showings[n-1]
	}
	return time.Time{}
}

// reset is the action that lets a user be asked about one study again. It answers
// with the user's page: a redirect could not name the user.
func (c *console) reset(w http.ResponseWriter, r *http.Request) {
	k := store.Key{StudyID: r.PostFormValue("study"), UserID: r.PostFormValue("user")}
	s, err := has[store.Resetter](c)
	if err == nil {
		err = errors.Join(store.CheckID(k.StudyID), store.CheckID(k.UserID))
	}
	if err == nil {
		err = act(r.Context(), c, func(ctx context.Context) error { return s.Reset(ctx, k) })
	}
	if err != nil {
		c.failed(w, r, "people", "reset", err)
		return
	}
	c.Logger.InfoContext(r.Context(), "askonce: user was reset in the console", "study", k.StudyID)
	r.URL.RawQuery = url.Values{"did": {"reset"}}.Encode()
	c.people(w, r)
}

// erase is the action that deletes what is known about a user, whose id has to be
// typed once more.
func (c *console) erase(w http.ResponseWriter, r *http.Request) {
	userID := r.PostFormValue("user")
	if userID == "" || r.PostFormValue("confirm") != userID {
		r.URL.RawQuery = url.Values{"did": {"unconfirmed"}}.Encode()
		c.people(w, r)
		return
	}
	s, err := has[store.Eraser](c)
	if err == nil {
		err = act(r.Context(), c, func(ctx context.Context) error { return s.Erase(ctx, userID) })
	}
	if err != nil {
		c.failed(w, r, "people", "erase", err)
		return
	}
	c.Logger.InfoContext(r.Context(), "askonce: user was erased in the console")
	c.done(w, r, "people", "erased")
}
