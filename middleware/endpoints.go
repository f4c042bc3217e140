package middleware

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware/internal/page"
	"github.com/askonce/askonce/middleware/internal/prompt"
	"github.com/askonce/askonce/store"
)

// Endpoints returns the handler of the endpoints alone, for apps that wrap only some of
// their routes; [Middleware.Handler] serves them too. It expects the full path. The package
// documentation describes each endpoint.
func (m *Middleware) Endpoints() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.serveEndpoint(w, r, nil) })
}

type endpoint struct {
	methods string // as in the field Allow
	serve   func(m *Middleware, w http.ResponseWriter, r *http.Request, v gate.Visitor)
}

var endpoints = map[string]endpoint{
	"start":    {"GET, HEAD", (*Middleware).start},
	"decision": {"GET, HEAD", (*Middleware).serveDecision},
	"shown":    {"GET, POST", (*Middleware).shown},
	"later":    {"POST", answer(store.InteractionSnoozed)},
	"decline":  {"POST", answer(store.InteractionDeclined)},
	"undo":     {"POST", answer(store.InteractionUndone)},
	"optout":   {"POST", answer(store.InteractionOptedOut)},
}

func (m *Middleware) serveEndpoint(w http.ResponseWriter, r *http.Request, user func() string) {
	w.Header().Set("Cache-Control", "no-store") // a 404 too: the asset may come with the next deployment
	name, ok := strings.CutPrefix(r.URL.Path, m.opts.Path)
	if !ok && m.first("path") {
		m.opts.Logger.WarnContext(r.Context(), "askonce: endpoints mounted at another path than Options.Path", "path", r.URL.Path, "want", m.opts.Path)
	}
	if !ok || strings.Contains(strings.ToUpper(r.URL.RawPath), "%2F") { // which is no slash (RFC 3986, section 2.2)
		http.NotFound(w, r)
		return
	}
	e, asset := endpoints[name], m.prompts.Asset(r.URL.Path)
	if asset != nil {
		e.methods = "GET, HEAD"
	}
	if e.methods == "" {
		http.NotFound(w, r)
		return
	}
	m.isReached.Store(true)
	if !slices.Contains(strings.Split(e.methods, ", "), r.Method) {
		w.Header().Set("Allow", e.methods)
		fail(w, http.StatusMethodNotAllowed)
		return
	}
	if asset != nil {
		asset.ServeHTTP(w, r)
		return
	}
	if v, ok := m.endpointVisitor(w, r, name, user); ok {
		e.serve(m, w, r, v)
	} else {
		fail(w, http.StatusForbidden)
	}
}

// endpointVisitor returns who requested the named endpoint. It returns false if the ticket
// of a POST has expired.
func (m *Middleware) endpointVisitor(w http.ResponseWriter, r *http.Request, name string, user func() string) (v gate.Visitor, ok bool) {
	v = m.visitor(w, r, user, name)
	if (v.UserID == "" || m.isAnonymous(v.UserID)) && r.URL.Query().Has(ticketKey) { // which has expired
		if r.Method == http.MethodPost {
			return v, false
		}
		v = gate.Visitor{}
	}
	if v.UserID == "" { // a page says in the visitor's language that nobody is signed in
		v.Languages = m.languagesOf(r)
	}
	v.Path = "" // not the endpoint's own
	if from := m.referrer(r); from != nil {
		v.Path = from.Path
	}
	return v, true
}

// isForeign reports whether a page of another origin sent a POST. If a browser names only
// its Origin, as all do over plain HTTP, then behind a proxy that changes the Host even
// the app's own pages are foreign: the log says so the first time.
func (m *Middleware) isForeign(r *http.Request) bool {
	if m.sameSite.Check(r) == nil {
		return false
	}
	if r.Header.Get("Sec-Fetch-Site") == "" && m.first("origin") {
		m.opts.Logger.WarnContext(r.Context(), "askonce: answer from another origin refused", "origin", r.Header.Get("Origin"), "host", r.Host)
	}
	return true
}

// start confirms a click on the prompt's link and redirects to the interview. The interview
// must learn neither the page nor anything else of the app, and no cache may keep where one
// user was sent.
func (m *Middleware) start(w http.ResponseWriter, r *http.Request, v gate.Visitor) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	switch dest := r.Header.Get("Sec-Fetch-Dest"); {
	case dest != "" && dest != "document": // an image or a frame in somebody's content
		fail(w, http.StatusForbidden)
		return
	case isPrefetch(r.Header):
		// Browsers drop a prefetched response without success, and send the request
		// again for the click.
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusOK)
		return
	}
	v.StudyID = r.URL.Query().Get("study")
	d := gate.Decision{Reason: gate.ReasonAnonymous}
	if v.UserID != "" {
		d = m.decider.Confirm(r.Context(), v)
	}
	if !d.Ask() {
		m.logRefused(r.Context(), v.StudyID, d)
		m.writePage(w, r, refusals[d.Reason], v.StudyID, v.Languages)
		return
	}
	link, err := d.Prompt.Link()
	if err != nil {
		m.opts.Logger.WarnContext(r.Context(), "askonce: no link into the interview", "study", d.Prompt.StudyID, "err", err)
		m.writePage(w, r, prompt.MessageUnavailable, v.StudyID, v.Languages)
		return
	}
	if d.Prompt.Preview {
		m.opts.Logger.InfoContext(r.Context(), "askonce: interview opened in a preview", "study", d.Prompt.StudyID)
	}
	if err := m.note(w, r, v, store.InteractionOpened, d.Prompt.StudyID); err != nil {
		m.logNotRecorded(r.Context(), d.Prompt.StudyID, err)
	}
	w.Header().Set("Location", link)
	w.WriteHeader(http.StatusSeeOther)
}

func (m *Middleware) logRefused(ctx context.Context, studyID string, d gate.Decision) {
	level, args := slog.LevelInfo, []any{"study", studyID, "reason", d.Reason}
	if d.Err != nil {
		level, args = slog.LevelWarn, append(args, "err", d.Err)
	}
	m.opts.Logger.Log(ctx, level, "askonce: click refused", args...)
}

// isForm reports whether the browser itself submitted a form and the user waits for a
// page, and not a script.
func isForm(h http.Header) bool {
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return page.AcceptsHTML(h["Accept"])
}

// referrer returns the page of the app that a request came from. It returns nil if the
// browser does not name it, or if it is no page of the app.
func (m *Middleware) referrer(r *http.Request) *url.URL {
	from, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || from.Host == "" || from.Host != r.Host && from.Scheme+"://"+from.Host != m.opts.Origin {
		return nil
	}
	return from
}

// back returns the page of the app that a request says it came from, or else the app's
// root. It takes only path and query, so that it never leads to another host.
func (m *Middleware) back(r *http.Request) string {
	from, err := url.Parse(r.URL.Query().Get("back"))
	if err != nil || from.Path == "" || from.Scheme != "" || from.Host != "" {
		from = m.referrer(r)
	}
	if from == nil {
		return "/"
	}
	path := from.EscapedPath()
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) || strings.HasPrefix(path, m.opts.Path) {
		return "/" // a browser would read a second slash as the beginning of a host
	}
	return (&url.URL{Path: from.Path, RawPath: from.RawPath, RawQuery: from.RawQuery}).String()
}
