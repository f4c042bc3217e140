package middleware

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// anonymousPrefix distinguishes the ids that are made here from those of the app.
const anonymousPrefix = "anonymous-"

// anonymousID returns the id of a browser whose user is not known, from a sealed cookie.
// A browser without one gets one at once, whatever the decision: a holdout that is drawn
// again for each page would hold nobody out in the end.
func (m *Middleware) anonymousID(w http.ResponseWriter, r *http.Request) (user string) {
	if m.anonymous == nil {
		return ""
	}
	if user = m.knownAnonymous(r); user != "" {
		return user
	}
	c := m.anonymous.of(m.isSecure(r))
	header := w.Header()
	for _, line := range header["Set-Cookie"] { // set by an outer Middleware
		if rest, ok := strings.CutPrefix(line, c.name+"="); ok {
			value, _, _ := strings.Cut(rest, ";")
			return readID(c, value)
		}
	}
	user = anonymousPrefix + strings.ToLower(rand.Text())
	value, err := c.seal([]byte(user))
	if err != nil { // only if the system has no randomness
		m.opts.Logger.WarnContext(r.Context(), "askonce: no id for an anonymous visitor", "err", err)
		return ""
	}
	c.set(header, value)
	return user
}

// knownAnonymous returns the id in the browser's cookie, or "".
func (m *Middleware) knownAnonymous(r *http.Request) (user string) {
	c := m.anonymous.of(m.isSecure(r))
	c.values(r.Header, func(value string) bool {
		user = readID(c, value)
		return user == ""
	})
	return user
}

// isAnonymous reports whether the id was made here. Without Options.Anonymous none is,
// however the app's own ids begin.
func (m *Middleware) isAnonymous(userID string) bool {
	return m.anonymous != nil && strings.HasPrefix(userID, anonymousPrefix)
}

func readID(c *knownCookie[string], value string) (id string) {
	if id := c.known.get(value); id != nil {
		return *id
	}
	payload, ok := c.open(value)
	if id = string(payload); !ok || !strings.HasPrefix(id, anonymousPrefix) {
		id = ""
	}
	c.known.put(value, id)
	return id
}
