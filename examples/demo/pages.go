package main

import (
	"html/template"
	"net/http"
	"slices"

	"github.com/askonce/askonce/userjourneys"
)

var users = []string{"ada", "bob", "cleo"}

const userCookie = "demo_user"

// currentUser is what an app's session look-up would be.
func currentUser(r *http.Request) string {
	c, err := r.Cookie(userCookie)
	if err != nil || !slices.Contains(users, c.Value) {
		return ""
	}
	return c.Value
}

func login(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: userCookie, Value: r.PostFormValue("user"), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

var homeTemplate = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>The demo's app</title></head>
<body>
<h1>{{with .User}}Hello, {{.}}{{else}}Who are you?{{end}}</h1>
<form method="post" action="/login">{{range .Users}}<button name="user" value="{{.}}">{{.}}</button> {{end}}</form>
<p>This is a page of an app. If you are to be asked for an interview, there is a prompt in it.</p>
<p><a href="/underneath">What happens underneath</a></p>
</body>
</html>
`))

func home(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = homeTemplate.Execute(w, map[string]any{"User": currentUser(r), "Users": users}) // the browser is gone
}

var underneathTemplate = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>Underneath</title></head>
<body>
<h1>What happens underneath</h1>
<p><a href="/">Back to the app</a> · <a href="/deliveries">Deliveries in full</a></p>
<h2>Decisions</h2>
<ol reversed>{{range .Decisions}}<li>{{or .User "nobody"}}: {{.Reason}}</li>{{end}}</ol>
<h2>Prompts</h2>
<ol reversed>{{range .Prompts}}<li>{{.}}</li>{{end}}</ol>
<h2>Webhook deliveries</h2>
<ol reversed>{{range .Deliveries}}<li>{{.ReceivedAt.Format "15:04:05"}}: {{.Reason.Status}} {{.Reason}}</li>{{end}}</ol>
<h2>Completed interviews</h2>
{{range .Interviews}}<h3>{{or .Completion.UserID "nobody"}}, {{.Completion.CompletedAt.Format "15:04:05"}}, {{.Completion.Quality}}</h3>
{{range .Turns}}<p>{{.Role}}: {{.Text}}</p>{{else}}<p>The transcript is still to be fetched.</p>{{end}}
{{else}}<p>None yet.</p>{{end}}
</body>
</html>
`))

func (a *app) underneath(w http.ResponseWriter, r *http.Request) {
	interviews, err := a.interviews(r.Context())
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	a.log.mu.Lock()
	data := map[string]any{
		"Decisions": slices.Clone(a.log.decisions), "Prompts": slices.Clone(a.log.prompts),
		"Deliveries": slices.Clone(a.log.deliveries), "Interviews": interviews,
	}
	a.log.mu.Unlock()
	slices.Reverse(data["Decisions"].([]decided))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = underneathTemplate.Execute(w, data) // the browser is gone
}

// turnsOf reads a stored transcript.
func turnsOf(body []byte) []userjourneys.Turn {
	var i userjourneys.Interview
	if i.UnmarshalJSON(body) != nil {
		return nil
	}
	return i.Turns()
}
