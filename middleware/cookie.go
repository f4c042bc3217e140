package middleware

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
)

const (
	// cookieAge is how long a browser keeps the cookies. RFC 6265bis, section 5.5,
	// limits it to 400 days.
	cookieAge = 400 * 24 * time.Hour

	// cookieTries is how many cookies of one name are tried. A browser sends several
	// only if they were set for other paths or domains.
	cookieTries = 4

	hostPrefix = "__Host-"
)

// A sealedCookie keeps a V in the browser, signed, encrypted and hidden from scripts
// (HttpOnly). Over TLS the name in the browser begins with "__Host-", so that neither
// plain HTTP nor another host of the domain can set it (RFC 6265bis, section 4.1.3.2).
type sealedCookie[V any] struct {
	name   string
	codecs []securecookie.Codec
	decode func(payload []byte) V // returns the zero V for a payload that it cannot read

	// known caches what values stand for, because a browser sends its own with every
	// page. A value that is not genuine stands for the zero V: after a change of keys a
	// browser may send it with every page too.
	known *memo[V]
}

// find returns the first content that accept returns true for, or the zero V. The lines
// are those of the field Cookie or Set-Cookie.
func (c *sealedCookie[V]) find(lines []string, secure bool, accept func(V) bool) (none V) {
	tries := 0
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			pair = textproto.TrimString(pair)
			name, value, _ := strings.Cut(pair, "=")
			base, isSecure := strings.CutPrefix(name, hostPrefix)
			if base != c.name || isSecure != secure {
				continue
			}
			if tries++; tries > cookieTries {
				return none
			}
			if v := c.known.of(pair, func() V { return c.open(name, value) }); accept(v) {
				return v
			}
		}
	}
	return none
}

func (c *sealedCookie[V]) open(name, value string) (v V) {
	var payload []byte
	if securecookie.DecodeMulti(name, value, &payload, c.codecs...) == nil {
		v = c.decode(payload)
	}
	return v
}

// set adds the cookie to the header of a response. It fails only if the system has no
// randomness.
func (c *sealedCookie[V]) set(h http.Header, secure bool, payload []byte) error {
	name := c.name
	if secure {
		name = hostPrefix + name
	}
	value, err := securecookie.EncodeMulti(name, payload, c.codecs...)
	if err != nil {
		return err
	}
	h.Add("Set-Cookie", (&http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(cookieAge / time.Second),
		Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}).String())
	return nil
}

// newCodecs takes pairs of a hash key and a block key: the first pair seals and all of
// them open what is not older than age.
func newCodecs(keys [][]byte, age time.Duration) []securecookie.Codec {
	var codecs []securecookie.Codec
	for i := 0; i+1 < len(keys); i += 2 {
		c := securecookie.New(bytes.Clone(keys[i]), bytes.Clone(keys[i+1]))
		codecs = append(codecs, c.MaxAge(int(age/time.Second)).SetSerializer(securecookie.NopEncoder{}))
	}
	return codecs
}

func checkKeys(keys [][]byte) error {
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
	return errors.Join(errs...)
}
