package site

import (
	"context"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/askonce/askonce/examples/recipes"
)

//go:embed ui
var ui embed.FS

// Templates are the pages home.html and interviews.html. Each is executed with a
// [Page].
var Templates = template.Must(template.ParseFS(ui, "ui/*.html"))

// Page is the data of a page.
type Page struct {
	User       string
	Interviews []recipes.Interview
}

// Admin reports whether the page's user may read interviews.
func (p Page) Admin() bool { return p.User == Admin }

// Render writes a page.
func Render(w http.ResponseWriter, name string, p Page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = Templates.ExecuteTemplate(w, name, p) // the browser is gone
}

// Style serves the style sheet.
func Style(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, ui, "ui/style.css") }

// Interviews returns the interviews of the last 30 days.
func (s *Site) Interviews(ctx context.Context) ([]recipes.Interview, error) {
	all, err := recipes.Interviews(ctx, s.Store, time.Now().AddDate(0, 0, -30))
	if err != nil {
		slog.ErrorContext(ctx, "interviews unavailable", "err", err)
	}
	return all, err
}
