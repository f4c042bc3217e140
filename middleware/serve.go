package middleware

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/internal/guard"
	"github.com/askonce/askonce/middleware/internal/page"
	"github.com/askonce/askonce/middleware/internal/prompt"
	"github.com/askonce/askonce/store"
)

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
	fit     prompt.Fit
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

// Fits implements [page.Snippet].
func (r *response) Fits(h http.Header) (ok bool) {
	req := r.page.Request
	target := prompt.Page{Header: h, Host: req.Host, URI: req.URL.RequestURI()}
	if nonce := r.m.opts.Nonce; nonce != nil {
		r.m.call(r, "Options.Nonce", func() { target.Nonce = nonce(req) })
	}
	r.fit, ok = r.m.prompts.Fit(target)
	r.root.reports = ok && r.fit.Reports
	return ok
}

// Bytes implements [page.Snippet]. The prompt is in the page's language if the study
// supports it, unless the app has named another that the study supports. Only the words
// depend on it, because the decision was made before the page.
func (r *response) Bytes(language string) []byte {
	root := r.root
	p, rendered := root.invited, root.prompt
	p.Language = p.LanguageFor(language)
	if p.Language != "" && p.LanguageFor(root.m.ownLanguage(root.page.Request)) == "" {
		rendered = cmp.Or(root.m.render(root, p), rendered)
	}
	return rendered.Snippet(r.fit)
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
	if outcome == OutcomeInjected && !r.invited.Seen && !r.visitor.Preview && !isPrefetch(req.Header) {
		r.m.noteInjected(r)
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
