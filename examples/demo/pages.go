package main

import (
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/askonce/askonce/examples/recipes"
	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/webhook/webhooktest"
)

var users = []string{"ada", "bob", "cleo"}

const userCookie = "demo_user"

// currentUser stands in for an app's session.
func currentUser(r *http.Request) string {
	c, err := r.Cookie(userCookie)
	if err != nil || !slices.Contains(users, c.Value) {
		return ""
	}
	return c.Value
}

//go:embed ui
var ui embed.FS

var pages = template.Must(template.ParseFS(ui, "ui/*.html"))

func show(w http.ResponseWriter, page string, data map[string]any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = pages.ExecuteTemplate(w, page, data) // the browser is gone
}

func style(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, ui, "ui/style.css") }

func login(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: userCookie, Value: r.PostFormValue("user"), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func home(w http.ResponseWriter, r *http.Request) {
	show(w, "home.html", map[string]any{"User": currentUser(r), "Users": users})
}

// meaning explains the reasons that occur in the demo.
var meaning = map[gate.Reason]string{
	gate.ReasonUnavailable: "the provider does not answer: no prompt, but the page is served",
	gate.ReasonAnonymous:   "nobody is logged in",
	gate.ReasonSnoozed:     "said “later”",
	gate.ReasonDeclined:    "said “no thanks”",
	gate.ReasonOpened:      "opened the interview a short while ago",
	gate.ReasonShownEnough: "has been shown the prompt as often as allowed",
	gate.ReasonCoolingDown: "was shown the prompt a short while ago",
	gate.ReasonHeldOut:     "others have been invited to the places that are left",
	gate.ReasonFull:        "the study takes no more interviews now",
	gate.ReasonClosed:      "the provider has no such active study",
	gate.ReasonCompleted:   "has been interviewed: never again",
	gate.ReasonEligible:    "all checks passed",
}

type decisionRow struct {
	decided
	Asked bool
	Why   string
}

type requestRow struct {
	Call  string
	Count int
	Why   string
}

func (a *app) underneath(w http.ResponseWriter, r *http.Request) {
	interviews, err := recipes.Interviews(r.Context(), a.done, time.Time{})
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	data := map[string]any{
		"User": currentUser(r), "Users": users, "Interviews": interviews,
		"Study": a.provider.study.Name, "Requests": a.provider.asked(), "Down": a.provider.down.Load(),
	}
	a.log.mu.Lock()
	var decisions []decisionRow
	for _, d := range slices.Backward(a.log.decisions) {
		decisions = append(decisions, decisionRow{d, d.Reason == gate.ReasonEligible, meaning[d.Reason]})
	}
	deliveries, prompts := slices.Clone(a.log.deliveries), slices.Clone(a.log.prompts)
	a.log.mu.Unlock()
	slices.Reverse(deliveries)
	slices.Reverse(prompts)
	data["Decisions"], data["Deliveries"], data["Prompts"] = decisions, deliveries, prompts
	show(w, "underneath.html", data)
}

// asked counts the requests to the provider by kind.
func (p *provider) asked() []requestRow {
	rows := []requestRow{
		{Call: "GET /studies", Why: "is there room? Asked for a cached answer, however many pages are served"},
		{Call: "GET /interviews", Why: "transcripts, and a look for interviews whose webhook was lost"},
		{Call: "GET /webhooks", Why: "is the registered webhook still ours?"},
		{Call: "PUT /webhooks", Why: "at the start, to register the webhook"},
	}
	for _, r := range p.Requests() {
		for i := range rows {
			if strings.HasPrefix(r.Method+" "+r.Path, rows[i].Call) {
				rows[i].Count++
			}
		}
	}
	return rows
}

// switchProvider makes the provider hang, or answer again.
func (a *app) switchProvider(w http.ResponseWriter, r *http.Request) {
	down := r.PostFormValue("down") == "true"
	if a.provider.down.Swap(down) != down {
		if down {
			a.provider.Hang()
		} else {
			a.provider.Release()
		}
	}
	http.Redirect(w, r, "/underneath", http.StatusSeeOther)
}

// forge delivers a completion for cleo that is signed with a wrong secret.
func (a *app) forge(w http.ResponseWriter, r *http.Request) {
	body := webhooktest.Completed("cleo")
	body.Data.StudyID = a.provider.study.ID
	if _, err := webhooktest.Deliver(r.Context(), a.url+webhookPath, wrongSecret, body); err != nil {
		http.Error(w, fmt.Sprintf("the forged webhook could not be sent: %v", err), http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, "/underneath", http.StatusSeeOther)
}
