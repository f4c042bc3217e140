package recipes

import (
	"html/template"
	"net/http"

	"github.com/askonce/askonce/middleware"
)

var page = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><title>Home</title><body>
{{with .Prompt}}<p class="banner"><a href="{{.StartURL}}" target="_blank" rel="noopener">Tell us what you think: 10 minutes, by voice</a></p>{{end}}
<h1>Home</h1>
</body></html>
`))

// Home renders the prompt in its own template. After a call of [middleware.PromptFrom], the
// middleware injects nothing: call it only where the template shows the prompt, and before
// the first byte is written.
func Home(w http.ResponseWriter, r *http.Request) {
	data := map[string]any{}
	if prompt, ok := middleware.PromptFrom(r.Context()); ok {
		data["Prompt"] = prompt
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, data) // the client is gone
}
