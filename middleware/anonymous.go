package middleware

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// anonymousPrefix tells the ids that are made here from those of the app.
const anonymousPrefix = "anonymous-"

// visitor is the user's id or, if there is none and Options.Anonymous wants it,
// that of the browser, from a cookie that nobody can make up. Without one the
// browser is given one at once, whatever the decision will be: a sample that
// were drawn anew for each page would have everybody in the end.
func (m *Middleware) visitor(w http.ResponseWriter, r *http.Request, user string) string {
	if user != "" || m.anonymous == nil {
		return user
	}
	c := m.anonymous.of(m.isSecure(r))
	c.values(r.Header, func(value string) bool {
		user = readID(c, value)
		return user == ""
	})
	if user != "" {
		return user
	}
	header := w.Header()
	for _, line := range header["Set-Cookie"] { // by another middleware of ours, further out
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
