package userjourneystest

import (
	"html/template"
	"net/http"
)

var pageTemplate = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Name}}</title></head>
<body><h1>{{.Name}}</h1>
{{if .Finished}}<p>Thank you. You can close this tab.</p>
{{else if .Accepting}}<p>This is the fake provider: no microphone is needed.</p>
<form method="post"><input type="hidden" name="reference_id" value="{{.Reference}}"><button>Finish the interview</button></form>
{{else}}<p>This study takes no more responses.</p>{{end}}
</body></html>
`))

func (s *Server) interviewPage(w http.ResponseWriter, r *http.Request) {
	s.writeInterviewPage(w, r.PathValue("code"), r.URL.Query().Get("reference_id"), false)
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
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = pageTemplate.Execute(w, map[string]any{ // the client is gone
		"Name": st.Name, "Reference": reference, "Finished": finished, "Accepting": s.accepts(st),
	})
}
