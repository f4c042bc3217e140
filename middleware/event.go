package middleware

import (
	"context"
	"net/http"

	"github.com/askonce/askonce/store"
)

// An Event is what a user did with a prompt, for [Options].OnInteraction.
type Event struct {
	store.Interaction
	Source Source
}

// A Source is where an [Event] comes from.
type Source uint8

// The sources.
const (
	SourcePage     Source = iota // a prompt that the middleware put into a page
	SourceTemplate               // a prompt that the app rendered, see [PromptFrom]
	SourceApp                    // a single-page app with the decision endpoint
	SourceWebhook                // the provider, for a completed interview
)

var sourceNames = [...]string{SourcePage: "page", SourceTemplate: "template", SourceApp: "app", SourceWebhook: "webhook"}

// String returns the source in lower case, such as "page".
func (s Source) String() string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return "unknown"
}

// MarshalText implements [encoding.TextMarshaler].
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// sourceKey is the parameter of a prompt's URLs that names its source. The URLs of a
// prompt in a page have none.
const sourceKey = "from"

func sourceOf(r *http.Request) Source {
	switch r.URL.Query().Get(sourceKey) {
	case SourceTemplate.String():
		return SourceTemplate
	case SourceApp.String():
		return SourceApp
	}
	return SourcePage
}

// Recorded calls [Options].OnInteraction for a completed interview. It is meant as the
// webhook's Options.OnRecorded; the Kit of package askonce sets it.
func (m *Middleware) Recorded(ctx context.Context, c store.Completion) {
	if !c.Ignored {
		m.interacted(ctx, Event{store.Interaction{Key: c.Key, Kind: store.InteractionCompleted, At: c.CompletedAt}, SourceWebhook})
	}
}

// interacted calls Options.OnInteraction.
func (m *Middleware) interacted(ctx context.Context, e Event) {
	if m.opts.OnInteraction == nil {
		return
	}
	if m.isAnonymous(e.UserID) {
		e.UserID = ""
	}
	m.call(ctx, "Options.OnInteraction", func() { m.opts.OnInteraction(ctx, e) })
}
