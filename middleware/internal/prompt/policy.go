package prompt

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// policy is what a page's Content Security Policy (W3C CSP Level 3) lets the
// prompt do. All policies of a page are enforced at once. One that only reports
// blocks nothing, but its nonce is used so that it has less to report. A policy in
// a meta element is not seen; a prompt that it blocks stays hidden.
type policy struct {
	script, style, image, connect grant
	form                          grant
	sandboxed                     bool // without what the prompt needs
}

// grant is what the policies so far allow one kind of request.
type grant struct {
	ok     bool
	nonce  string
	needed bool // without the nonce it is not ok
}

func policyOf(page Page) policy {
	p := policy{grant{ok: true}, grant{ok: true}, grant{ok: true}, grant{ok: true}, grant{ok: true}, false}
	for _, v := range page.Header["Content-Security-Policy"] {
		for one := range strings.SplitSeq(v, ",") {
			p.narrow(page, one)
			if tokens, found := directive(one, "sandbox"); found {
				p.sandbox(tokens)
			}
		}
	}
	for _, v := range page.Header["Content-Security-Policy-Report-Only"] {
		for one := range strings.SplitSeq(v, ",") {
			enforced := p
			enforced.narrow(page, one)
			if enforced.script.ok == p.script.ok && enforced.style.ok == p.style.ok {
				p.script, p.style = enforced.script, enforced.style
			}
		}
	}
	return p
}

func (p *policy) narrow(page Page, one string) {
	p.script.narrow(page, one, "script-src-elem", "script-src", "default-src")
	p.style.narrow(page, one, "style-src-elem", "style-src", "default-src")
	p.image.narrow(page, one, "img-src", "default-src")
	p.connect.narrow(page, one, "connect-src", "default-src")
	p.form.narrow(page, one, "form-action")
}

// sandbox takes a sandbox directive into account. An opaque origin has no cookies
// and may not post to the app's endpoints, and without popups the interview would
// have to replace the page.
func (p *policy) sandbox(tokens []string) {
	has := func(token string) bool {
		return slices.ContainsFunc(tokens, func(t string) bool { return strings.EqualFold(t, token) })
	}
	p.sandboxed = p.sandboxed || !has("allow-same-origin") || !has("allow-popups")
	p.script.ok = p.script.ok && has("allow-scripts")
	p.form.ok = p.form.ok && has("allow-forms")
}

// allowsPrompt reports whether the prompt can be styled and answered.
func (p *policy) allowsPrompt() bool {
	return !p.sandboxed && p.style.ok && (p.form.ok || p.script.ok && p.connect.ok)
}

// tags returns the parts of the markup that are allowed. They get the app's own
// nonce where no policy in the header has named one: a meta element or a proxy
// may.
func (p *policy) tags(nonce string) assetTags {
	if nonceOf("'nonce-"+nonce+"'") == "" {
		nonce = ""
	}
	t := assetTags{Script: p.script.ok, Image: p.image.ok, Forms: !p.connect.ok, ScriptNonce: nonce, StyleNonce: nonce}
	if p.script.nonce != "" {
		t.ScriptNonce = p.script.nonce
	}
	if p.style.nonce != "" {
		t.StyleNonce = p.style.nonce
	}
	return t
}

// narrow takes another policy into account. The first of the named directives
// that it has is the one that counts.
func (g *grant) narrow(page Page, policy string, names ...string) {
	for _, name := range names {
		sources, found := directive(policy, name)
		if !found {
			continue
		}
		own, nonce := page.matches(sources, strings.HasPrefix(names[0], "script"))
		switch {
		case nonce == "":
			g.ok = g.ok && own
		case g.nonce == "" || g.nonce == nonce:
			g.nonce, g.needed = nonce, g.needed || !own
		case own: // it does without the nonce
		case !g.needed:
			g.nonce, g.needed = nonce, true
		default:
			g.ok = false // two nonces are needed, and an element has only one
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

// matches reports whether the sources match the files and endpoints of the
// prompt, and returns the nonce that does it too or instead.
func (p Page) matches(sources []string, script bool) (own bool, nonce string) {
	strict := false
	for _, s := range sources {
		strict = strict || script && strings.EqualFold(s, "'strict-dynamic'") // then only a nonce counts
		own = own || p.matchesSource(s)
		if nonce == "" {
			nonce = nonceOf(s)
		}
	}
	return own && !strict, nonce
}

// matchesSource implements "Does url match expression" (CSP Level 3, 6.7.2.8) for
// what lies below the path of the prompt. An unknown scheme may be either one:
// what the browser blocks after all stays hidden.
func (p Page) matchesSource(source string) bool {
	switch s := strings.ToLower(source); s {
	case "*", "'self'":
		return true
	case "http:", "https:":
		return matchesScheme(strings.TrimSuffix(s, ":"), p.Scheme) || p.Scheme == ""
	}
	if strings.HasPrefix(source, "'") {
		return false
	}
	scheme, rest, hasScheme := strings.Cut(source, "://")
	if !hasScheme {
		scheme, rest = "", source
	}
	host, path, hasPath := strings.Cut(rest, "/")
	host, port := splitPort(host)
	ownHost, ownPort := splitPort(p.Host)
	if !matchesHost(strings.ToLower(host), strings.ToLower(ownHost)) {
		return false
	}
	if hasPath && !matchesPath("/"+path, p.path) {
		return false
	}
	schemes := []string{p.Scheme}
	if p.Scheme == "" {
		schemes = []string{"http", "https"}
	}
	for _, own := range schemes {
		if matchesScheme(strings.ToLower(scheme), own) && matchesPort(port, ownPort, own) {
			return true
		}
	}
	return false
}

func matchesScheme(source, own string) bool {
	return source == "" || source == own || source == "http" && own == "https"
}

func matchesHost(source, own string) bool {
	if suffix, ok := strings.CutPrefix(source, "*"); ok {
		return strings.HasPrefix(suffix, ".") && strings.HasSuffix(own, suffix) && own != suffix || suffix == ""
	}
	return source == own && source != ""
}

func matchesPort(source, own, scheme string) bool {
	standard := map[string]string{"http": "80", "https": "443"}[scheme]
	if own == "" {
		own = standard
	}
	return source == "*" || source == own || source == "" && own == standard || source == "80" && own == "443"
}

// matchesPath reports whether everything below prefix matches the path of a
// source, which stands for one file unless it ends with a slash.
func matchesPath(source, prefix string) bool {
	if decoded, err := url.PathUnescape(source); err == nil {
		source = decoded
	}
	return source == "/" || strings.HasSuffix(source, "/") && strings.HasPrefix(prefix, source)
}

func splitPort(host string) (name, port string) {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i], host[i+1:]
	}
	return host, ""
}

// nonceOf returns the nonce of a source expression, if it is made of base64
// characters only.
func nonceOf(source string) string {
	const prefix = "'nonce-"
	if len(source) <= len(prefix)+1 || !strings.EqualFold(source[:len(prefix)], prefix) || source[len(source)-1] != '\'' {
		return ""
	}
	n := source[len(prefix) : len(source)-1]
	for _, c := range n {
		if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_=-", c) {
			return ""
		}
	}
	return n
}

// concealsPath reports whether the Referrer-Policy of a page (W3C Referrer Policy,
// section 8.1) keeps its path from the app's own endpoints: the last policy that
// browsers know counts. One in a meta element is not seen.
func concealsPath(h http.Header) (conceals bool) {
	for _, v := range h["Referrer-Policy"] {
		for policy := range strings.SplitSeq(v, ",") {
			switch strings.ToLower(strings.TrimSpace(policy)) {
			case "no-referrer", "origin", "strict-origin":
				conceals = true
			case "no-referrer-when-downgrade", "same-origin", "origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url":
				conceals = false
			}
		}
	}
	return conceals
}
