package middleware

import (
	"errors"
	"net/http"
	"strings"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware/internal/prompt"
)

// Middleware injects prompts. It is safe for concurrent use.
type Middleware struct {
	decider   gate.Decider
	user      func(*http.Request) string
	opts      Options
	prompts   *prompt.Renderer
	histories *cookies[remembered]
	anonymous *cookies[string] // nil unless Options.Anonymous
	languages languages
	sameSite  *http.CrossOriginProtection
}

// New returns a middleware that asks d about the user of each page. The func
// user returns the app's id of whoever sent the request, "" for an anonymous
// visitor; it is called only for requests that could get a prompt, and for the
// endpoints. A nil d or user panics; a nil opts means defaults.
func New(d gate.Decider, user func(*http.Request) string, opts *Options) (*Middleware, error) {
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
	o = o.withDefaults()
	codecs, keysErr := newCodecs(o.cookieKeys())
	o.CookieKeys = nil // a Middleware that is printed shows no key
	m := &Middleware{
		decider: d, user: user, opts: o,
		histories: newCookies[remembered](historyCookie, codecs),
		languages: languages{newMemo[[]string]()},
	}
	if o.Anonymous {
		m.anonymous = newCookies[string]("askonce-id", codecs)
	}
	var promptErr error
	m.prompts, promptErr = prompt.New(prompt.Options{Path: o.Path, Origin: o.Origin, Position: o.Position, Template: o.Template, Texts: o.Texts})
	err := errors.Join(o.check(), keysErr, m.protect(), promptErr)
	if err != nil {
		return nil, err
	}
	if opts == nil || len(opts.CookieKeys) == 0 {
		o.Logger.Warn("askonce: no CookieKeys: what users have seen, snoozed or declined is forgotten when this process ends, and unknown to its replicas")
	}
	return m, nil
}

// Handler returns a handler that serves next, with the prompt in its pages for
// users who are asked, and answers the endpoints below Options.Path itself.
func (m *Middleware) Handler(next http.Handler) http.Handler {
	if next == nil {
		panic("middleware: Handler: next is nil")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.Owns(r) {
			m.serveEndpoint(w, r)
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
	if outer, ok := r.Context().Value(contextKey{}).(*Response); ok {
		// Mounted twice, or a framework that runs its chain again: the decision
		// stands. Whose writer is not below ours gets one of its own.
		if isBelow(outer, w) {
			return nil
		}
		return newResponse(m, w, r, outer, decision{})
	}
	if user = m.visitor(w, r, user); user == "" {
		return nil
	}
	v := gate.Visitor{UserID: user, Languages: m.languages.of(r.Header), History: m.history(r, user), Path: r.URL.Path}
	d := m.decider.Decide(r.Context(), v)
	if !d.Ask() {
		return nil
	}
	return m.ask(w, r, d, user, v.History)
}

func (m *Middleware) ask(w http.ResponseWriter, r *http.Request, d gate.Decision, user string, h gate.History) *Response {
	dec, err := m.newDecision(d.Prompt, user, h)
	if err != nil {
		m.opts.Logger.WarnContext(r.Context(), "askonce: no prompt", "study", d.Prompt.StudyID, "err", err)
		return nil
	}
	return newResponse(m, w, r, nil, dec)
}
