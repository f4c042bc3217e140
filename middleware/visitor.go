package middleware

import (
	"net/http"

	"github.com/askonce/askonce/gate"
)

// visitor returns who sent the request, and what this browser knows of earlier
// prompts. A nil user means the func that New was given.
func (m *Middleware) visitor(w http.ResponseWriter, r *http.Request, user func() string) gate.Visitor {
	v := gate.Visitor{UserID: m.userOf(r, user), Path: r.URL.Path}
	if preview := m.opts.Preview; preview != nil {
		m.call(r.Context(), "Options.Preview", func() { v.Preview = preview(r) })
	}
	if v.UserID == "" {
		if v.UserID = m.anonymousID(w, r); v.UserID == "" {
			return v
		}
	}
	v.Languages, v.History = m.languagesOf(r), m.history(r, v.UserID)
	return v
}
