package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

// journal records the calls of askonce's hooks.
type journal struct {
	mu      sync.Mutex
	entries []entry // the newest last
}

// entry is one call of a hook, or an action of the visitor.
type entry struct {
	At    time.Time
	About string // page, click, prompt, user, webhook, store, or demo
	User  string // "" if it concerns nobody
	Code  string // as in logs and metrics
	Words string
}

const journalKeeps = 200

func (j *journal) add(e entry) {
	e.At = time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) == journalKeeps {
		j.entries = slices.Delete(j.entries, 0, 1)
	}
	j.entries = append(j.entries, e)
}

// newest returns the entries, the newest first.
func (j *journal) newest() []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := slices.Clone(j.entries)
	slices.Reverse(all)
	return all
}

// meaning explains the reasons that occur in the demo.
var meaning = map[gate.Reason]string{
	gate.ReasonUnavailable: "the provider does not answer, the page is served without a prompt",
	gate.ReasonAnonymous:   "nobody is signed in",
	gate.ReasonSnoozed:     "said “Later”, is asked again in a week",
	gate.ReasonDeclined:    "said no, is never asked again",
	gate.ReasonOpened:      "has opened the interview",
	gate.ReasonShownEnough: "has been asked three times, that is enough",
	gate.ReasonCoolingDown: "was asked today, not again before tomorrow",
	gate.ReasonFull:        "the study has no places left",
	gate.ReasonClosed:      "the provider has no such active study",
	gate.ReasonPaused:      "you have paused asking",
	gate.ReasonCompleted:   "interviewed, never asked again",
	gate.ReasonEligible:    "all checks passed, the page gets the prompt",
}

func (j *journal) decision(_ context.Context, v gate.Visitor, d gate.Decision) {
	words := meaning[d.Reason]
	if v.Occasion == gate.OccasionClick && d.Ask() {
		words = "asked the provider again: there is room, on to the interview"
	}
	j.add(entry{About: v.Occasion.String(), User: v.UserID, Code: d.Reason.String(), Words: words})
}

func (j *journal) prompt(r *http.Request, _ string, o middleware.Outcome) {
	words := "is in " + r.URL.Path
	if o != middleware.OutcomeInjected {
		words = "is not in " + r.URL.Path
	}
	j.add(entry{About: "prompt", User: currentUser(r), Code: o.String(), Words: words})
}

var did = map[store.InteractionKind]string{
	store.InteractionShown:     "had the prompt in view for a second",
	store.InteractionOpened:    "opened the interview",
	store.InteractionSnoozed:   "said “Later”",
	store.InteractionDeclined:  "said “No thanks”",
	store.InteractionUndone:    "took the answer back",
	store.InteractionOptedOut:  "said “Never ask me”",
	store.InteractionCompleted: "is recorded, and never asked again",
}

func (j *journal) interaction(_ context.Context, e middleware.Event) {
	j.add(entry{About: about[e.Source], User: e.UserID, Code: e.Kind.String(), Words: did[e.Kind]})
}

// about is where an event came from: the user, or a stored webhook.
var about = map[middleware.Source]string{middleware.SourcePage: "user", middleware.SourceWebhook: "store"}

func (j *journal) delivery(_ context.Context, d webhook.Delivery) {
	words := "nothing has changed"
	switch d.Result {
	case webhook.ResultAccepted:
		words = "the signature is right, and the interview is new"
	case webhook.ResultDuplicate:
		words = "this interview is known, so nothing has changed"
	case webhook.ResultBadSignature:
		words = "signed with another secret: nothing has changed"
	}
	j.add(entry{About: "webhook", Code: fmt.Sprint(d.Result.Status(), " ", d.Result), Words: words})
}

func (j *journal) completed(_ context.Context, c store.Completion, t store.Transcript) error {
	var i userjourneys.Interview
	if err := i.UnmarshalJSON(t.Body); err != nil {
		return err
	}
	e := entry{About: "store", User: c.UserID, Code: "transcript", Words: "has no words in the transcript"}
	if turns := i.Turns(); len(turns) > 0 {
		e.Words = fmt.Sprintf("told the interviewer: “%s”", turns[len(turns)-1].Text)
	}
	j.add(e)
	return nil
}

func (j *journal) progress(_ context.Context, p webhook.Progress) {
	if p.Step == webhook.StepReconciled && p.Recorded > 0 {
		j.add(entry{About: "store", Code: p.Step.String(), Words: "found an interview at the provider that no webhook had reported"})
	}
}

// last returns the newest entry about something, of any user if user is "".
func (j *journal) last(about, user string) entry {
	for _, e := range j.newest() {
		if e.About == about && cmp.Or(user, e.User) == e.User {
			return e
		}
	}
	return entry{}
}
