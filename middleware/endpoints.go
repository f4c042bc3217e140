package middleware

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware/internal/page"
	"github.com/askonce/askonce/store"
)

// Endpoints returns the handler of the endpoints alone, for apps that wrap only some of
// their routes; [Middleware.Handler] serves them too. It expects the full path. Below
// Options.Path there are
//
//	GET  start?study=…     confirms that the study has a place for the user and redirects to the interview
//	POST shown?study=…     records that the user has seen the prompt; GET is for an image without JavaScript
//	POST later?study=…     snoozes the study for Options.Snooze
//	POST decline?study=…   declines the study for good
//	POST undo?study=…      takes the last answer back; without a study, the opt-out
//	POST optout            declines every study for good
//	GET  decision          the decision as JSON, for single-page apps
//	GET  askonce.js, askonce.d.ts, prompt-….css, prompt-….js
//
// and everything else is 404. Only a navigation of a whole page can start an interview,
// and only the app's own origin can record anything. The answer to a POST is 204; it is
// 503 if the interaction could not be recorded, and 400 if it never can, because [store.CheckID]
// refuses the user's id or the user has answered about [store.MaxStudies] studies. Without JavaScript, decline and optout
// answer a form with a page that offers to undo it, and the others redirect to the page
// that the form was on: the parameter back, a path of the app, or what Referer names.
// decision answers
//
//	{"ask": true, "reason": "eligible", "study": "…", "language": "de", "direction": "ltr",
//	 "texts": {"title": "…", "text": "…", "facts": ["…"], "start": "…", "later": "…", "decline": "…", …},
//	 "links": {"start": "…", "shown": "…", "later": "…", "decline": "…", "undo": "…", "optOut": "…"}}
//
// or, with "ask": false, the reason, a [gate.Reason], and links.start if the request names a
// study and has a user: it is for a permanent link. It has no side effect. The app shows the
// texts, opens links.start in a new tab and posts to the others. The parameter study limits
// the decision to one study, language names the app's own language, and peek marks a dry run.
//
// If the request for the decision has an Authorization header, as those of apps with bearer
// tokens do, the links work without it for an hour: they carry a sealed ticket for the user
// and the study. After that, start answers as it does to somebody who is signed out, and the
// others with status 403, until the app asks for the decision again. The requests for the links
// have no such header, so do not mount the endpoints behind a check for tokens.
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
	e, known := endpoints[name]
	asset := m.prompts.Asset(r.URL.Path)
	if asset != nil {
		e.methods, known = "GET, HEAD", true
	}
	if !known {
		http.NotFound(w, r)
		return
	}
	m.isReached.Store(true)
	if !slices.Contains(strings.Split(e.methods, ", "), r.Method) {
		w.Header().Set("Allow", e.methods)
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	if asset != nil {
		asset.ServeHTTP(w, r)
		return
	}
	v := m.visitor(w, r, func() string { return cmp.Or(m.userOf(r, user), m.ticketHolder(r, name)) })
	if (v.UserID == "" || m.isAnonymous(v.UserID)) && r.URL.Query().Has(ticketKey) { // which has expired
		if r.Method == http.MethodPost {
			http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
			return
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
	e.serve(m, w, r, v)
}

// isForeign reports whether a page of another origin sent a POST. Where a browser says
// so by the Origin alone, as all do over plain HTTP, a proxy that changes the Host makes
// the app's own pages foreign: the log says so the first time.
func (m *Middleware) isForeign(r *http.Request) bool {
	if m.sameSite.Check(r) == nil {
		return false
	}
	if r.Header.Get("Sec-Fetch-Site") == "" && m.first("origin") {
		m.opts.Logger.WarnContext(r.Context(), "askonce: answer from another origin refused", "origin", r.Header.Get("Origin"), "host", r.Host)
	}
	return true
}

// start is where the prompt's link points: it confirms and sends on. The
// interview must learn neither the page nor anything else of the app, and no
// cache may keep where one user was sent.
func (m *Middleware) start(w http.ResponseWriter, r *http.Request, v gate.Visitor) {
	h := w.Header()
	h.Set("Referrer-Policy", "no-referrer")
	switch dest := r.Header.Get("Sec-Fetch-Dest"); {
	case dest != "" && dest != "document": // an image or a frame in somebody's content
		http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
		return
	case isPrefetch(r.Header):
		// Browsers drop a prefetched answer that is no success, and ask again
		// when the click comes.
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
		level, args := slog.LevelInfo, []any{"study", v.StudyID, "reason", d.Reason}
		if d.Err != nil {
			level, args = slog.LevelWarn, append(args, "err", d.Err)
		}
		m.opts.Logger.Log(r.Context(), level, "askonce: click refused", args...)
		m.refuse(w, r, v, d.Reason)
		return
	}
	link, err := d.Prompt.Link()
	if err != nil {
		m.opts.Logger.WarnContext(r.Context(), "askonce: no link into the interview", "study", d.Prompt.StudyID, "err", err)
		m.refuse(w, r, v, gate.ReasonUnavailable)
		return
	}
	if d.Prompt.Preview {
		m.opts.Logger.InfoContext(r.Context(), "askonce: interview opened in a preview", "study", d.Prompt.StudyID)
	}
	if err := m.note(w, r, v, store.InteractionOpened, d.Prompt.StudyID, time.Time{}); err != nil {
		m.notRecorded(r.Context(), d.Prompt.StudyID, err) // the interview goes before
	}
	h.Set("Location", link)
	w.WriteHeader(http.StatusSeeOther)
}

// isForm reports whether a form was submitted by the browser itself and not by
// a script, so that the user waits for a page.
func isForm(h http.Header) bool {
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return page.AcceptsHTML(h["Accept"])
}

// referrer is the page of the app that a request came from, or nil if the browser
// does not say or it was no page of the app.
func (m *Middleware) referrer(r *http.Request) *url.URL {
	from, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || from.Host == "" || from.Host != r.Host && from.Scheme+"://"+from.Host != m.opts.Origin {
		return nil
	}
	return from
}

// back is the page that a request says it came from, if that is one of the app's own,
// else the app's root. Only its path and query are taken: it never leads elsewhere.
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
