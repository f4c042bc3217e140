package middleware

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/askonce/askonce/gate"
)

// visitor returns who requested a page, or the named endpoint, with the history in the
// browser's cookie. A nil user means the func that New was given. If it panics, the visitor
// counts as anonymous.
func (m *Middleware) visitor(w http.ResponseWriter, r *http.Request, user func() string, endpoint string) gate.Visitor {
	v := gate.Visitor{Path: r.URL.Path, Preview: m.IsPreview(r)}
	m.call(r.Context(), "user", func() {
		if user != nil {
			v.UserID = user()
		} else {
			v.UserID = m.user(r)
		}
	})
	if v.UserID == "" && endpoint != "" {
		v.UserID = m.ticketHolder(r, endpoint)
	}
	if v.UserID == "" && m.opts.Anonymous {
		v.UserID = m.anonymousID(w, r)
	}
	if v.UserID == "" {
		return v
	}
	v.Languages = m.languagesOf(r)
	hasHistory := func(line string) bool { return strings.Contains(line, historyCookie) }
	if slices.ContainsFunc(r.Header["Cookie"], hasHistory) { // few users' do
		m.addHistory(r, &v)
	}
	return v
}

// IsPreview reports whether the request is from staff who preview the prompt, as
// [Options].Preview says.
func (m *Middleware) IsPreview(r *http.Request) (preview bool) {
	if m.opts.Preview != nil {
		m.call(r.Context(), "Options.Preview", func() { preview = m.opts.Preview(r) })
	}
	return preview
}

const (
	maxLanguages      = 8       // how many of a visitor's languages count
	maxAcceptLanguage = 1 << 10 // bytes; no browser sends a longer field
)

// languagesOf returns the languages that a visitor wants, the app's own first and then
// those of Accept-Language (RFC 9110, section 12.5.4), the most wanted first. The slice
// must not be changed.
func (m *Middleware) languagesOf(r *http.Request) []string {
	var accepted []string
	if field := r.Header["Accept-Language"]; len(field) > 0 && len(field[0]) <= maxAcceptLanguage {
		accepted = m.languages.of(field[0], func() []string { return parseLanguages(field[0]) })
	}
	if own := m.ownLanguage(r); own != "" {
		return append([]string{own}, accepted...)
	}
	return accepted
}

func parseLanguages(field string) (tags []string) {
	parsed, weights, err := language.ParseAcceptLanguage(field)
	if err != nil {
		return nil
	}
	for i, tag := range parsed {
		if weights[i] > 0 && tag != language.Und && len(tags) < maxLanguages {
			tags = append(tags, tag.String())
		}
	}
	return tags
}

// ownLanguage returns the language of the app's interface, or "".
func (m *Middleware) ownLanguage(r *http.Request) (own string) {
	if m.opts.Language != nil {
		m.call(r.Context(), "Options.Language", func() { own = m.opts.Language(r) })
	}
	return own
}

// anonymousPrefix distinguishes the ids that are made here from those of the app.
const anonymousPrefix = "anonymous-"

// anonymousID returns the id in the browser's cookie. A browser without one gets one at
// once, whatever the decision: if each page drew the holdout again, it would hold nobody
// out in the end.
func (m *Middleware) anonymousID(w http.ResponseWriter, r *http.Request) string {
	for _, cookies := range [...][]string{r.Header["Cookie"], w.Header()["Set-Cookie"]} { // the second if an outer Middleware has set it
		if id := m.knownAnonymous(r, cookies); id != "" {
			return id
		}
	}
	id := anonymousPrefix + strings.ToLower(rand.Text())
	if err := m.anonymous.set(w.Header(), m.isSecure(r), []byte(id)); err != nil {
		m.opts.Logger.WarnContext(r.Context(), "askonce: no id for an anonymous visitor", "err", err)
		return ""
	}
	return id
}

func (m *Middleware) knownAnonymous(r *http.Request, cookies []string) string {
	return m.anonymous.find(cookies, m.isSecure(r), func(id string) bool { return id != "" })
}

// isAnonymous reports whether the id was made here. Without Options.Anonymous no id was,
// whatever it begins with.
func (m *Middleware) isAnonymous(userID string) bool {
	return m.opts.Anonymous && strings.HasPrefix(userID, anonymousPrefix)
}

const historyCookie = "askonce"

// remembered is the content of the history cookie. Another user of the same browser starts
// afresh.
type remembered struct {
	owner   [16]byte // a hash, so that the cookie does not hold the user's id
	history gate.History
}

func ownerOf(user string) [16]byte {
	var buf [128]byte
	sum := sha256.Sum256(append(buf[:0], user...))
	return [16]byte(sum[:])
}

// addHistory adds what the browser's cookie holds about the visitor. A user who has just
// signed in inherits what this browser's anonymous visitor saw and answered.
func (m *Middleware) addHistory(r *http.Request, v *gate.Visitor) {
	cookies := r.Header["Cookie"]
	if m.opts.Anonymous && !m.isAnonymous(v.UserID) {
		v.AnonymousID = m.knownAnonymous(r, cookies)
	}
	for _, id := range [...]string{v.UserID, v.AnonymousID} {
		wanted := ownerOf(id)
		kept := m.histories.find(cookies, m.isSecure(r), func(c remembered) bool { return c.owner == wanted })
		if kept.owner == wanted {
			v.History = kept.history
			return
		}
	}
}

func decodeHistory(payload []byte) (r remembered) {
	if len(payload) < len(r.owner) || r.history.UnmarshalBinary(payload[len(r.owner):]) != nil {
		return remembered{}
	}
	copy(r.owner[:], payload)
	return r
}

// remember sets the cookie with the user's history.
func (m *Middleware) remember(header http.Header, r *http.Request, user string, h gate.History) {
	o := ownerOf(user)
	payload, err := h.AppendBinary(o[:])
	if err == nil {
		err = m.histories.set(header, m.isSecure(r), payload)
	}
	if err != nil {
		m.opts.Logger.WarnContext(r.Context(), "askonce: history not kept", "err", err)
	}
}

// isSecure reports whether the browser uses TLS to reach the app, or the proxy in front of
// it. A client that forges the field only gets a cookie that its own browser refuses.
func (m *Middleware) isSecure(r *http.Request) bool {
	if m.opts.Origin != "" {
		return strings.HasPrefix(m.opts.Origin, "https:")
	}
	if r.TLS != nil {
		return true
	}
	proto := r.Header["X-Forwarded-Proto"]
	return len(proto) > 0 && strings.EqualFold(proto[0], "https")
}

// isPrefetch reports whether a browser only prepares for a click that may never come. It
// reads Sec-Purpose of the Fetch standard, its predecessors, and X-Sec-Purpose, which Turbo
// sends because a script may not set Sec-Purpose.
func isPrefetch(h http.Header) bool {
	for _, name := range [...]string{"Sec-Purpose", "Purpose", "X-Sec-Purpose", "X-Moz"} {
		if v := h[name]; len(v) > 0 && strings.HasPrefix(v[0], "prefetch") {
			return true
		}
	}
	return false
}
