package prompt

import (
	"net/http"
	"strings"
)

// policy is what a page's Content Security Policy (W3C CSP Level 3) lets the
// prompt's own assets do. All policies of a page are enforced at once; one that
// only reports counts too, or every page would be reported. A policy in a meta
// element is not seen: what it blocks, it blocks.
type policy struct{ script, style grant }

// grant is what all policies so far allow one kind of asset.
type grant struct {
	ok     bool
	nonce  string
	needed bool // without the nonce it is not ok
}

func policyOf(h http.Header) policy {
	p := policy{grant{ok: true}, grant{ok: true}}
	for _, name := range []string{"Content-Security-Policy", "Content-Security-Policy-Report-Only"} {
		for _, v := range h[name] {
			for one := range strings.SplitSeq(v, ",") {
				p.script.narrow(one, "script-src-elem", "script-src", "default-src")
				p.style.narrow(one, "style-src-elem", "style-src", "default-src")
			}
		}
	}
	return p
}

// narrow takes another policy into account, of whose directives the first in
// names that is there counts.
func (g *grant) narrow(policy string, names ...string) {
	for _, name := range names {
		sources, found := directive(policy, name)
		if !found {
			continue
		}
		own, nonce := matches(sources)
		switch {
		case nonce == "":
			g.ok = g.ok && own
		case g.nonce == "" || g.nonce == nonce:
			g.nonce, g.needed = nonce, g.needed || !own
		case own: // it does without the nonce
		case !g.needed:
			g.nonce, g.needed = nonce, true
		default:
			g.ok = false // two nonces are needed, and an element has but one
		}
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
// and the nonce that does it too or instead. A scheme is taken to be the page's.
func matches(sources []string) (own bool, nonce string) {
	strict := false
	for _, s := range sources {
		switch strings.ToLower(s) {
		case "'strict-dynamic'":
			strict = true // only a nonce counts then
		case "'self'", "*", "https:", "http:":
			own = true
		}
		if nonce == "" {
			nonce = nonceOf(s)
		}
	}
	return own && !strict, nonce
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
		if !isAlphanumeric(n[i]) && !strings.ContainsRune("+/_=-", rune(n[i])) {
			return ""
		}
	}
	return n
}

func (g grant) nonceAttribute() string {
	if g.nonce == "" {
		return ""
	}
	return ` nonce="` + g.nonce + `"`
}

// offer gives the assets the app's own nonce where no policy in the header has
// named one: a meta element or a proxy may.
func (p *policy) offer(nonce string) {
	for _, g := range []*grant{&p.script, &p.style} {
		if g.nonce == "" && nonceOf("'nonce-"+nonce+"'") != "" {
			g.nonce = nonce
		}
	}
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
