package prompt

import (
	"net/http"
	"net/url"
	"strings"
)

// A Message is what a page of the endpoints says.
type Message uint8

// The messages.
const (
	MessageClosed      Message = iota // the study has ended or is paused at the provider
	MessageFull                       // the study has no place left
	MessageCompleted                  // the user has been interviewed already
	MessagePaused                     // an operator has paused asking
	MessageUnavailable                // the interview cannot be opened now
	MessageSignedOut                  // nobody is signed in
	MessageDeclined                   // the user has just declined, without JavaScript
	MessageRefused                    // the user has opted out
)

func (m Message) of(t Texts) (status int, n Notice) {
	switch m {
	case MessageFull:
		return http.StatusOK, t.Full
	case MessageCompleted:
		return http.StatusOK, t.Completed
	case MessagePaused:
		return http.StatusOK, t.Paused
	case MessageUnavailable:
		return http.StatusServiceUnavailable, t.Unavailable
	case MessageSignedOut:
		return http.StatusForbidden, t.SignedOut
	case MessageDeclined:
		return http.StatusOK, Notice{Title: t.Thanks}
	case MessageRefused:
		return http.StatusOK, t.Refused
	}
	return http.StatusOK, t.Closed
}

// A Reply is a page of the endpoints.
type Reply struct {
	Message   Message
	StudyID   string
	Languages []string // the user's, most wanted first
	Back      string   // the page of the app that the user came from, or its root
	From      string   // the parameter "from" of the request, for what follows
	Again     string   // the URL of the request itself, to try it again
}

// ServePage answers a click that does not lead to an interview, or a form that has
// declined, with a page. It is in the first of the user's languages that there are
// words in. ServePage returns the error of Options.Texts, in whose place it has used
// built-in words.
func (r *Renderer) ServePage(w http.ResponseWriter, reply Reply) error {
	content, err := r.content(Study{ID: reply.StudyID}, reply.Languages...)
	if content = content.returningTo(reply.Back); reply.From != "" {
		content = With(content, "from", reply.From)
	}
	data := struct {
		Texts                           Texts
		Notice                          Notice
		Sender                          Sender
		Direction                       string
		Style, Logo, Retry, Undo, Never string
		Back                            string
	}{Texts: content.Texts, Sender: r.opts.Sender, Direction: content.Direction, Style: r.assets[0].path, Logo: r.opts.Sender.Logo, Back: reply.Back}
	var status int
	status, data.Notice = reply.Message.of(content.Texts)
	h := w.Header()
	switch reply.Message {
	case MessageUnavailable:
		h.Set("Retry-After", "60")
		data.Retry = returningTo(reply.Again, reply.Back)
	case MessageDeclined:
		data.Undo, data.Never = content.UndoURL, content.OptOutURL
	case MessageRefused:
		data.Undo = returningTo(r.opts.Origin+r.opts.Path+"undo", reply.Back) // without a study: the opt-out
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = templates.ExecuteTemplate(w, "page.html", data) // it fails if the client is gone
	return err
}

// returningTo returns the content of a prompt whose forms lead back to a page, given by
// path and query, that their requests do not name.
func (c Content) returningTo(page string) Content {
	for _, u := range []*string{&c.LaterURL, &c.DeclineURL, &c.UndoURL, &c.OptOutURL} {
		*u = returningTo(*u, page)
	}
	return c
}

func returningTo(endpoint, page string) string {
	if page == "" {
		return endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return endpoint
	}
	q := u.Query()
	q.Set("back", page)
	u.RawQuery = q.Encode()
	return u.String()
}

// With returns the content of a prompt with one more parameter in each of its URLs.
func With(c Content, name, value string) Content {
	for _, u := range []*string{&c.StartURL, &c.ShownURL, &c.LaterURL, &c.DeclineURL, &c.UndoURL, &c.OptOutURL} {
		sep := "?"
		if strings.Contains(*u, "?") {
			sep = "&"
		}
		*u += sep + name + "=" + url.QueryEscape(value)
	}
	return c
}
