package prompt

import (
	"html/template"
	"net/http"
)

var pageTemplate = template.Must(template.ParseFS(ui, "ui/page.html"))

// A Message is what a page of the start endpoint says.
type Message uint8

// The messages.
const (
	MessageClosed      Message = iota // the study takes no more participants
	MessageCompleted                  // the user has been interviewed already
	MessageUnavailable                // the interview cannot be opened now
	MessageSignedOut                  // nobody is signed in
)

// ServePage answers a click that does not lead to an interview, with a page that
// says why in the first of the user's languages that there are words in.
func (r *Renderer) ServePage(w http.ResponseWriter, m Message, studyID string, languages []string) error {
	t, err := r.texts(studyID, languages...)
	status, message := http.StatusOK, t.Closed
	switch m {
	case MessageCompleted:
		message = t.Completed
	case MessageSignedOut:
		status, message = http.StatusForbidden, t.SignedOut
	case MessageUnavailable:
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
	return err
}
