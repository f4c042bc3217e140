package recipes

import (
	"html/template"
	"net/http"

	"github.com/askonce/askonce/store"
)

var settings = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><title>Settings</title><body>
<form method="post">
<label><input type="checkbox" name="never" {{if .}}checked{{end}}> Never invite me to an interview</label>
<button>Save</button>
</form>
</body></html>
`))

// Settings serves a page where users opt out of every study, or opt in again. Pass the
// store of askonce.Config, so that its cache is updated at once. Wrap the handler in
// [http.CrossOriginProtection], so that other sites cannot post the form.
func Settings(s store.Store, user func(*http.Request) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := user(r)
		if id == "" {
			http.Error(w, "please sign in", http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodPost {
			if err := store.OptOut(r.Context(), s, id, r.FormValue("never") != ""); err != nil {
				http.Error(w, "not saved, please try again", http.StatusServiceUnavailable)
				return
			}
		}
		out, err := store.OptedOut(r.Context(), s, id)
		if err != nil {
			http.Error(w, "please try again", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = settings.Execute(w, out) // the client is gone
	}
}
