package middleware

import (
	"net/http"
	"strings"
)

// policy is what a page's Content Security Policy (W3C CSP Level 3) lets the
// prompt's own assets do. All policies of a page are enforced at once; one that
// only reports counts too, or every page would be reported.
type policy struct {
	script, style           bool
	scriptNonce, styleNonce string
}

func policyOf(h http.Header) policy {
	p := policy{script: true, style: true}
	for _, name := range []string{"Content-Security-Policy", "Content-Security-Policy-Report-Only"} {
		for _, v := range h[name] {
			for one := range strings.SplitSeq(v, ",") {
				allow(one, []string{"script-src-elem", "script-src", "default-src"}, &p.script, &p.scriptNonce)
				allow(one, []string{"style-src-elem", "style-src", "default-src"}, &p.style, &p.styleNonce)
			}
		}
	}
	return p
}

// allow narrows ok by one policy, of whose directives the first in names that
// is there counts.
func allow(policy string, names []string, ok *bool, nonce *string) {
	for _, name := range names {
		sources, found := directive(policy, name)
		if !found {
			continue
		}
		own, n := matches(sources)
		if n != "" && (*nonce == "" || *nonce == n) {
			*nonce = n
			own = true
		}
		*ok = *ok && own
		return
	}
}

func directive(policy, name string) (sources []string, found bool) {
	for d := range strings.SplitSeq(policy, ";") {
		if fields := strings.Fields(d); len(fields) > 0 && strings.EqualFold(fields[0], name) {
			return fields[1:], true // the first one of a name counts
		}
	}
	return nil, false
}

// matches reports whether the sources match a file of the page's own origin,
// and the nonce that would do it otherwise.
func matches(sources []string) (own bool, nonce string) {
	for _, s := range sources {
		switch lower := strings.ToLower(s); {
		case lower == "'strict-dynamic'":
			own = false
			for _, s := range sources {
				if n := nonceOf(s); n != "" {
					return false, n
				}
			}
			return false, ""
		case lower == "'self'" || lower == "*":
			own = true
		case nonceOf(s) != "":
			nonce = nonceOf(s)
		}
	}
	return own, nonce
}

// nonceOf takes a nonce from its source expression, if it is made of base64
// characters only: it goes into the page as it is.
func nonceOf(source string) string {
	const prefix = "'nonce-"
	if len(source) <= len(prefix)+1 || !strings.EqualFold(source[:len(prefix)], prefix) || source[len(source)-1] != '\'' {
		return ""
	}
	n := source[len(prefix) : len(source)-1]
	for i := range len(n) {
		if !isLetter(n[i]) && (n[i] < '0' || n[i] > '9') && !oneOf(n[i], "+/_=-") {
			return ""
		}
	}
	return n
}

func (policy) nonceAttribute(nonce string) string {
	if nonce == "" {
		return ""
	}
	return ` nonce="` + nonce + `"`
}
