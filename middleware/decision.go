package middleware

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware/internal/prompt"
	"github.com/askonce/askonce/store"
)

// decisionJSON is the answer of the decision endpoint.
type decisionJSON struct {
	Ask       bool        `json:"ask"`
	Reason    gate.Reason `json:"reason"`
	Study     string      `json:"study,omitempty"`
	Seen      bool        `json:"seen,omitempty"` // within gate.Options.Linger, so it is not reported again
	Language  string      `json:"language,omitempty"`
	Direction string      `json:"direction,omitempty"`
	Texts     Texts       `json:"texts,omitzero"`
	Links     links       `json:"links,omitzero"`
}

// links are the prompt's own. If Ask is false, all but Start are empty.
type links struct {
	Start   string `json:"start"`
	Shown   string `json:"shown,omitempty"`
	Later   string `json:"later,omitempty"`
	Decline string `json:"decline,omitempty"`
	Undo    string `json:"undo,omitempty"`
	OptOut  string `json:"optOut,omitempty"`
}

// serveDecision answers a single-page app that renders the prompt itself. It has no side
// effect: the app reports what the user sees by a POST to links.shown.
func (m *Middleware) serveDecision(w http.ResponseWriter, r *http.Request, v gate.Visitor) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	query := r.URL.Query()
	v.StudyID = query.Get("study")
	if own := query.Get("language"); own != "" {
		v.Languages = append([]string{own}, v.Languages...)
	}
	if query.Has("peek") {
		v.Occasion = gate.OccasionPeek
	}
	w.WriteHeader(http.StatusOK)
	_ = json.NewEncoder(w).Encode(m.decide(r, v)) // it fails if the client is gone
}

func (m *Middleware) decide(r *http.Request, v gate.Visitor) decisionJSON {
	if v.UserID == "" {
		return decisionJSON{Reason: gate.ReasonAnonymous}
	}
	d := m.decider.Decide(r.Context(), v)
	if d.Ask() {
		if rendered := m.render(r.Context(), d.Prompt); rendered != nil {
			c := m.forApp(rendered.Content(), r, v)
			return decisionJSON{
				Ask: true, Reason: d.Reason, Study: c.StudyID, Seen: c.Seen, Language: c.Texts.Language, Direction: c.Direction,
				Texts: Texts(c.Texts), Links: links{c.StartURL, c.ShownURL, c.LaterURL, c.DeclineURL, c.UndoURL, c.OptOutURL},
			}
		}
		d.Reason = gate.ReasonUnavailable
	}
	answer := decisionJSON{Reason: d.Reason}
	if store.CheckID(v.StudyID) == nil { // a permanent link, which the start endpoint answers
		answer.Links.Start = m.forApp(m.prompts.Start(v.StudyID), r, v).StartURL
	}
	return answer
}

// A ticket stands for the bearer token of a single-page app in the links that the decision
// endpoint answers with, because neither a new tab nor a report at the end of a page
// carries the token. It is sealed with the cookie keys and names one user and one study. A
// session that a request has counts before it. The decision endpoint takes no ticket,
// because one could be exchanged for the next forever.
const (
	ticketAge  = time.Hour
	ticketKey  = "ticket" // the parameter of the links
	ticketName = "askonce-ticket"
)

// forApp returns the content with the links for a single-page app. They have a ticket if
// the request for them was authorized by a header.
func (m *Middleware) forApp(c prompt.Content, r *http.Request, v gate.Visitor) prompt.Content {
	c = prompt.With(c, sourceKey, SourceApp.String())
	if r.Header.Get("Authorization") == "" || m.isAnonymous(v.UserID) {
		return c
	}
	ticket, err := securecookie.EncodeMulti(ticketName, []byte(c.StudyID+"\x00"+v.UserID), m.tickets...) // ids contain no NUL
	if err != nil {                                                                                      // only if the system has no randomness
		m.opts.Logger.WarnContext(r.Context(), "askonce: no ticket for a single-page app", "study", c.StudyID, "err", err)
		return c
	}
	return prompt.With(c, ticketKey, ticket)
}

// ticketHolder returns the user of the ticket of a request for the named endpoint, or "".
// An opt-out and its undoing are for all studies.
func (m *Middleware) ticketHolder(r *http.Request, endpoint string) string {
	query := r.URL.Query()
	var payload []byte
	if endpoint == "decision" || securecookie.DecodeMulti(ticketName, query.Get(ticketKey), &payload, m.tickets...) != nil {
		return ""
	}
	study, user, _ := strings.Cut(string(payload), "\x00")
	asked := query.Get("study")
	isForAll := asked == "" && (endpoint == "optout" || endpoint == "undo")
	if asked != study && !isForAll {
		return ""
	}
	return user
}
