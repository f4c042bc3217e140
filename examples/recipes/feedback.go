package recipes

import (
	"html/template"
	"net/http"
)

var menu = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><title>Home</title><body>
<nav><a href="/askonce/start?study={{.}}" target="_blank" rel="noopener">Give feedback</a></nav>
<h1>Home</h1>
</body></html>
`))

// Menu has a permanent "Give feedback" link to the study with this id. The start
// endpoint confirms the click like one on the prompt: it redirects to the
// interview, or says that the study is full or that the user has done it. The
// same address works in an e-mail.
func Menu(studyID string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = menu.Execute(w, studyID) // the client is gone
	}
}
