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

// peoplePage is the data of ui/people.html. Everything but Preview concerns one user.
type peoplePage struct {
	Preview    *preview // nil in a process that serves no pages
	UserID     string
	Invalid    bool // no user can have this id
	Trouble    []string
	Studies    []personStudy
	Known      bool // the store has answered what the user saw
	OptedOut   bool
	OptedOutAt time.Time
	Interviews list[store.Completion]
	More       bool // there are older interviews
	Names      map[string]string
	CanReset   bool
	CanErase   bool
}

// people serves the form for a user's id and, if one was sent, what is known about that
// user. Ids are personal, so they are sent by POST: in a URL they would stay in access
// logs, in the browser's history and in Referer headers.
func (c *console) people(w http.ResponseWriter, r *http.Request) {
	page := peoplePage{UserID: r.PostFormValue("user")}
	if c.Middleware != nil {
		_, err := r.Cookie(previewCookie)
		page.Preview = &preview{On: c.Middleware.IsPreview(r), Wanted: err == nil}
	}
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
	parts.Go(func() {
		person, problems[1] = read(ctx, c, func(ctx context.Context, s store.Interactions) (store.Person, error) {
			return s.Person(ctx, page.UserID)
		})
	})
	parts.Go(func() {
		f := store.Filter{UserID: page.UserID, NewestFirst: true}
		page.Interviews.Items, page.More, problems[2] = take(ctx, c, 0, personRows, func(ctx context.Context, s store.Lister) iter.Seq2[store.Completion, error] {
			return s.Completions(ctx, f)
		})
		page.Interviews.Known = problems[2] == nil
	})
	parts.Wait()
	for i, what := range []string{"Checks", "Showings and answers", "Interviews"} {
		page.Trouble = append(page.Trouble, c.trouble(ctx, what, problems[i]))
	}
	page.Known, page.OptedOut, page.OptedOutAt = problems[1] == nil, person.OptedOut, person.OptedOutAt
	for _, seen := range person.Studies {
		page.addSeen(seen)
	}
	_, page.CanReset = store.As[store.Resetter](c.Store)
	_, page.CanErase = store.As[store.Eraser](c.Store)
}

// A personStudy is what is known about one user and one study.
type personStudy struct {
	ID      string // "" if it is not known yet
	Name    string
	Verdict badge
	Why     string
	Checks  []checked         // none if the study is not configured
	Seen    store.PersonStudy // zero if the user has not seen its prompt
}

// A checked is the result of one check in words.
type checked struct {
	Class string // good, bad or warn
	Text  string
	Note  string
}

// explain runs the checks of every gate, and returns its study with their results.
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

// checkWords are the texts for a check of the gate that passes and for one that fails.
var checkWords = map[string]struct{ pass, fail string }{
	"signed in":               {"Is signed in", "Is not signed in"},
	"valid user id":           {"The id is valid", "The id is not valid"},
	"accepted by Target":      {"The app's Target accepts the user", "The app's Target refuses the user"},
	"study requested":         {"No other study was requested", "Another study was requested"},
	"language supported":      {"The study supports the user's language", "The study supports none of the user's languages"},
	"not held out":            {"Is not in the holdout", "Is in the holdout, which is never asked"},
	"not opted out":           {"Has not opted out", "Has opted out of all studies"},
	"not declined":            {"Has not declined", "Has answered “No thanks”"},
	"not snoozed":             {"Has not put it off", "Has answered “Later”, and the wait is not over"},
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

// addSeen adds what the user saw of a study to its checks.
func (p *peoplePage) addSeen(seen store.PersonStudy) {
	i := slices.IndexFunc(p.Studies, func(s personStudy) bool { return s.ID == seen.StudyID })
	if i < 0 {
		p.Studies = append(p.Studies, personStudy{ID: seen.StudyID, Name: seen.StudyID, Verdict: badge{"", "Not configured"}})
		i = len(p.Studies) - 1
	}
	p.Studies[i].Seen = seen
}

// Answer returns the user's last answer.
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

// reset is the action that lets a user be asked about one study again. It responds with
// the user's page: a redirect could not name the user.
func (c *console) reset(w http.ResponseWriter, r *http.Request) {
	k := store.Key{StudyID: r.PostFormValue("study"), UserID: r.PostFormValue("user")}
	err := act(r.Context(), c, func(ctx context.Context, s store.Resetter) error {
		if err := errors.Join(store.CheckID(k.StudyID), store.CheckID(k.UserID)); err != nil {
			return err
		}
		return s.Reset(ctx, k)
	})
	if err != nil {
		c.failed(w, r, "people", "reset", err)
		return
	}
	c.Logger.InfoContext(r.Context(), "askonce: user was reset in the console", "study", k.StudyID)
	c.peopleAfter(w, r, "reset")
}

// erase is the action that deletes what is known about a user. The operator must type the
// id again.
func (c *console) erase(w http.ResponseWriter, r *http.Request) {
	userID := r.PostFormValue("user")
	if userID == "" || r.PostFormValue("confirm") != userID {
		c.peopleAfter(w, r, "unconfirmed")
		return
	}
	err := act(r.Context(), c, func(ctx context.Context, s store.Eraser) error { return s.Erase(ctx, userID) })
	if err != nil {
		c.failed(w, r, "people", "erase", err)
		return
	}
	c.Logger.InfoContext(r.Context(), "askonce: user was erased in the console")
	c.done(w, r, "people", "erased")
}

// peopleAfter serves the page of the user in the form, with the code's flash.
func (c *console) peopleAfter(w http.ResponseWriter, r *http.Request, code string) {
	r.URL.RawQuery = url.Values{"did": {code}}.Encode()
	c.people(w, r)
}

const (
	previewCookie = "preview" // as in examples/recipes/preview.go
	previewTime   = 3600      // in seconds
)

// A preview is whether the middleware shows the prompt to this browser in any case.
type preview struct {
	On     bool // the app's middleware.Options.Preview accepts it
	Wanted bool // the console has set the cookie
}

// preview is the action that turns previews on in this browser, or off.
func (c *console) preview(w http.ResponseWriter, r *http.Request) {
	if !isSwitch(r) {
		c.done(w, r, "people", "invalid")
		return
	}
	cookie := &http.Cookie{Name: previewCookie, Value: "1", Path: "/", MaxAge: previewTime, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode}
	code := "preview-on"
	if r.PostFormValue("on") != "true" {
		cookie.MaxAge, code = -1, "preview-off"
	}
	http.SetCookie(w, cookie)
	c.done(w, r, "people", code)
}
