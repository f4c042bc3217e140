package middleware

import (
	"errors"
	"net/http"
	"sync"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware/internal/prompt"
)

// A Middleware puts prompts into pages and serves the endpoints that they need. It
// is safe for concurrent use.
type Middleware struct {
	decider    gate.Decider
	user       func(*http.Request) string
	opts       Options
	prompts    *prompt.Renderer
	histories  *cookies[remembered]
	anonymous  *cookies[string] // nil unless Options.Anonymous
	tickets    sealedCookie
	after      chan struct{} // see noteAfter
	languages  languages
	sameSite   *http.CrossOriginProtection
	logged     sync.Map // keys of the messages that are logged only once; see first
	mountCheck mountCheck
}

// New returns a middleware that invites the users whom d decides to ask. The func
// user returns the app's id of whoever sent a request, or "" for an anonymous
// visitor. It is called for requests that could get a prompt, and by the endpoints.
// A nil d or user panics. Nil opts mean the defaults. The error names every fault of
// the options at once.
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
	keys := o.cookieKeys()
	codecs, keysErr := newCodecs(keys)
	o.CookieKeys = nil // a Middleware that is printed shows no key
	m := &Middleware{
		decider: d, user: user, opts: o,
		histories: newCookies[remembered](historyCookie, codecs),
		languages: languages{newMemo[[]string]()}, tickets: newTickets(keys), after: make(chan struct{}, maxAfter),
	}
	if o.Anonymous {
		m.anonymous = newCookies[string]("askonce-id", codecs)
	}
	var promptErr error
	m.prompts, promptErr = newRenderer(o)
	err := errors.Join(o.check(), keysErr, m.protect(), promptErr)
	if err != nil {
		return nil, err
	}
	if opts == nil || len(opts.CookieKeys) == 0 {
		o.Logger.Warn("askonce: no CookieKeys: the cookies of this process cannot be read after a restart or by another replica")
	}
	return m, nil
}

// Handler returns a handler that serves next, with the prompt in its pages for users
// who are asked, and the endpoints below Options.Path. A nil next panics.
func (m *Middleware) Handler(next http.Handler) http.Handler {
	if next == nil {
		panic("middleware: Handler: next is nil")
	}
	serve := func(w http.ResponseWriter, r *http.Request) error {
		next.ServeHTTP(w, r)
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = m.Serve(w, r, nil, serve) })
}

// userOf returns the id of whoever sent the request: from user, an adapter's, or from
// the app's own func. One that panics has nobody.
func (m *Middleware) userOf(r *http.Request, user func() string) (id string) {
	m.call(r.Context(), "user", func() {
		if user != nil {
			id = user()
		} else {
			id = m.user(r)
		}
	})
	return id
}
