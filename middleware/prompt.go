package middleware

import (
	"fmt"
	"io"

	"github.com/askonce/askonce/middleware/internal/prompt"
)

// Texts holds the words of a prompt, and of the pages that may follow a click on it, in
// one language. They are plain text.
type Texts struct {
	// Language is the BCP 47 tag of the words. The lang and dir attributes of the
	// prompt follow from it.
	Language string `json:"-"`

	Kind    string   `json:"kind"`    // what the invitation is to, in the line above the title
	Title   string   `json:"title"`   // the heading
	Text    string   `json:"text"`    // the paragraph below it
	Facts   []string `json:"facts"`   // what to know beforehand, a few words each
	Start   string   `json:"start"`   // the button that opens the interview
	NewTab  string   `json:"newTab"`  // what Start does, for screen readers
	Later   string   `json:"later"`   // the label of the × button
	Decline string   `json:"decline"` // the button beside Start

	Thanks      string `json:"thanks"`      // replaces the prompt after Decline
	Undo        string `json:"undo"`        // the button that takes the answer back
	Never       string `json:"never"`       // the button that declines every study
	OptedOut    string `json:"optedOut"`    // replaces Thanks after Never
	NotRecorded string `json:"notRecorded"` // replaces the prompt if the app has not recorded the answer
	TryAgain    string `json:"tryAgain"`    // the button that repeats the answer, and the link that repeats a click on Start

	// The heading and the paragraph of the pages for a click that leads to no interview.
	ClosedTitle, ClosedText           string `json:"-"` // the study has ended or is paused at the provider
	FullTitle, FullText               string `json:"-"` // the study has no place left
	CompletedTitle, CompletedText     string `json:"-"` // the user has already been interviewed
	PausedTitle, PausedText           string `json:"-"` // an operator has paused asking
	RefusedTitle, RefusedText         string `json:"-"` // the user has opted out
	UnavailableTitle, UnavailableText string `json:"-"` // the interview cannot be opened right now
	SignedOutTitle, SignedOutText     string `json:"-"` // nobody is signed in
	Back                              string `json:"-"` // the link to the app
}

// Content holds the words of a prompt and the URLs of its links. [Options].Template is
// executed with it, and [PromptFrom] returns it.
type Content struct {
	StudyID   string
	StudyName string
	Texts     Texts
	Direction string // of the words: "ltr", "rtl" or "auto"
	Seen      bool   // on another page, a moment ago: that showing is already counted

	StartURL   string // for a link with target="_blank" and rel="noopener"
	ShownURL   string // for a POST once the prompt has been visible for a second, unless Seen
	LaterURL   string // this and those below are for forms with method="post" or for scripts
	DeclineURL string
	UndoURL    string
	OptOutURL  string
}

func contentOf(c prompt.Content) Content {
	return Content{
		StudyID: c.StudyID, StudyName: c.StudyName, Texts: Texts(c.Texts), Direction: c.Direction, Seen: c.Seen,
		StartURL: c.StartURL, ShownURL: c.ShownURL, LaterURL: c.LaterURL, DeclineURL: c.DeclineURL, UndoURL: c.UndoURL, OptOutURL: c.OptOutURL,
	}
}

// A Sender is who the invitation comes from.
type Sender struct {
	// Name is shown above the title. Defaults to none.
	Name string

	// Logo is the URL path of a square picture that the app serves, such as
	// "/static/logo.svg". Pages whose Content-Security-Policy forbids it show the
	// default, a sound wave.
	Logo string
}

// A Position says where the prompt appears, unless the page has an element with a
// data-askonce-here attribute: then it appears there. Start and end are sides of the
// page's own direction.
type Position uint8

// The positions.
const (
	PositionBottomEnd   Position = iota // a card in the lower corner where lines end
	PositionBottomStart                 // a card in the lower corner where lines begin
	PositionTopEnd                      // a card in the upper corner where lines end
	PositionTopStart                    // a card in the upper corner where lines begin
	PositionBanner                      // a bar along the lower edge
)

var positionNames = [...]string{
	PositionBottomEnd: "bottom-end", PositionBottomStart: "bottom-start",
	PositionTopEnd: "top-end", PositionTopStart: "top-start", PositionBanner: "banner",
}

// String returns the position in lower case, such as "bottom-end".
func (p Position) String() string {
	if int(p) < len(positionNames) {
		return positionNames[p]
	}
	return fmt.Sprintf("Position(%d)", p)
}

// MarshalText implements [encoding.TextMarshaler].
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// newRenderer converts the options about the prompt to those of internal/prompt, which knows
// none of the types above.
func newRenderer(o Options) (*prompt.Renderer, error) {
	opts := prompt.Options{
		Path: o.Path, Origin: o.Origin, Position: o.Position.String(), Delay: o.Delay,
		SenderName: o.Sender.Name, Logo: o.Sender.Logo,
	}
	if o.Template != nil {
		opts.Template = func(w io.Writer, c prompt.Content) error { return o.Template.Execute(w, contentOf(c)) }
	}
	if o.Texts != nil {
		opts.Texts = func(studyID, language string, builtIn prompt.Texts) prompt.Texts {
			return prompt.Texts(o.Texts(studyID, language, Texts(builtIn)))
		}
	}
	return prompt.New(opts)
}
