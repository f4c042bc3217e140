package middleware

import (
	"net/http"
	"strings"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware/internal/prompt"
)

// Texts are the words of one prompt in one language. They are plain text.
type Texts = prompt.Texts

// Content is what a prompt says and where its links lead. Options.Template is
// executed with it.
type Content = prompt.Content

// A Notice is what one page of the start endpoint says.
type Notice = prompt.Notice

// A Sender is who the invitation comes from.
type Sender = prompt.Sender

// Position is where the prompt appears, unless the page has an element with a
// data-askonce-here attribute: then it goes there. Start and end are sides of the
// page's own direction.
type Position = prompt.Position

// The positions.
const (
	PositionBottomEnd   = prompt.PositionBottomEnd   // a card in the lower corner where lines end
	PositionBottomStart = prompt.PositionBottomStart // a card in the lower corner where lines begin
	PositionTopEnd      = prompt.PositionTopEnd      // a card in the upper corner where lines end
	PositionTopStart    = prompt.PositionTopStart    // a card in the upper corner where lines begin
	PositionBanner      = prompt.PositionBanner      // a bar along the lower edge
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

// snippetFor returns what is placed into the page with the header h, or nil if
// the page's policy does not let the prompt work.
func (r *Response) snippetFor(h http.Header) (snippet []byte, reports bool) {
	page := prompt.Page{Header: h, Host: r.request.Host}
	switch scheme, host, _ := strings.Cut(r.m.opts.Origin, "://"); {
	case host != "":
		page.Scheme, page.Host = scheme, host
	case r.m.isSecure(r.request):
		page.Scheme = "https"
	}
	if r.m.opts.Nonce != nil {
		page.Nonce = r.m.opts.Nonce(r.request)
	}
	return r.root.rendered.Snippet(page)
}

// writePage says in the user's language why there is no interview now.
func (m *Middleware) writePage(w http.ResponseWriter, v gate.Visitor, why gate.Reason) {
	message := prompt.MessageClosed
	switch why {
	case gate.ReasonFull:
		message = prompt.MessageFull
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
