package middleware

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/middleware/internal/page"
	"github.com/askonce/askonce/middleware/internal/prompt"
	"github.com/askonce/askonce/store"
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
	// it works; see noteNobody and noteUnreached.
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

// Serve handles one request: it serves the endpoints itself, and any other request by
// calling next, with a writer that places the prompt if the user is asked. It returns what
// next returns. It is all that an adapter for a framework needs.
//
// A request that gets no prompt reaches next with its own w and r, and costs no
// allocation. The func user returns the id of the user who sent the request; it is called
// at most once, and only if it is needed. If it is nil, the func that [New] was given is
// called. A panic of next is passed on, after what was held back has been sent.
func (m *Middleware) Serve(w http.ResponseWriter, r *http.Request, user func() string, next func(http.ResponseWriter, *http.Request) error) error {
	if strings.HasPrefix(r.URL.Path, m.opts.Path) {
		m.serveEndpoint(w, r, user)
		return nil
	}
	if !page.Wanted(r) {
		return next(w, r)
	}
	resp := m.invite(w, r, user)
	if resp == nil {
		return next(w, r)
	}
	panicked := true
	defer func() { resp.finish(panicked) }()
	err := next(&resp.page, resp.page.Request)
	panicked = false
	return err
}

// A response is the response to a request for a page, which may get the prompt. It is also
// the context of its request, which saves an allocation.
type response struct {
	context.Context
	m       *Middleware
	page    page.Response
	root    *response // the outermost of those that share a decision, perhaps itself
	invited gate.Prompt
	prompt  *prompt.Prompt
	visitor gate.Visitor
	showing store.Interaction // what the response itself counts as seen; its time is zero if nothing
	counted bool              // the showing is in the header, or need not be
	reports bool              // the page reports that the prompt was seen
}

type contextKey struct{}

// Value implements [context.Context].
func (r *response) Value(key any) any {
	if key == (contextKey{}) {
		return r
	}
	return r.Context.Value(key)
}

// invite returns nil if the request gets no prompt.
func (m *Middleware) invite(w http.ResponseWriter, r *http.Request, user func() string) *response {
	if outer, ok := r.Context().Value(contextKey{}).(*response); ok {
		// The middleware is mounted twice, or a framework runs its chain again: the
		// decision stands. If the outer writer is not below w, the inner one places the
		// prompt.
		if outer.page.IsBelow(w) {
			return nil
		}
		resp := &response{Context: r.Context(), m: m, root: outer.root}
		resp.page.Init(resp, w, r, resp, &outer.root.page)
		return resp
	}
	v := m.visitor(w, r, user, "")
	if v.UserID == "" {
		m.noteNobody(r.Context())
		return nil
	}
	if !m.hasUser.Load() {
		m.hasUser.Store(true)
	}
	d := m.decider.Decide(r.Context(), v)
	if !d.Ask() {
		return nil
	}
	rendered := m.render(r.Context(), d.Prompt)
	if rendered == nil {
		return nil
	}
	resp := &response{Context: r.Context(), m: m, invited: d.Prompt, prompt: rendered, visitor: v}
	resp.root = resp
	resp.counted = d.Prompt.Seen // a prompt counts once, however many pages it stays on
	resp.page.Init(resp, w, r, resp, nil)
	return resp
}

// render returns the prompt of a decision. If it cannot be rendered, render logs the first
// error of each study and returns nil.
func (m *Middleware) render(ctx context.Context, p gate.Prompt) *prompt.Prompt {
	rendered, err := m.prompts.Prompt(prompt.Study{ID: p.StudyID, Name: p.StudyName, Language: p.Language, Seen: p.Seen})
	if err != nil && m.first("prompt of "+p.StudyID) {
		m.opts.Logger.WarnContext(ctx, "askonce: no prompt", "study", p.StudyID, "err", err, guard.Stack(err))
	}
	return rendered
}

// Render implements [page.Snippet]. The prompt is in the page's language if the study
// supports it, unless the app has named another that the study supports. Only the words
// depend on it, because the decision was made before the page.
func (r *response) Render(h http.Header, language string) (snippet []byte, ok bool) {
	root, req := r.root, r.page.Request
	rendered := root.prompt
	if p := root.invited; language != "" && p.LanguageFor(root.m.ownLanguage(root.page.Request)) == "" {
		if p.Language = p.LanguageFor(language); p.Language != "" {
			rendered = cmp.Or(root.m.render(root, p), rendered)
		}
	}
	target := prompt.Page{Header: h, Host: req.Host, URI: req.URL.RequestURI()}
	if nonce := r.m.opts.Nonce; nonce != nil {
		r.m.call(r, "Options.Nonce", func() { target.Nonce = nonce(req) })
	}
	snippet, root.reports, ok = rendered.Snippet(target)
	return snippet, ok
}

// Tag implements [page.Snippet].
func (r *response) Tag() string { return r.root.prompt.Tag() }

// Carry implements [page.Snippet]. The response itself counts as a showing only where
// nothing reports that the prompt was seen.
func (r *response) Carry(h http.Header) {
	root := r.root
	if root.counted || root.reports && !root.page.IsClaimed() {
		return
	}
	root.counted = true
	if req := root.page.Request; !isPrefetch(req.Header) && !root.visitor.Preview {
		root.showing = store.Interaction{Key: root.invited.Key(), Kind: store.InteractionShown, At: time.Now()}
		r.m.remember(h, req, root.visitor.UserID, with(root.visitor.History, root.showing))
	}
}

// finish ends the response. Only the outermost of several reports its outcome.
func (r *response) finish(panicked bool) {
	outcome, req := Outcome(r.page.Finish(panicked)), r.page.Request
	if r.root != r {
		return
	}
	if !r.showing.At.IsZero() && (outcome == OutcomeInjected || outcome == OutcomeRendered) {
		e := Event{Interaction: r.showing}
		if r.page.IsClaimed() {
			e.Source = SourceTemplate
		}
		r.m.noteAfter(r, e)
	}
	if !r.m.isReached.Load() && outcome == OutcomeInjected && !r.invited.Seen && !r.visitor.Preview && !isPrefetch(req.Header) {
		r.m.noteUnreached(r)
	}
	if r.m.opts.OnPrompt != nil {
		r.m.call(r, "Options.OnPrompt", func() { r.m.opts.OnPrompt(req, r.invited.StudyID, outcome) })
	}
}

// PromptFrom returns the prompt of the request with this context, for an app that renders
// it in its own template; nothing is injected then. It returns false if the user is not
// asked, if the prompt is already in the page, or if the header of a response without the
// prompt has been sent: call it before writing the first byte.
//
// The link to Content.StartURL must open in a new tab with rel="noopener". The forms or
// requests to the other URLs are POST.
func PromptFrom(ctx context.Context) (Content, bool) {
	r, ok := ctx.Value(contextKey{}).(*response)
	if !ok || !r.page.Claim() {
		return Content{}, false
	}
	return contentOf(prompt.With(r.root.prompt.Content(), sourceKey, SourceTemplate.String())), true
}

// call calls a callback of the app. Only the first panic of each callback is logged,
// because every page may call it.
func (m *Middleware) call(ctx context.Context, callback string, f func()) {
	defer func() {
		if p := recover(); p != nil {
			if err := guard.Recovered(p); m.first(callback) {
				m.opts.Logger.ErrorContext(ctx, "askonce: callback panicked", "callback", callback, "err", err, guard.Stack(err))
			}
		}
	}()
	f()
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
// endpoint, before noteUnreached logs it. A browser loads the prompt's style and script
// with the page, unless the user leaves at once.
const maxUnseen = 10

// noteUnreached counts the pages with a prompt until the first request for an endpoint. An
// app that wraps only some of its routes may have forgotten the endpoints, and with them
// the prompt's style and script.
func (m *Middleware) noteUnreached(ctx context.Context) {
	if m.unseen.Add(1) == maxUnseen {
		m.opts.Logger.WarnContext(ctx, "askonce: prompts were sent, and no browser has requested their endpoints; check that Options.Path is routed to the middleware",
			"path", m.opts.Path)
	}
}
