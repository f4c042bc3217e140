package userjourneystest

import (
	"embed"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/askonce/askonce/userjourneys"
)

//go:embed pages
var files embed.FS

var templates = template.Must(template.ParseFS(files, "pages/*.html"))

// pages adds the pages for people to mux: each study's interview, as respondents see it,
// and the switches at the root. They need no JavaScript.
func (s *Server) pages(mux *http.ServeMux) {
	page := func(pattern string, h http.HandlerFunc) {
		mux.Handle(pattern, new(http.CrossOriginProtection).Handler(secured(h)))
	}
	page("GET /{$}", s.overviewPage)
	page("POST /{$}", s.switchConditions)
	page("POST /deliveries", s.deliverAgain)
	page("GET /style.css", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "pages/style.css") })
	page("GET /i/{code}", func(w http.ResponseWriter, r *http.Request) {
		s.writeInterviewPage(w, r.PathValue("code"), r.FormValue("reference_id"), false)
	})
	page("POST /i/{code}", s.finishPage)
}

// secured allows a page its own style sheet and forms, and nothing else.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer") // the address holds the reference id
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func write(w http.ResponseWriter, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = templates.ExecuteTemplate(w, name, data) // fails only if the client is gone
}

func (s *Server) finishPage(w http.ResponseWriter, r *http.Request) {
	code, reference := r.PathValue("code"), r.PostFormValue("reference_id")
	s.mu.Lock()
	st := s.studyAt(code)
	finished := st != nil && s.accepts(st)
	if finished {
		s.finish(st, Interview{ReferenceID: reference})
	}
	s.mu.Unlock()
	s.writeInterviewPage(w, code, reference, finished)
}

// studyAt returns the study whose interview page has this code, or nil.
func (s *Server) studyAt(code string) *study {
	for _, st := range s.studies {
		if st.Code == code {
			return st
		}
	}
	return nil
}

func (s *Server) writeInterviewPage(w http.ResponseWriter, code, reference string, finished bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.studyAt(code)
	if st == nil {
		http.Error(w, "no such study", http.StatusNotFound)
		return
	}
	write(w, "interview.html", map[string]any{
		"Name": st.Name, "Reference": reference, "Finished": finished, "Accepting": s.accepts(st),
	})
}

// shown is how many of the latest interviews and deliveries the overview lists.
const shown = 10

func (s *Server) overviewPage(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type row struct {
		Study
		Link      string
		Accepting bool
		Completed int
	}
	var studies []row
	for _, st := range s.studies {
		studies = append(studies, row{st.Study, s.link(st), s.accepts(st), s.count(st.ID, time.Time{})})
	}
	target := ""
	if s.webhook != nil {
		target = s.webhook.url
	}
	write(w, "overview.html", map[string]any{
		"Conditions": s.conditions,
		"Qualities":  []string{userjourneys.QualityInsightful, userjourneys.QualitySuccessful, userjourneys.QualityUnsuccessful},
		"Studies":    studies,
		"Interviews": latest(s.interviews),
		"Deliveries": latest(s.deliveries),
		"Webhook":    target,
		"Requests":   len(s.requests),
	})
}

func latest[T any](all []T) []T {
	all = slices.Clone(all[max(0, len(all)-shown):])
	slices.Reverse(all)
	return all
}

// switchConditions sets all conditions from the overview's form.
func (s *Server) switchConditions(w http.ResponseWriter, r *http.Request) {
	on := func(name string) bool { return r.PostFormValue(name) != "" }
	number := func(name string) int { n, _ := strconv.Atoi(r.PostFormValue(name)); return max(0, n) }
	seconds := func(name string) time.Duration { return time.Duration(min(number(name), 3600)) * time.Second }
	s.SetConditions(Conditions{
		Down: on("down"), Slow: seconds("slow"), RateLimit: number("rate_limit"), Lying: on("lying"),
		Full: on("full"), Paused: on("paused"), Quality: r.PostFormValue("quality"),
		Deliveries: Fate{Drop: on("lose"), Copies: min(number("copies"), 100), Delay: seconds("delay")},
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Server) deliverAgain(w http.ResponseWriter, r *http.Request) {
	s.Redeliver(r.PostFormValue("interview"))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
