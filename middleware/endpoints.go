package middleware

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/askonce/askonce/gate"
)

// asset is one embedded file under a name that changes with its content.
type asset struct {
	path, contentType string
	body              []byte
}

type assets struct{ style, script asset }

func newAssets(path string) assets {
	return assets{
		style:  newAsset(path, "prompt", ".css", "text/css; charset=utf-8"),
		script: newAsset(path, "prompt", ".js", "text/javascript; charset=utf-8"),
	}
}

func newAsset(path, name, ext, contentType string) asset {
	body, err := ui.ReadFile("ui/" + name + ext)
	if err != nil {
		panic(err) // it is embedded
	}
	sum := sha256.Sum256(body)
	return asset{path + name + "-" + hex.EncodeToString(sum[:6]) + ext, contentType, body}
}

// Endpoints returns the handler of the middleware's own endpoints, for apps that
// wrap only some of their routes; Handler serves them too. It expects the full
// path. Below Options.Path there are
//
//	GET start?study=…   confirms that the study has a place for the user and sends on to the interview
//	GET prompt-….css, prompt-….js
//
// and everything else is 404.
func (m *Middleware) Endpoints() http.Handler { return m.endpoints }

func (m *Middleware) newEndpoints() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+m.opts.Path+"start", m.start)
	for _, a := range []asset{m.assets.style, m.assets.script} {
		mux.HandleFunc("GET "+a.path, a.serve)
	}
	return mux
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}

// start is where the prompt's link points: it confirms and sends on. The
// interview must learn neither the page nor anything else of the app, and no
// cache may keep where one user was sent.
func (m *Middleware) start(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	if isPrefetch(r.Header) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	link := m.confirm(r)
	if link == "" {
		m.writeClosed(w)
		return
	}
	h.Set("Location", link)
	w.WriteHeader(http.StatusSeeOther)
}

// confirm returns the user's link into the interview, or "" if there is none
// for this user now.
func (m *Middleware) confirm(r *http.Request) string {
	user := m.user(r)
	if user == "" {
		return ""
	}
	d := m.decider.Confirm(r.Context(), gate.Visitor{
		UserID: user, Languages: acceptLanguages(r.Header), StudyID: r.URL.Query().Get("study"),
	})
	if !d.Ask {
		return ""
	}
	link, err := d.Prompt.Link()
	if err != nil || !strings.HasPrefix(link, "https://") && !strings.HasPrefix(link, "http://") {
		m.opts.Logger.WarnContext(r.Context(), "askonce: no link into the interview", "study", d.Prompt.StudyID, "err", err)
		return ""
	}
	return link
}

func (m *Middleware) writeClosed(w http.ResponseWriter) {
	page, err := ui.ReadFile("ui/closed.html")
	if err != nil {
		panic(err) // it is embedded
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(page) // the client is gone
}

// isPrefetch reports whether a browser only prepares for a click that may never
// come (Sec-Purpose of the Fetch standard, and its predecessor).
func isPrefetch(h http.Header) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Moz"} {
		if strings.HasPrefix(h.Get(name), "prefetch") {
			return true
		}
	}
	return false
}
