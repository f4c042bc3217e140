package middleware

import (
	"net/http"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware/internal/prompt"
)

// Texts are the words of one prompt in one language. They are plain text.
type Texts = prompt.Texts

// Content is what a prompt says and where its links lead. Options.Template is
// executed with it.
type Content = prompt.Content

// Position is where the prompt appears, unless the page has an element with a
// data-askonce-here attribute: then it goes there.
type Position = prompt.Position

// The positions.
const (
	PositionCorner = prompt.PositionCorner // a card in the lower corner at the end of the line
	PositionBanner = prompt.PositionBanner // a bar along the lower edge
)

// newDecision completes the prompt with its URL and renders it.
func (m *Middleware) newDecision(p gate.Prompt, user string, h gate.History) (decision, error) {
	s := prompt.Study{ID: p.StudyID, Name: p.StudyName, Language: p.Language}
	if m.opts.DirectLinks {
		var err error
		if s.Link, err = p.Link(); err != nil {
			return decision{}, err
		}
	}
	rendered, err := m.prompts.Prompt(s)
	if err != nil {
		return decision{}, err
	}
	p.URL = rendered.Content().StartURL
	return decision{p, rendered, user, h}, nil
}

// snippetFor returns what is placed into the page with the header h. It returns
// false if the page's policy leaves no prompt.
func (r *Response) snippetFor(h http.Header) ([]byte, bool) {
	page := prompt.Page{Header: h}
	if r.m.opts.Nonce != nil {
		page.Nonce = r.m.opts.Nonce(r.request)
	}
	return r.root.rendered.Snippet(page)
}

// writePage says in the user's language why there is no interview now.
func (m *Middleware) writePage(w http.ResponseWriter, v gate.Visitor, why gate.Reason) {
	message := prompt.MessageClosed
	switch why {
	case gate.ReasonCompleted:
		message = prompt.MessageCompleted
	case gate.ReasonAnonymous:
		message = prompt.MessageSignedOut
	case gate.ReasonUnavailable:
		message = prompt.MessageUnavailable
	}
	if err := m.prompts.ServePage(w, message, v.StudyID, v.Languages); err != nil {
		m.opts.Logger.Warn("askonce: built-in words used", "study", v.StudyID, "err", err)
	}
}
