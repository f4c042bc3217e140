package middleware

import (
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware/internal/prompt"
)

// A ticket stands for the bearer token of a single-page app in the links that the
// decision endpoint answers, because neither a new tab nor a report at the end of a
// page carries the token. It is sealed with the cookie keys and names one user and one
// study. A session that a request has counts before it. The decision endpoint takes no
// ticket, because one could be exchanged for the next forever.
const (
	ticketAge = time.Hour
	ticketKey = "ticket" // the parameter of the links
)

func newTickets(keys [][]byte) sealedCookie {
	codecs, _ := newCodecs(keys) // the error is that of the cookies
	for _, c := range codecs {
		c.(*securecookie.SecureCookie).MaxAge(int(ticketAge / time.Second))
	}
	return sealedCookie{name: "askonce-ticket", codecs: codecs}
}

// withTicket returns the content of a prompt with a ticket in its links, if the request
// for it was authorized by a header.
func (m *Middleware) withTicket(c prompt.Content, r *http.Request, v gate.Visitor) (prompt.Content, error) {
	if r.Header.Get("Authorization") == "" || m.isAnonymous(v.UserID) {
		return c, nil
	}
	ticket, err := m.tickets.seal([]byte(c.StudyID + "\x00" + v.UserID)) // ids contain no NUL
	if err != nil {                                                      // only if the system has no randomness
		return c, err
	}
	return prompt.With(c, ticketKey, ticket), nil
}

// ticketHolder returns the user of the ticket of a request for the named endpoint, or
// "". An opt-out and its undoing are for all studies.
func (m *Middleware) ticketHolder(r *http.Request, endpoint string) string {
	query := r.URL.Query()
	payload, ok := m.tickets.open(query.Get(ticketKey))
	study, user, _ := strings.Cut(string(payload), "\x00")
	asked := query.Get("study")
	ofAll := asked == "" && (endpoint == "optout" || endpoint == "undo")
	if !ok || endpoint == "decision" || asked != study && !ofAll {
		return ""
	}
	return user
}
