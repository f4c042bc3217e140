package middleware

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/gorilla/securecookie"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/middleware/internal/prompt"
)

// A Middleware puts prompts into pages and serves the endpoints that they need. It is
// safe for concurrent use.
type Middleware struct {
	decider   gate.Decider
	user      func(*http.Request) string
	opts      Options // without CookieKeys: a Middleware that is printed shows no key
	prompts   *prompt.Renderer
	sameSite  *http.CrossOriginProtection
	histories sealedCookie[remembered]
	anonymous sealedCookie[string] // the ids of Options.Anonymous
	tickets   []securecookie.Codec
	languages *memo[[]string]
	behind    chan struct{} // see noteAfter
	logged    sync.Map      // the keys of the messages that are logged only once, see first

	// Each stops at the first sign that the app mounts the middleware in a place where
	// it works; see noteNobody and noteInjected.
	hasUser, isReached atomic.Bool
	nobody, unseen     atomic.Int32
}

// New returns a middleware that invites the users whom d decides to ask. The func user
// returns the app's id of the user who sent a request, or "" for an anonymous visitor. It
// is called for requests that could get a prompt, and by the endpoints. A nil d or user
// panics. Nil opts mean the defaults. The error names every fault of the options at once.
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
	prompts, err := newRenderer(o)
	if err := errors.Join(o.check(), err); err != nil {
		return nil, err
	}
	if len(o.CookieKeys) == 0 {
		o.Logger.Warn("askonce: no CookieKeys: the cookies of this process cannot be read after a restart or by another replica")
		o.CookieKeys = Keys{securecookie.GenerateRandomKey(64), securecookie.GenerateRandomKey(32)}
	}
	m := &Middleware{
		decider: d, user: user, opts: o, prompts: prompts,
		tickets: newCodecs(o.CookieKeys, ticketAge), languages: newMemo[[]string](), behind: make(chan struct{}, maxBehind),
	}
	m.opts.CookieKeys = nil
	codecs := newCodecs(o.CookieKeys, cookieAge)
	m.histories = sealedCookie[remembered]{historyCookie, codecs, decodeHistory, newMemo[remembered]()}
	m.anonymous = sealedCookie[string]{"askonce-id", codecs, func(payload []byte) string { return string(payload) }, newMemo[string]()}
	m.sameSite = http.NewCrossOriginProtection()
	if o.Origin != "" {
		if err := m.sameSite.AddTrustedOrigin(o.Origin); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Handler returns a handler that serves next, with the prompt in its pages for users who
// are asked, and the endpoints below [Options].Path. A nil next panics.
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

// call calls a callback of the app. Only the first panic of each callback is logged,
// because every page may call it.
func (m *Middleware) call(ctx context.Context, callback string, f func()) {
	if err := guard.Call(f); err != nil && m.first(callback) {
		m.opts.Logger.ErrorContext(ctx, "askonce: callback panicked", "callback", callback, "err", err, guard.Stack(err))
	}
}

// first reports whether it is called for the first time with this key.
func (m *Middleware) first(key string) bool {
	_, known := m.logged.LoadOrStore(key, true)
	return !known
}

// maxNobody is how many pages without a user are served before noteNobody logs it. Most
// of them may be those on which users sign in.
const maxNobody = 100

// noteNobody counts the pages without a user until the first one that has one. Outside
// the session, the user func always returns "".
func (m *Middleware) noteNobody(ctx context.Context) {
	if !m.hasUser.Load() && m.nobody.Add(1) == maxNobody {
		m.opts.Logger.InfoContext(ctx, "askonce: no page has had a user yet; check that the middleware is inside the session", "pages", maxNobody)
	}
}

// maxUnseen is how many pages with a prompt are sent, without any request for an
// endpoint, before noteInjected logs it. A browser loads the prompt's style and script
// with the page, unless the user leaves at once.
const maxUnseen = 10

// noteInjected counts the pages with a prompt until the first request for an endpoint. An
// app that wraps only some of its routes may have forgotten the endpoints, and with them
// the prompt's style and script.
func (m *Middleware) noteInjected(ctx context.Context) {
	if !m.isReached.Load() && m.unseen.Add(1) == maxUnseen {
		m.opts.Logger.WarnContext(ctx, "askonce: prompts were sent, and no browser has requested their endpoints; check that Options.Path is routed to the middleware",
			"path", m.opts.Path)
	}
}
