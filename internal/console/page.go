package console

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"

	"github.com/askonce/askonce/internal/guard"
)

//go:embed ui
var ui embed.FS

// page is what ui/layout.html shows around the data of one page.
type page struct {
	Title   string
	Section string // of the navigation
	Flash   flash
	Data    any
}

// A section is one entry of the navigation.
type section struct{ Path, Name string }

// Sections returns the navigation. The overview's path is not empty, because that would
// link to the current page.
func (page) Sections() []section {
	return []section{{"./", "Overview"}, {"people", "People"}, {"interviews", "Interviews"}, {"queue", "Queue"}, {"deliveries", "Deliveries"}}
}

// titles are the title and the section of each page, by the name of its template.
var titles = map[string]struct{ title, section string }{
	"overview":   {"Overview", "./"},
	"people":     {"People", "people"},
	"interviews": {"Interviews", "interviews"},
	"interview":  {"Interview", "interviews"},
	"queue":      {"Queue", "queue"},
	"deliveries": {"Deliveries", "deliveries"},
}

var templates = func() map[string]*template.Template {
	layout := template.Must(template.New("layout.html").Funcs(funcs).ParseFS(ui, "ui/layout.html"))
	all := map[string]*template.Template{}
	for name := range titles {
		all[name] = template.Must(template.Must(layout.Clone()).ParseFS(ui, "ui/"+name+".html"))
	}
	return all
}()

// render writes the page of the named template.
func (c *console) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	t := titles[name]
	var b bytes.Buffer
	if err := templates[name].Execute(&b, page{t.title, t.section, readFlash(r), data}); err != nil {
		c.Logger.ErrorContext(r.Context(), "askonce: a page of the console cannot be made", "page", name, "err", err, guard.Stack(err))
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // fails only if the browser is gone
}

func (c *console) style(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, ui, "ui/style.css")
}
