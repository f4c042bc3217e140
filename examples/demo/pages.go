package main

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"time"
)

//go:embed ui
var embedded embed.FS

var (
	ui, _ = fs.Sub(embedded, "ui") // cannot fail: the name is valid

	templates = template.Must(template.New("").Funcs(template.FuncMap{
		"userOf": userOf,
		"toggle": func(name string, on bool, label string) toggle { return toggle{name, label, on} },
		"fates":  func() []string { return []string{"on time", "lost", "late", "twice"} },
		"day":    func(t time.Time) string { return t.Format("Monday, 2 January") },
		"due": func(days int) string {
			switch {
			case days < -1:
				return fmt.Sprintf("%d days ago", -days)
			case days == -1:
				return "yesterday"
			case days == 0:
				return "today"
			case days == 1:
				return "tomorrow"
			}
			return fmt.Sprintf("in %d days", days)
		},
	}).ParseFS(ui, "*.html"))
)

func static(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=300")
	http.FileServerFS(ui).ServeHTTP(w, r)
}

// page is what all pages show: Fernly, and the demo beside it.
type page struct {
	Title, Path string
	Me          user // zero if nobody is signed in
	Plants      []plant
	Thirsty     []plant
	Visits      []visit
	demo
}

// toggle is a switch that is on or off.
type toggle struct {
	Switch, Label string
	On            bool
}

// demo is the panel beside Fernly.
type demo struct {
	Users    []standing
	Entries  []entry
	Switches switches
}

func (a *app) demo(r *http.Request) demo {
	return demo{a.standings(r.Context()), a.journal.newest(), a.switches(r.Context())}
}

func (a *app) show(w http.ResponseWriter, r *http.Request, name, title string) {
	me := userOf(currentUser(r))
	if me == (user{}) {
		name, title = "welcome.html", "Sign in"
	}
	p := page{Title: title, Path: r.URL.Path, Me: me, Plants: a.plants.of(me.Office), Visits: visitsAt(time.Now()), demo: a.demo(r)}
	for _, plant := range p.Plants {
		if plant.Due() <= 0 {
			p.Thirsty = append(p.Thirsty, plant)
		}
	}
	slices.SortStableFunc(p.Plants, func(a, b plant) int { return a.Due() - b.Due() })
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = templates.ExecuteTemplate(w, name, p) // the browser is gone
}

func (a *app) today(w http.ResponseWriter, r *http.Request) { a.show(w, r, "today.html", "Today") }
func (a *app) allPlants(w http.ResponseWriter, r *http.Request) {
	a.show(w, r, "plants.html", "Plants")
}
func (a *app) visits(w http.ResponseWriter, r *http.Request) { a.show(w, r, "visits.html", "Visits") }

// live serves the parts of the panel that may have changed. The script of open pages
// requests them every second.
func (a *app) live(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = templates.ExecuteTemplate(w, "live.html", a.demo(r)) // the browser is gone
}

// back redirects to the page that sent the form.
func back(w http.ResponseWriter, r *http.Request) {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Host != r.Host {
		from = &url.URL{Path: "/"}
	}
	http.Redirect(w, r, from.EscapedPath(), http.StatusSeeOther)
}
