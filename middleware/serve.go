package middleware

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware/internal/page"
	"github.com/askonce/askonce/middleware/internal/prompt"
	"github.com/askonce/askonce/store"
)

// Serve handles one request: an endpoint's itself, and any other by calling next,
// with a writer that places the prompt if the user is asked. It returns what next
// returns. It is all that an adapter for a framework needs.
//
// A request that gets no prompt reaches next with its own w and r, and costs no
// allocation. The func user returns the id of whoever sent the request; it is called
// at most once and only if it is needed. A nil user means the func that [New] was
// given. A panic of next is passed on, after what was held back has been sent.
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
	err := next(resp.page.Writer(), resp.page.Request())
	panicked = false
	return err
}

// invite returns nil if the request gets no prompt.
func (m *Middleware) invite(w http.ResponseWriter, r *http.Request, user func() string) *response {
	if outer := responseFrom(r.Context()); outer != nil {
		// Mounted twice, or a framework that runs its chain again: the decision
		// stands. If its writer is not below ours, ours places the prompt.
		if outer.page.IsBelow(w) {
			return nil
		}
		return newResponse(m, w, r, outer, nil, gate.Visitor{})
	}
	v := m.visitor(w, r, user)
	m.noteUser(r.Context(), v.UserID != "")
	if v.UserID == "" {
		return nil
	}
	d := m.decider.Decide(r.Context(), v)
	if !d.Ask() {
		return nil
	}
	rendered, err := m.render(d.Prompt)
	if err != nil {
		m.notRendered(r.Context(), d.Prompt.StudyID, err)
		return nil
	}
	resp := newResponse(m, w, r, nil, rendered, v)
	resp.invited = d.Prompt
	resp.counted = d.Prompt.Seen // it counts once, however many pages it stays on
	return resp
}

// render renders the prompt of a decision.
func (m *Middleware) render(p gate.Prompt) (*prompt.Prompt, error) {
	return m.prompts.Prompt(prompt.Study{ID: p.StudyID, Name: p.StudyName, Language: p.Language, Seen: p.Seen})
}

// response is one response that may get the prompt. It is the context of its own
// request, which saves an allocation.
type response struct {
	context.Context
	m       *Middleware
	page    page.Response
	root    *response // the outermost of those that share a decision, perhaps itself
	invited gate.Prompt
	prompt  *prompt.Prompt
	fit     prompt.Fit
	visitor gate.Visitor
	showing store.Interaction // what the response counts as seen; its time is zero if it does not
	counted bool              // the showing is in the header, or need not be
	reports bool              // the page reports that the prompt was seen
	claimed bool              // the app renders the prompt itself
}

type contextKey struct{}

func responseFrom(ctx context.Context) *response {
	r, _ := ctx.Value(contextKey{}).(*response)
	return r
}

func newResponse(m *Middleware, w http.ResponseWriter, r *http.Request, outer *response, p *prompt.Prompt, v gate.Visitor) *response {
	resp := &response{Context: r.Context(), m: m, prompt: p, visitor: v}
	resp.root = resp
	var outerPage *page.Response
	if outer != nil {
		resp.root, outerPage = outer.root, &outer.root.page
	}
	resp.page.Init(resp, w, r, resp, outerPage)
	return resp
}

// Value implements [context.Context].
func (r *response) Value(key any) any {
	if key == (contextKey{}) {
		return r
	}
	return r.Context.Value(key)
}

// Fits implements [page.Snippet].
func (r *response) Fits(h http.Header) (ok bool) {
	about := prompt.Page{Header: h, Host: r.page.Request().Host, URI: r.page.Request().URL.RequestURI()}
	switch scheme, host, _ := strings.Cut(r.m.opts.Origin, "://"); {
	case host != "":
		about.Scheme, about.Host = scheme, host
	case r.m.isSecure(r.page.Request()):
		about.Scheme = "https"
	}
	if nonce := r.m.opts.Nonce; nonce != nil {
		r.m.call(r, "Options.Nonce", func() { about.Nonce = nonce(r.page.Request()) })
	}
	r.fit, ok = r.m.prompts.Fit(about)
	r.root.reports = ok && r.fit.Reports
	return ok
}

// Bytes implements [page.Snippet].
func (r *response) Bytes(language string) []byte {
	return r.root.promptIn(language).Snippet(r.fit)
}

// promptIn returns the prompt in the language of a page, unless the study does not
// support it or the app has named one that it supports. Only the words depend on it,
// because the decision was made before the page.
func (r *response) promptIn(language string) *prompt.Prompt {
	p := r.invited
	if p.Language = p.LanguageFor(language); p.Language == "" || p.LanguageFor(r.m.ownLanguage(r.page.Request())) != "" {
		return r.prompt
	}
	if own, err := r.m.render(p); err == nil {
		return own
	}
	return r.prompt
}

// Tag implements [page.Snippet].
func (r *response) Tag() string { return r.root.prompt.Tag() }

// Carry implements [page.Snippet]. The response itself counts as a showing only where
// nothing reports that the prompt was seen.
func (r *response) Carry(h http.Header) {
	root := r.root
	if root.counted || root.reports && !root.claimed {
		return
	}
	root.counted = true
	if req := root.page.Request(); !isPrefetch(req.Header) && !root.visitor.Preview {
		root.showing = store.Interaction{Key: root.invited.Key(), Kind: store.InteractionShown, At: time.Now()}
		r.m.remember(h, req, root.visitor.UserID, with(root.visitor.History, root.showing))
	}
}

func (r *response) finish(panicked bool) {
	pageOutcome, first := r.page.Finish(panicked)
	outcome := Outcome(pageOutcome)
	if !first || r.root != r {
		return
	}
	if !r.showing.At.IsZero() && (outcome == OutcomeInjected || outcome == OutcomeRendered) {
		e := Event{Interaction: r.showing}
		if r.claimed {
			e.Source = SourceTemplate
		}
		r.m.noteAfter(r, e)
	}
	if outcome == OutcomeInjected && !r.invited.Seen && !r.visitor.Preview && !isPrefetch(r.page.Request().Header) {
		r.m.noteInjected(r)
	}
	if r.m.opts.OnPrompt == nil {
		return
	}
	r.m.call(r, "Options.OnPrompt", func() { r.m.opts.OnPrompt(r.page.Request(), r.invited.StudyID, outcome) })
}

// PromptFrom returns the prompt of the request with this context, for an app that
// renders it in a template of its own; nothing is injected then. It returns false if
// the user is not asked, if the prompt is in the page already, or if the header of a
// response without prompt has left: call it before the first byte is written.
//
// The link to Content.StartURL must open in a new tab with rel="noopener". The forms
// or requests to the other URLs are POST.
func PromptFrom(ctx context.Context) (Content, bool) {
	r := responseFrom(ctx)
	if r == nil || !r.page.Claim() {
		return Content{}, false
	}
	r.root.claimed = true
	return contentOf(prompt.With(r.root.prompt.Content(), sourceKey, SourceTemplate.String())), true
}
