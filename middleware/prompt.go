package middleware

import (
	"net/http"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware/internal/page"
	"github.com/askonce/askonce/middleware/internal/prompt"
)

// Texts holds the words of one prompt in one language. They are plain text.
//
//	Language string               // a BCP 47 tag; the lang and dir attributes of the prompt follow from it
//	Kind string                   // what the invitation is to, in the line above the title
//	Title, Text string
//	Facts []string                // what to know beforehand, each a few words
//	Start, Decline string         // the buttons
//	NewTab string                 // what Start does, for screen readers
//	Later string                  // the name of the × button
//	Thanks, Undo, Never string    // after Decline, with two buttons
//	OptedOut string               // after Never
//
//	// The pages for a click that leads to no interview.
//	Closed, Full, Completed, Paused, Refused, Unavailable, SignedOut Notice
//	TryAgain string               // on the page Unavailable
//	Back string                   // leads to the app
type Texts = prompt.Texts

// Content holds the words of a prompt and the URLs of its links.
// [Options].Template is executed with it.
//
//	StudyID, StudyName string
//	Texts Texts
//	Direction string              // of the words: "ltr", "rtl" or "auto"
//	StartURL string               // for a link with target="_blank" and rel="noopener"
//	ShownURL string               // for a POST once the prompt has been seen for a second, unless Seen
//	Seen bool                     // the user saw the prompt on an earlier page a moment ago: it counts once
//
//	// For forms with method="post", or for scripts that send a POST.
//	LaterURL, DeclineURL, UndoURL, OptOutURL string
type Content = prompt.Content

// A Notice is what one page of the endpoints says: its Title and its Text, both strings.
type Notice = prompt.Notice

// A Sender is who the invitation comes from. Its Name is shown above the title; empty,
// there is none. Its Logo is the URL path of a square picture that the app serves, such as
// "/static/logo.svg". It is left out of pages whose Content-Security-Policy forbids it, and
// defaults to a sign for a voice interview. Both are strings.
type Sender = prompt.Sender

// A Position says where the prompt appears, unless the page has an element with a
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

// An Outcome says whether one response got the prompt, and if not, why. There are few,
// so that they can label a metric: the method String returns the label.
type Outcome = page.Outcome

// The outcomes. Only with [OutcomeInjected] and [OutcomeRendered] can the user see the
// prompt.
const (
	OutcomeNoAnswer    = page.OutcomeNoAnswer    // the handler wrote nothing
	OutcomeInjected    = page.OutcomeInjected    // the prompt is in the page
	OutcomeRendered    = page.OutcomeRendered    // the app rendered it itself, see [PromptFrom]
	OutcomeStatus      = page.OutcomeStatus      // the status is not 200
	OutcomeNotHTML     = page.OutcomeNotHTML     // another media type, or none that could be determined
	OutcomeEncoded     = page.OutcomeEncoded     // compressed by the handler or by something inside of the middleware
	OutcomeCharset     = page.OutcomeCharset     // a character encoding in which ASCII does not stand for itself
	OutcomePartial     = page.OutcomePartial     // a part of a page (Content-Range)
	OutcomeAttachment  = page.OutcomeAttachment  // to be saved, not displayed
	OutcomeNoTransform = page.OutcomeNoTransform // Cache-Control: no-transform, or signed
	OutcomeEmpty       = page.OutcomeEmpty       // no body
	OutcomeFragment    = page.OutcomeFragment    // HTML that does not begin as a document
	OutcomeUnfinished  = page.OutcomeUnfinished  // cut off, or open in a comment, a script or the like
	OutcomeAMP         = page.OutcomeAMP         // an AMP page, which the prompt's script would make invalid
	OutcomeHeadOnly    = page.OutcomeHeadOnly    // a HEAD request
	OutcomeHijacked    = page.OutcomeHijacked    // the handler took the connection over
	OutcomePanicked    = page.OutcomePanicked    // the handler panicked
	OutcomePolicy      = page.OutcomePolicy      // the page's Content-Security-Policy does not allow the prompt
)

// refuse says in the user's language why there is no interview now.
func (m *Middleware) refuse(w http.ResponseWriter, r *http.Request, v gate.Visitor, why gate.Reason) {
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
	case gate.ReasonPaused:
		message = prompt.MessagePaused
	case gate.ReasonDeclined:
		message = prompt.MessageRefused
	}
	m.writePage(w, r, message, v.StudyID, v.Languages)
}

func (m *Middleware) writePage(w http.ResponseWriter, r *http.Request, message prompt.Message, study string, languages []string) {
	reply := prompt.Reply{Message: message, StudyID: study, Languages: languages, Back: m.back(r), Again: r.URL.RequestURI(), From: r.URL.Query().Get(sourceKey)}
	if err := m.prompts.ServePage(w, reply); err != nil {
		m.opts.Logger.WarnContext(r.Context(), "askonce: built-in words used", "study", study, "err", err)
	}
}
