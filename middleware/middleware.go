package middleware

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/askonce/askonce/gate"
)

// Decider decides who is asked; *gate.Gate does, and gate.First's answer.
type Decider interface {
	Decide(ctx context.Context, v gate.Visitor) gate.Decision
	Confirm(ctx context.Context, v gate.Visitor) gate.Decision
}

// Options configure a Middleware. The zero value of each field means its default.
type Options struct {
	// Path is below what the middleware serves its own endpoints. It begins and
	// ends with a slash. Defaults to "/askonce/".
	Path string

	// DirectLinks points the prompt at the provider's interview link with the
	// user's reference in it, instead of at the start endpoint. The click is
	// then neither confirmed nor noted, and the page holds the reference.
	// Defaults to false.
	DirectLinks bool

	// ErrorPages also puts the prompt into pages with a status from 400 to 599.
	// Defaults to false: only a 200 is injected.
	ErrorPages bool

	// OnPrompt is told once of every request of a user who was to be asked,
	// after the response, what became of the prompt. It must be quick and safe
	// for concurrent use. Defaults to nothing.
	OnPrompt func(r *http.Request, o Outcome)

	// Logger is told about faults, at most once for each kind at Warn level.
	// Defaults to slog.Default().
	Logger *slog.Logger
}

// Middleware injects prompts. It is safe for concurrent use.
type Middleware struct {
	decider   Decider
	user      func(*http.Request) string
	opts      Options
	assets    assets
	snippets  snippets
	endpoints http.Handler
}

// New returns a middleware that asks d about the user of each page. The func
// user returns the app's id of whoever sent the request, "" for an anonymous
// visitor; it is called only for requests that could get a prompt, and for the
// endpoints. A nil d or user panics; a nil opts means defaults.
func New(d Decider, user func(*http.Request) string, opts *Options) (*Middleware, error) {
	if d == nil {
		panic("middleware: New: d is nil")
	}
	if user == nil {
		panic("middleware: New: user is nil")
	}
	var o Options
	if opts != nil {
		o = *opts
	}
	o.Path = cmp.Or(o.Path, "/askonce/")
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if err := checkPath(o.Path); err != nil {
		return nil, err
	}
	m := &Middleware{decider: d, user: user, opts: o, assets: newAssets(o.Path)}
	m.endpoints = m.newEndpoints()
	return m, nil
}

func checkPath(p string) error {
	if len(p) < 2 || p[0] != '/' || p[len(p)-1] != '/' || strings.ContainsAny(p, "?#%\\ \"'<>&{}") || strings.Contains(p, "//") {
		return errors.New("middleware: Path must be a plain path that begins and ends with a slash, and not the root")
	}
	for _, r := range p {
		if r > '~' {
			return errors.New("middleware: Path must be ASCII")
		}
	}
	return nil
}

// Handler returns a handler that serves next, with the prompt in its pages for
// users who are asked, and answers the endpoints below Options.Path itself.
func (m *Middleware) Handler(next http.Handler) http.Handler {
	if next == nil {
		panic("middleware: Handler: next is nil")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.Owns(r) {
			m.endpoints.ServeHTTP(w, r)
			return
		}
		if !m.Eligible(r) {
			next.ServeHTTP(w, r)
			return
		}
		resp := m.begin(w, r, m.user(r))
		if resp == nil {
			next.ServeHTTP(w, r)
			return
		}
		panicked := true
		defer func() { resp.Finish(panicked) }()
		next.ServeHTTP(resp.Writer(), resp.Request())
		panicked = false
	})
}

// Owns reports whether r is for one of the endpoints below Options.Path, which
// Endpoints serves. For adapters.
func (m *Middleware) Owns(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, m.opts.Path) }

// Begin is what adapters for frameworks are built on. It returns nil when the
// request gets no prompt: w and r are then to be handed on as they are.
// Otherwise the handler is given Writer and Request of the Response, and Finish
// is called when it has returned or panicked.
func (m *Middleware) Begin(w http.ResponseWriter, r *http.Request, user string) *Response {
	if !m.Eligible(r) {
		return nil
	}
	return m.begin(w, r, user)
}

func (m *Middleware) begin(w http.ResponseWriter, r *http.Request, user string) *Response {
	if outer := responseFrom(r.Context()); outer != nil {
		// Mounted twice, or a framework that runs its chain again: the decision
		// stands. Whose writer is not below ours gets one of its own.
		if isBelow(outer, w) {
			return nil
		}
		return newResponse(m, w, r, outer, decision{})
	}
	if user == "" {
		return nil
	}
	d := m.decider.Decide(r.Context(), gate.Visitor{UserID: user, Languages: acceptLanguages(r.Header)})
	if !d.Ask {
		return nil
	}
	dec, err := m.newDecision(d.Prompt)
	if err != nil {
		m.opts.Logger.WarnContext(r.Context(), "askonce: no link for the prompt", "study", d.Prompt.StudyID, "err", err)
		return nil
	}
	return newResponse(m, w, r, nil, dec)
}

// acceptLanguages lists the tags of Accept-Language in their order; browsers
// send them by preference.
func acceptLanguages(h http.Header) []string {
	values := h["Accept-Language"]
	if len(values) == 0 {
		return nil
	}
	var buf [8]string
	tags := buf[:0]
	for part := range strings.SplitSeq(values[0], ",") {
		tag, q, _ := strings.Cut(part, ";")
		if tag = strings.TrimSpace(tag); tag != "" && tag != "*" && strings.TrimSpace(q) != "q=0" && len(tags) < cap(tags) {
			tags = append(tags, tag)
		}
	}
	return tags
}
