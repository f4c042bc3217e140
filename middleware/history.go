package middleware

import (
	"crypto/sha256"
	"net/http"
	"strings"

	"github.com/askonce/askonce/gate"
)

// remembered is the content of one cookie.
type remembered struct {
	owner   owner
	user    string // whose it is; "" until that user has sent it, and if it is nobody's
	history gate.History
}

// historyCookie is its name, but for what sealedCookie puts in front.
const historyCookie = "askonce"

// owner tells whose history a cookie holds: somebody else on the same browser
// starts afresh. The id itself need not be in there.
type owner [16]byte

func ownerOf(user string) owner {
	var buf [128]byte
	sum := sha256.Sum256(append(buf[:0], user...))
	return owner(sum[:])
}

// history is what the visitor has seen, as kept in a cookie: by the first one
// that is genuine and the user's own. Anything else is no history. Who has just signed
// in has what the browser's anonymous visitor has seen and answered.
func (m *Middleware) history(r *http.Request, user string) gate.History {
	h, own := m.historyOf(r, user)
	if !own && m.anonymous != nil && !m.isAnonymous(user) {
		if visitor := m.knownAnonymous(r); visitor != "" {
			h, _ = m.historyOf(r, visitor)
		}
	}
	return h
}

func (m *Middleware) historyOf(r *http.Request, user string) (h gate.History, own bool) {
	c := m.histories.of(m.isSecure(r))
	c.values(r.Header, func(value string) bool {
		var found gate.History
		if found, own = readHistory(c, value, user); own {
			h = found
		}
		return !own
	})
	return h, own
}

func mentions(cookies []string, name string) bool {
	for _, line := range cookies {
		if strings.Contains(line, name) {
			return true
		}
	}
	return false
}

func readHistory(c *knownCookie[remembered], value, user string) (gate.History, bool) {
	if r := c.known.get(value); r != nil {
		return r.history, r.user == user || r.owner == ownerOf(user)
	}
	r, ok := decodeHistory(c.sealedCookie, value)
	own := ok && r.owner == ownerOf(user)
	if own {
		r.user = user
	}
	c.known.put(value, r)
	return r.history, own
}

// decodeHistory returns nobody's for a value that is not genuine.
func decodeHistory(c sealedCookie, value string) (r remembered, ok bool) {
	payload, ok := c.open(value)
	if !ok || len(payload) < len(r.owner) || r.history.UnmarshalBinary(payload[len(r.owner):]) != nil {
		return remembered{}, false
	}
	copy(r.owner[:], payload)
	return r, true
}

// remember sets the user's cookie.
func (m *Middleware) remember(header http.Header, r *http.Request, user string, h gate.History) {
	c := m.histories.of(m.isSecure(r))
	o := ownerOf(user)
	payload, err := h.AppendBinary(o[:])
	var value string
	if err == nil {
		value, err = c.seal(payload)
	}
	if err != nil { // only if the system has no randomness
		m.opts.Logger.WarnContext(r.Context(), "askonce: history not kept", "err", err)
		return
	}
	c.known.put(value, remembered{o, user, h})
	c.set(header, value)
}
