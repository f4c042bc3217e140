package middleware

import (
	"html/template"
	"net/http"

	"github.com/askonce/askonce/gate"
)

var pageTemplate = template.Must(template.ParseFS(ui, "ui/page.html"))

// writePage says in the user's language why there is no interview now. The
// page stands alone and loads nothing.
func (m *Middleware) writePage(w http.ResponseWriter, v gate.Visitor, why gate.Reason) {
	t := m.texts(v.StudyID, v.Languages...)
	status, message := http.StatusOK, t.Closed
	switch why {
	case gate.ReasonCompleted:
		message = t.Completed
	case gate.ReasonAnonymous:
		status, message = http.StatusForbidden, t.SignedOut
	case gate.ReasonUnavailable:
		status, message = http.StatusServiceUnavailable, t.Unavailable
		w.Header().Set("Retry-After", "60")
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = pageTemplate.Execute(w, map[string]string{ // the client is gone
		"Language": t.Language, "Direction": direction(t.Language), "Message": message, "Back": t.Back,
	})
}
