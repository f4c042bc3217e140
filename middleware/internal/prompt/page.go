package prompt

import (
	"net/http"
)

// A Message is what a page of the start endpoint says.
type Message uint8

// The messages.
const (
	MessageClosed      Message = iota // the study has ended or is paused
	MessageFull                       // the study has no place left
	MessageCompleted                  // the user has been interviewed already
	MessageUnavailable                // the interview cannot be opened now
	MessageSignedOut                  // nobody is signed in
)

func (m Message) of(t Texts) (status int, n Notice) {
	switch m {
	case MessageFull:
		return http.StatusOK, t.Full
	case MessageCompleted:
		return http.StatusOK, t.Completed
	case MessageUnavailable:
		return http.StatusServiceUnavailable, t.Unavailable
	case MessageSignedOut:
		return http.StatusForbidden, t.SignedOut
	}
	return http.StatusOK, t.Closed
}

// ServePage answers a click that does not lead to an interview with a page that
// says why, in the first of the user's languages that there are words in. It
// returns the error of Options.Texts, in whose place it has used built-in words.
func (r *Renderer) ServePage(w http.ResponseWriter, m Message, studyID string, languages []string) error {
	content, err := r.content(Study{ID: studyID}, languages...)
	status, notice := m.of(content.Texts)
	retry := ""
	h := w.Header()
	if m == MessageUnavailable {
		h.Set("Retry-After", "60")
		retry = content.StartURL
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = templates.ExecuteTemplate(w, "page.html", struct { // it fails if the client is gone
		Texts              Texts
		Notice             Notice
		Sender             Sender
		Direction          string
		Style, Logo, Retry string
	}{content.Texts, notice, r.opts.Sender, content.Direction, r.assets[0].path, r.opts.Sender.Logo, retry})
	return err
}
