package prompt

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A policy is what a page's Content Security Policy (W3C CSP Level 3) lets the prompt do.
// All policies of a page are enforced at once. A policy that only reports blocks nothing,
// but its nonce is used, so that it has less to report. A policy in a meta element is not
// seen; a prompt that it blocks stays hidden.
type policy struct {
	own                                 location
	script, style, image, connect, form grant
	sandboxed                           bool // without what the prompt needs
}

// A location is where the prompt's files and endpoints are. If the scheme is unknown, it is
// https, because whatever allows http allows https too. What the browser blocks after all
// stays hidden.
type location struct {
	scheme string
	host   string // with its port if it has one
	path   string // the prefix of all of them
}

// A grant is what the policies so far allow one kind of request.
type grant struct {
	ok     bool
	nonce  string
	needed bool // without the nonce it is not ok
}

func policyOf(h http.Header, own location) policy {
	free := grant{ok: true}
	p := policy{own: own, script: free, style: free, image: free, connect: free, form: free}
	for _, v := range h["Content-Security-Policy"] {
		for one := range strings.SplitSeq(v, ",") {
			p.narrow(one)
			if tokens, found := directive(one, "sandbox"); found {
				p.sandbox(tokens)
			}
		}
	}
	for _, v := range h["Content-Security-Policy-Report-Only"] {
		for one := range strings.SplitSeq(v, ",") {
			enforced := p
			enforced.narrow(one)
			if enforced.script.ok == p.script.ok && enforced.style.ok == p.style.ok {
				p.script, p.style = enforced.script, enforced.style
			}
		}
	}
	return p
}

func (p *policy) narrow(one string) {
	p.script.narrow(p.own, one, "script-src-elem", "script-src", "default-src")
	p.style.narrow(p.own, one, "style-src-elem", "style-src", "default-src")
	p.image.narrow(p.own, one, "img-src", "default-src")
	p.connect.narrow(p.own, one, "connect-src", "default-src")
	p.form.narrow(p.own, one, "form-action")
}

// sandbox takes a sandbox directive into account. An opaque origin has no cookies and may
// not post to the app's endpoints, and without popups the interview would replace the
// page.
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

// tags returns the parts of the markup that are allowed. They get the app's own nonce
// where no policy in the header names one, because a meta element or a proxy may.
func (p *policy) tags(nonce string) assetTags {
	if nonceOf("'nonce-"+nonce+"'") == "" {
		nonce = ""
	}
	return assetTags{
		Script: p.script.ok, Image: p.image.ok, Forms: !p.connect.ok,
		ScriptNonce: cmp.Or(p.script.nonce, nonce), StyleNonce: cmp.Or(p.style.nonce, nonce),
	}
}

// narrow takes another policy into account. The first of the named directives that the
// policy has counts.
func (g *grant) narrow(own location, policy string, names ...string) {
	for _, name := range names {
		sources, found := directive(policy, name)
		if !found {
			continue
		}
		matched, nonce := own.matches(sources, strings.HasPrefix(names[0], "script"))
		switch {
		case nonce == "":
			g.ok = g.ok && matched
		case g.nonce == "" || g.nonce == nonce:
			g.nonce, g.needed = nonce, g.needed || !matched
		case matched: // this nonce is not needed
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
			return fields[1:], true // the first directive of a name counts
		}
	}
	return nil, false
}

// matches reports whether the sources match the location, and returns their first nonce,
// which allows a request too.
func (l location) matches(sources []string, script bool) (matched bool, nonce string) {
	strict := false
	for _, s := range sources {
		strict = strict || script && strings.EqualFold(s, "'strict-dynamic'") // then only a nonce counts
		matched = matched || l.matchesSource(s)
		nonce = cmp.Or(nonce, nonceOf(s))
	}
	return matched && !strict, nonce
}

// matchesSource implements "Does url match expression" (CSP Level 3, 6.7.2.8) for all that
// is below the path.
func (l location) matchesSource(source string) bool {
	switch s := strings.ToLower(source); s {
	case "*", "'self'":
		return true
	case "http:", "https:":
		return matchesScheme(strings.TrimSuffix(s, ":"), l.scheme)
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
	ownHost, ownPort := splitPort(l.host)
	return matchesHost(strings.ToLower(host), strings.ToLower(ownHost)) &&
		(!hasPath || matchesPath("/"+path, l.path)) &&
		matchesScheme(strings.ToLower(scheme), l.scheme) &&
		matchesPort(port, ownPort, l.scheme)
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
	own = cmp.Or(own, standard)
	return source == "*" || source == own || source == "" && own == standard || source == "80" && own == "443"
}

// matchesPath reports whether everything below prefix matches the path of a source. That
// is one file unless it ends with a slash.
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

// nonceOf returns the nonce of a source expression, or "" if it is none or has other
// characters than base64.
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

// concealsPath reports whether the Referrer-Policy of a page (W3C Referrer Policy, section
// 8.1) keeps the page's path from the app's own endpoints: the last policy that browsers
// know counts. A policy in a meta element is not seen.
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
