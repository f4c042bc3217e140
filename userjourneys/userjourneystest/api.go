package userjourneystest

import (
	"cmp"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) routes() http.Handler {
	api := http.NewServeMux()
	api.HandleFunc("GET /studies", s.listStudies)
	api.HandleFunc("GET /studies/{id}", s.getStudy)
	api.HandleFunc("GET /interviews", s.listInterviews)
	api.HandleFunc("GET /interviews/{id}", s.getInterview)
	api.HandleFunc("GET /webhooks", s.getWebhook)
	api.HandleFunc("PUT /webhooks", s.putWebhook)
	api.HandleFunc("DELETE /webhooks", s.deleteWebhook)

	api.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusNotFound, "no such resource")
	})

	mux := http.NewServeMux()
	mux.Handle("/api/v1/", http.StripPrefix("/api/v1", s.authenticated(api)))
	s.pages(mux)
	return mux
}

// authenticated records every request, then refuses those without the key.
func (s *Server) authenticated(next http.Handler) http.Handler {
	want := []byte("Bearer " + s.opts.APIKey)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ok := subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) == 1
		s.mu.Lock()
		s.requests = append(s.requests, Request{r.Method, r.URL.Path, r.URL.RawQuery, ok, s.now()})
		s.mu.Unlock()
		switch {
		case s.intercept(w, r):
		case !ok:
			writeError(w, http.StatusUnauthorized, "invalid API key")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *Server) listStudies(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []any
	var ids []string
	for _, st := range s.studies {
		if s.active(st) {
			all, ids = append(all, s.studyJSON(st, false)), append(ids, st.ID)
		}
	}
	s.writePage(w, r, all, ids)
}

func (s *Server) getStudy(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.study(r.PathValue("id"))
	if st == nil || !s.active(st) {
		writeError(w, http.StatusNotFound, "study not found")
		return
	}
	writeJSON(w, http.StatusOK, s.studyJSON(st, true))
}

func (s *Server) listInterviews(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("study_id") == "" {
		writeError(w, http.StatusBadRequest, "study_id is required")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []any
	var ids []string
	for _, i := range s.interviews {
		if i.StudyID == q.Get("study_id") &&
			fits(q.Get("status"), i.Status) && fits(q.Get("reference_id"), i.ReferenceID) && fits(q.Get("quality_score"), i.Quality) {
			all, ids = append(all, s.interviewJSON(i, false)), append(ids, i.ID)
		}
	}
	s.writePage(w, r, all, ids)
}

func fits(want, got string) bool { return want == "" || want == got }

func (s *Server) getInterview(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.interview(r.PathValue("id"))
	if i == nil || s.now().Before(i.CompletedAt.Add(s.hidden)) {
		writeError(w, http.StatusNotFound, "interview not found")
		return
	}
	writeJSON(w, http.StatusOK, s.interviewJSON(i, true))
}

// writePage writes the part of a list that limit and starting_after select.
func (s *Server) writePage(w http.ResponseWriter, r *http.Request, all []any, ids []string) {
	limit, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("limit"), "20"))
	if err != nil || limit < 1 || limit > 100 {
		writeError(w, http.StatusBadRequest, "limit must be between 1 and 100")
		return
	}
	if s.opts.NewestFirst {
		slices.Reverse(all)
		slices.Reverse(ids)
	}
	if after := r.URL.Query().Get("starting_after"); after != "" {
		at := slices.Index(ids, after)
		if at < 0 {
			writeError(w, http.StatusBadRequest, "starting_after names nothing")
			return
		}
		all = all[at+1:]
	}
	data, more := append([]any{}, all[:min(limit, len(all))]...), any(len(all) > limit)
	if s.conditions.Lying {
		more = "true"
		if len(data) > 0 {
			data = append([]any{nil, map[string]any{"object": "unknown"}, map[string]any{"id": 7}}, data...)
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": data, "has_more": more})
}

func (s *Server) getWebhook(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.webhook == nil {
		writeError(w, http.StatusNotFound, "no webhook is configured")
		return
	}
	writeJSON(w, http.StatusOK, s.webhook.json(""))
}

func (s *Server) putWebhook(w http.ResponseWriter, r *http.Request) {
	var in struct {
		URL    string   `json:"url"`
		Events []string `json:"events"`
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil || !strings.Contains(in.URL, "://") || len(in.Events) == 0 {
		writeError(w, http.StatusBadRequest, "url and events are required")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.webhook != nil {
		s.webhook.url, s.webhook.events = in.URL, in.Events
		writeJSON(w, http.StatusOK, s.webhook.json(""))
		return
	}
	s.createWebhook(in.URL, in.Events)
	writeJSON(w, http.StatusCreated, s.webhook.json(s.webhook.secret))
}

func (s *Server) deleteWebhook(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.webhook == nil {
		writeError(w, http.StatusNotFound, "no webhook is configured")
		return
	}
	s.webhook = nil
	w.WriteHeader(http.StatusNoContent)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}

func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]any{"message": message}})
}
