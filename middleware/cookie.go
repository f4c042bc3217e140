package middleware

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
)

// cookieAge is how long a browser keeps the cookies. RFC 6265bis, section 5.5, limits it
// to 400 days.
const cookieAge = 400 * 24 * time.Hour

// cookieTries is how many cookies of one name are tried. A browser sends several only if
// they were set for other paths or domains.
const cookieTries = 4

// maxValue is the longest value that is tried, in bytes. A sealed [gate.History] is
// shorter.
const maxValue = 2560

// sealedCookie is a cookie that is signed, encrypted, and not readable by scripts
// (HttpOnly). Over TLS its name begins with "__Host-", so that
// neither plain HTTP nor another host of the domain can set it (RFC 6265bis,
// section 4.1.3.2).
type sealedCookie struct {
	name       string
	attributes string
	codecs     []securecookie.Codec
}

// cookies is one cookie under both of its names, with a cache of the values that
// browsers have sent: each is verified and decoded once. One that is not genuine is
// cached too, because after a change of keys a browser may send it with every page.
type cookies[V any] struct{ plain, secure knownCookie[V] }

type knownCookie[V any] struct {
	sealedCookie
	known *memo[V]
}

func newCookies[V any](name string, codecs []securecookie.Codec) *cookies[V] {
	return &cookies[V]{
		plain:  knownCookie[V]{newSealedCookie(name, false, codecs), newMemo[V]()},
		secure: knownCookie[V]{newSealedCookie(name, true, codecs), newMemo[V]()},
	}
}

func (c *cookies[V]) of(secure bool) *knownCookie[V] {
	if secure {
		return &c.secure
	}
	return &c.plain
}

func newSealedCookie(name string, secure bool, codecs []securecookie.Codec) sealedCookie {
	if secure {
		name = "__Host-" + name
	}
	const value = "v"
	line := (&http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(cookieAge / time.Second),
		Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}).String()
	return sealedCookie{name, strings.TrimPrefix(line, name+"="+value), codecs}
}

// newCodecs takes pairs of a hash key and a block key, newest first: the first
// one seals and every one opens.
func newCodecs(keys [][]byte) ([]securecookie.Codec, error) {
	var errs []error
	if len(keys)%2 != 0 {
		errs = append(errs, fmt.Errorf("middleware: CookieKeys has %d keys: they come in pairs, a hash key and a block key", len(keys)))
	}
	for i, k := range keys {
		switch {
		case i%2 == 0 && len(k) < 32:
			errs = append(errs, fmt.Errorf("middleware: CookieKeys[%d], a hash key, has %d bytes: at least 32, such as 64", i, len(k)))
		case i%2 == 1 && len(k) != 16 && len(k) != 24 && len(k) != 32:
			errs = append(errs, fmt.Errorf("middleware: CookieKeys[%d], a block key, has %d bytes: 16, 24 or 32", i, len(k)))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var codecs []securecookie.Codec
	for i := 0; i+1 < len(keys); i += 2 {
		c := securecookie.New(bytes.Clone(keys[i]), bytes.Clone(keys[i+1])).MaxAge(int(cookieAge / time.Second)).SetSerializer(securecookie.NopEncoder{})
		codecs = append(codecs, c)
	}
	return codecs, nil
}

func (c sealedCookie) seal(payload []byte) (value string, err error) {
	return securecookie.EncodeMulti(c.name, payload, c.codecs...)
}

func (c sealedCookie) open(value string) (payload []byte, ok bool) {
	return payload, securecookie.DecodeMulti(c.name, value, &payload, c.codecs...) == nil
}

// set adds the cookie to the header of a response.
func (c sealedCookie) set(h http.Header, value string) {
	h["Set-Cookie"] = append(h["Set-Cookie"], c.name+"="+value+c.attributes)
}

// values calls yield with each value of the cookie in the request, until yield returns
// false. It finds what http.Request.CookiesNamed finds, except values longer than
// maxValue, and allocates nothing. It looks for the name first, because most requests
// have many other cookies and not this one.
func (c sealedCookie) values(h http.Header, yield func(value string) bool) {
	tries := 0
	for _, line := range h["Cookie"] {
		for at := strings.Index(line, c.name); at >= 0; at = strings.Index(line, c.name) {
			before, rest := trimBlank(line[:at]), line[at+len(c.name):]
			rest, line, _ = strings.Cut(rest, ";")
			value, ok := strings.CutPrefix(trimBlank(rest), "=")
			if !ok && value != "" || before != "" && before[len(before)-1] != ';' {
				continue // a part of another cookie
			}
			if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
				value = value[1 : n-1]
			}
			if len(value) > maxValue {
				continue
			}
			if tries++; tries > cookieTries || !yield(value) {
				return
			}
		}
	}
}

// trimBlank removes the white space that net/http allows around a name in a Cookie field.
func trimBlank(s string) string {
	for s != "" && isBlankByte(s[0]) {
		s = s[1:]
	}
	for s != "" && isBlankByte(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isBlankByte(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// isSecure reports whether the browser speaks TLS to the app, or to the proxy in
// front of it. A client that forges the field gets a cookie that its own browser
// refuses, and nothing else.
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
