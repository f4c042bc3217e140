package middleware

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware/internal/page"
	"github.com/askonce/askonce/store"
)

// Endpoints returns the handler of the middleware's own endpoints, for apps that
// wrap only some of their routes; Handler serves them too. It expects the full
// path. Below Options.Path there are
//
//	GET  start?study=…     confirms that the study has a place for the user and sends on to the interview
//	POST later?study=…     silences the study for Options.Snooze, for this user
//	POST decline?study=…   silences it for good, which is as long as browsers keep a cookie: 400 days
//	GET  decision          the decision as JSON, for single-page apps
//	GET  prompt-….css, prompt-….js
//
// and everything else is 404. decision answers
//
//	{"ask": true, "reason": "eligible", "study": "…", "language": "de", "direction": "ltr",
//	 "texts": {"title": "…", "text": "…", "facts": ["…"], "start": "…", "later": "…", "decline": "…"},
//	 "links": {"start": "…", "later": "…", "decline": "…"}}
//
// or, with "ask": false, the reason alone, which is a gate.Reason. The app shows
// the texts, opens links.start in a new tab, and posts to the other two. To
// answer "ask": true counts as a showing; with the parameter peek it does not,
// for an app that only wants to know. The parameter study asks about one study.
// It is for the app's own pages: no other origin can read it.
//
// What a browser fetches ahead of a click
// (Sec-Purpose: prefetch) has no effect, and neither has HEAD. The answers to
// later and decline are 204, and for a form without JavaScript a way back to
// the page that it was on.
func (m *Middleware) Endpoints() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.serveEndpoint(w, r, nil) })
}

// endpoint is one of the endpoints, called for the visitor.
type endpoint struct {
	method string
	serve  func(m *Middleware, w http.ResponseWriter, r *http.Request, v gate.Visitor)
}

var endpoints = map[string]endpoint{
	"start":    {http.MethodGet, (*Middleware).start},
	"decision": {http.MethodGet, (*Middleware).serveDecision},
	"later":    {http.MethodPost, (*Middleware).later},
	"decline":  {http.MethodPost, (*Middleware).decline},
}

func (m *Middleware) serveEndpoint(w http.ResponseWriter, r *http.Request, user func() string) {
	w.Header().Set("Cache-Control", "no-store") // a 404 too: the asset may come with the next deployment
	name, ok := strings.CutPrefix(r.URL.Path, m.opts.Path)
	if !ok || strings.Contains(strings.ToUpper(r.URL.RawPath), "%2F") { // which is no slash (RFC 3986, section 2.2)
		http.NotFound(w, r)
		return
	}
	e, known := endpoints[name]
	asset := m.prompts.Asset(r.URL.Path)
	if !known && asset == nil {
		http.NotFound(w, r)
		return
	}
	if !known {
		e.method = http.MethodGet
	}
	if r.Method != e.method && !(r.Method == http.MethodHead && e.method == http.MethodGet) {
		allow := e.method
		if allow == http.MethodGet {
			allow = "GET, HEAD"
		}
		w.Header().Set("Allow", allow)
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	if !known {
		asset.ServeHTTP(w, r)
		return
	}
	v := m.visitor(w, r, user)
	v.Languages = m.languagesOf(r)
	e.serve(m, w, r, v)
}

// protect makes ready what keeps other sites from declining in a user's name.
func (m *Middleware) protect() error {
	m.sameSite = http.NewCrossOriginProtection()
	if m.opts.Origin == "" {
		return nil
	}
	if err := m.sameSite.AddTrustedOrigin(m.opts.Origin); err != nil {
		return fmt.Errorf("middleware: Origin: %w", err)
	}
	return nil
}

// start is where the prompt's link points: it confirms and sends on. The
// interview must learn neither the page nor anything else of the app, and no
// cache may keep where one user was sent.
func (m *Middleware) start(w http.ResponseWriter, r *http.Request, v gate.Visitor) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	switch {
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
		if d.Err != nil {
			m.opts.Logger.WarnContext(r.Context(), "askonce: click not confirmed", "study", v.StudyID, "err", d.Err)
		}
		m.writePage(w, v, d.Reason)
		return
	}
	link, err := d.Prompt.Link()
	if err != nil {
		m.opts.Logger.WarnContext(r.Context(), "askonce: no link into the interview", "study", d.Prompt.StudyID, "err", err)
		m.writePage(w, v, gate.ReasonUnavailable)
		return
	}
	m.remember(h, r, v.UserID, v.History.WithOpened(d.Prompt.StudyID, time.Now()))
	h.Set("Location", link)
	w.WriteHeader(http.StatusSeeOther)
}

func (m *Middleware) later(w http.ResponseWriter, r *http.Request, v gate.Visitor) {
	m.dismiss(w, r, v, func(h gate.History, studyID string) gate.History {
		if m.opts.Snooze < 0 {
			return h
		}
		now := time.Now()
		return h.WithSnooze(studyID, now, now.Add(m.opts.Snooze))
	})
}

func (m *Middleware) decline(w http.ResponseWriter, r *http.Request, v gate.Visitor) {
	m.dismiss(w, r, v, func(h gate.History, studyID string) gate.History { return h.WithDecline(studyID, time.Now()) })
}

func (m *Middleware) dismiss(w http.ResponseWriter, r *http.Request, v gate.Visitor, note func(h gate.History, studyID string) gate.History) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	if m.sameSite.Check(r) != nil {
		http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
		return
	}
	study := r.URL.Query().Get("study")
	if store.CheckID(study) != nil {
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	if v.UserID != "" {
		m.remember(header, r, v.UserID, note(v.History, study))
	}
	if !isForm(r.Header) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	header.Set("Location", m.back(r))
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

// back is the page that a form was on, if that is one of the app's own, else the
// app's root. Only its path and query are taken: it never leads elsewhere.
func (m *Middleware) back(r *http.Request) string {
	from, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || from.Host != r.Host && from.Scheme+"://"+from.Host != m.opts.Origin {
		return "/"
	}
	path := from.EscapedPath()
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) || strings.HasPrefix(path, m.opts.Path) {
		return "/" // a browser would read a second slash as the beginning of a host
	}
	return (&url.URL{Path: from.Path, RawPath: from.RawPath, RawQuery: from.RawQuery}).String()
}

// isPrefetch reports whether a browser only prepares for a click that may never
// come (Sec-Purpose of the Fetch standard, its predecessors, and what Turbo sends,
// which as a script may not set the real one).
func isPrefetch(h http.Header) bool {
	for _, name := range [...]string{"Sec-Purpose", "Purpose", "X-Sec-Purpose", "X-Moz"} {
		if v := h[name]; len(v) > 0 && strings.HasPrefix(v[0], "prefetch") {
			return true
		}
	}
	return false
}
