package middleware

import (
	"net/http"

	"github.com/askonce/askonce/gate"
)

// visitor returns who sent the request, with the history in the browser's cookie. A nil
// user means the func that New was given.
func (m *Middleware) visitor(w http.ResponseWriter, r *http.Request, user func() string) (v gate.Visitor) {
	v.UserID, v.Path = m.userOf(r, user), r.URL.Path
	v.Preview = m.IsPreview(r)
	if v.UserID == "" {
		if v.UserID = m.anonymousID(w, r); v.UserID == "" {
			return v
		}
	}
	v.Languages = m.languagesOf(r)
	if mentions(r.Header["Cookie"], historyCookie) { // few users' do
		v.History = m.history(r, v.UserID)
		if m.anonymous != nil && !m.isAnonymous(v.UserID) {
			v.AnonymousID = m.knownAnonymous(r)
		}
	}
	return v
}

// IsPreview reports whether the request is from staff who preview the prompt, as
// [Options].Preview says. If Preview panics or is nil, nobody does.
func (m *Middleware) IsPreview(r *http.Request) (preview bool) {
	if m.opts.Preview == nil {
		return false
	}
	m.call(r.Context(), "Options.Preview", func() { preview = m.opts.Preview(r) })
	return preview
}
