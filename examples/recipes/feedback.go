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

// Menu serves a page with a permanent "Give feedback" link to a study, given by the name
// or id that askonce.Config.Studies has for it. The start endpoint confirms the click
// like one on the prompt: it redirects to the interview, or says that the study is full
// or that the user has completed it.
//
// The same address works in an e-mail for users who are signed in. Others are asked to
// sign in and come back, so let the e-mail link to your login page, which redirects to
// this address afterwards.
//
// A single-page app with bearer tokens uses links.start of a decision instead; see
// [SinglePage].
func Menu(study string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = menu.Execute(w, study) // the client is gone
	}
}
