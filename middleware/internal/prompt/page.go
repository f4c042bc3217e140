package prompt

import (
	"net/http"
	"net/url"
	"strings"
)

// A Message is what a page of the endpoints tells the user.
type Message uint8

// The messages.
const (
	MessageClosed      Message = iota // the study has ended or is paused at the provider
	MessageFull                       // the study has no place left
	MessageCompleted                  // the user has already been interviewed
	MessagePaused                     // an operator has paused asking
	MessageUnavailable                // the interview cannot be opened now
	MessageSignedOut                  // nobody is signed in
	MessageDeclined                   // the user has just declined, without JavaScript
	MessageRefused                    // the user has opted out
)

func (m Message) of(t Texts) (status int, title, text string) {
	switch m {
	case MessageFull:
		return http.StatusOK, t.FullTitle, t.FullText
	case MessageCompleted:
		return http.StatusOK, t.CompletedTitle, t.CompletedText
	case MessagePaused:
		return http.StatusOK, t.PausedTitle, t.PausedText
	case MessageUnavailable:
		return http.StatusServiceUnavailable, t.UnavailableTitle, t.UnavailableText
	case MessageSignedOut:
		return http.StatusForbidden, t.SignedOutTitle, t.SignedOutText
	case MessageDeclined:
		return http.StatusOK, t.Thanks, ""
	case MessageRefused:
		return http.StatusOK, t.RefusedTitle, t.RefusedText
	}
	return http.StatusOK, t.ClosedTitle, t.ClosedText
}

// A Reply is a page of the endpoints.
type Reply struct {
	Message   Message
	StudyID   string
	Languages []string // the user's, most wanted first
	Back      string   // the page of the app that the user came from, or its root
	From      string   // the parameter "from" of the request, for the requests of this page
	Again     string   // the URL of the request itself, to repeat it
}

// ServePage answers a click that leads to no interview, or a form that declines, with a
// page. It is in the first of the user's languages for which there are words. If
// Options.Texts fails, ServePage uses the built-in words and returns the error.
func (r *Renderer) ServePage(w http.ResponseWriter, reply Reply) error {
	content, err := r.content(Study{ID: reply.StudyID}, reply.Languages...)
	if content = content.returningTo(reply.Back); reply.From != "" {
		content = With(content, "from", reply.From)
	}
	data := struct {
		Texts                           Texts
		Title, Text                     string
		SenderName, Logo                string
		Direction                       string
		Style, Retry, Undo, Never, Back string
	}{Texts: content.Texts, SenderName: r.opts.SenderName, Logo: r.opts.Logo, Direction: content.Direction, Style: r.assets[style].path, Back: reply.Back}
	var status int
	status, data.Title, data.Text = reply.Message.of(content.Texts)
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

// returningTo returns the content with forms that lead back to the page, a path with a
// query, which the Referer of their requests does not name.
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

// With returns the content with one more parameter in each of its URLs.
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
