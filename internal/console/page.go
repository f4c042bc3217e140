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

// page is the data of ui/layout.html, which shows one page.
type page struct {
	Name  string // of the page's template
	Flash flash
	Data  any
}

var templates = func() map[string]*template.Template {
	layout := template.Must(template.New("layout.html").Funcs(funcs).ParseFS(ui, "ui/layout.html"))
	all := map[string]*template.Template{}
	for _, name := range []string{"overview", "people", "interviews", "interview", "queue", "deliveries"} {
		all[name] = template.Must(template.Must(layout.Clone()).ParseFS(ui, "ui/"+name+".html"))
	}
	return all
}()

// render writes the page of the named template.
func (c *console) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	if err := templates[name].Execute(&b, page{name, readFlash(r), data}); err != nil {
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
