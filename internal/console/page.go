package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

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

// Sections are the navigation. The overview's path may not be empty: that would
// be a link to the page itself.
func (page) Sections() []section {
	return []section{{"./", "Overview"}, {"people", "People"}, {"interviews", "Interviews"}, {"queue", "Queue"}, {"deliveries", "Deliveries"}}
}

// titles and sections of the pages, by the name of their template.
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

// render answers with the page of the named template in ui.
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
	_, _ = w.Write(b.Bytes()) // the browser has gone
}

func (c *console) style(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, ui, "ui/style.css")
}

// funcs are the functions of all templates.
var funcs = template.FuncMap{
	"when":     when,
	"date":     date,
	"duration": duration,
	"bytes":    size,
	"clean":    clean,
	"brief":    brief,
	"count":    count,
	"number":   thousands,
	"prose":    prose,
	"body":     body,
	"verdict":  verdict,
	"reason":   reason,
	"took":     took,
	"quality":  quality,
}

// when says how long ago t was, with the time itself for those who want to know.
func when(t time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s UTC">%s</time>`, t.UTC().Format(time.RFC3339), date(t), ago(t)))
}

// ago says how long ago t was, for people: "3 minutes ago".
func ago(t time.Time) string {
	switch d := time.Since(t); {
	case t.IsZero():
		return "never"
	case d <= -time.Second:
		return "in " + duration(-d)
	case d < time.Second:
		return "just now"
	default:
		return duration(d) + " ago"
	}
}

// date returns t in UTC, to the second.
func date(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// duration returns d in its largest unit: "3 minutes".
func duration(d time.Duration) string {
	for _, unit := range []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := int(d / unit.d); n > 0 {
			return count(n, unit.name)
		}
	}
	return "less than a second"
}

// took returns a duration of a request: "1.2 ms".
func took(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// count returns "1 job" or "3 jobs".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return thousands(n) + " " + what
}

// thousands returns n with commas: "1,200".
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size returns n bytes for people: "1.5 KB".
func size(n int) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f KB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1000/1000)
}
