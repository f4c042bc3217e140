package pagetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// Judge parses a page without the snippet and with it at position at, as a browser that runs
// scripts does and as one that does not. It returns the number of prompts that users see, and
// how the trees differ apart from the snippet, or "". It ignores white space at the end of
// the page, which goes into any element that is still open.
func Judge(t testing.TB, plain, snippet string, at int) (live int, difference string) {
	t.Helper()
	plain = strings.TrimRight(plain, " \t\r\n\f")
	at = min(at, len(plain))
	injected := plain[:at] + snippet + plain[at:]
	for _, scripting := range []bool{true, false} {
		want, got := Parse(t, plain, scripting), Parse(t, injected, scripting)
		n := takeOut(got)
		if scripting {
			live = n
		}
		if w, g := dump(want), dump(got); w != g {
			at := 0
			for at < min(len(w), len(g)) && w[at] == g[at] {
				at++
			}
			at = max(0, at-100)
			return live, fmt.Sprintf("scripting %v\nwant\n%.500s\ngot\n%.500s", scripting, w[at:], g[at:])
		}
	}
	return live, ""
}

// Parse returns the tree that a browser makes of a page. The tree of noscript elements
// depends on scripting.
func Parse(t testing.TB, page string, scripting bool) *html.Node {
	t.Helper()
	doc, err := html.ParseWithOptions(strings.NewReader(page), html.ParseOptionEnableScripting(scripting))
	require.NoError(t, err)
	return doc
}

// RequireHidden requires that the snippet is hidden, or changes the tree around it, only
// because any other element at the end of the page would: something is open there, such as a
// select or an svg. No text of the page may become markup.
func RequireHidden(t testing.TB, plain, snippet string, at int) {
	t.Helper()
	const probe = `<aside class="askonce probe"></aside><link href="/askonce/probe"><script src="/askonce/probe"></script>`
	live, difference := Judge(t, plain, probe, at)
	require.False(t, live == 1 && difference == "", "another element would be seen there")
	require.Empty(t, ForeignMarkup(t, plain, snippet, at))
}

// takeOut removes the elements of the snippet, and counts the complete prompts that users see.
func takeOut(doc *html.Node) (live int) {
	var asides, scripts []*html.Node
	for n := range doc.Descendants() {
		switch {
		case n.Type != html.ElementNode || n.Namespace != "":
		case n.Data == "aside" && strings.Contains(Attribute(n, "class"), "askonce"):
			asides = append(asides, n)
		case n.Data == "script" && strings.HasPrefix(Attribute(n, "src"), "/askonce/"):
			scripts = append(scripts, n)
		}
	}
	for _, n := range asides {
		shadow := n.FirstChild
		if isLive(n) && shadow != nil && Attribute(shadow, "shadowrootmode") == "open" && len(scripts) == 1 && isLive(scripts[0]) {
			live++
		}
	}
	for _, list := range [][]*html.Node{asides, scripts} {
		for _, n := range list {
			if n.Parent != nil {
				n.Parent.RemoveChild(n)
			}
		}
	}
	return live
}

// Attribute returns the value of an attribute, or "".
func Attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// isLive reports whether a browser shows n: it is an HTML element in the body, and in no
// element that hides it.
func isLive(n *html.Node) bool {
	body := false
	for p := range n.Ancestors() {
		if p.Type != html.ElementNode {
			continue
		}
		switch p.Data {
		case "body":
			body = true
		case "template", "select", "noscript", "textarea", "title", "iframe", "object", "button":
			return false
		}
		if p.Namespace != "" {
			return false
		}
	}
	return body
}

// The parser clones formatting elements that are still open (HTML standard, 13.2.4.3).
var formatting = map[string]bool{"a": true, "b": true, "big": true, "code": true, "em": true, "font": true, "i": true, "nobr": true,
	"s": true, "small": true, "strike": true, "strong": true, "tt": true, "u": true}

// dump returns a tree as text. It joins adjacent text nodes and trims the white space after
// them.
func dump(n *html.Node) string {
	var b strings.Builder
	var walk func(n *html.Node, depth int)
	walk = func(n *html.Node, depth int) {
		inText := false
		for c := range n.ChildNodes() {
			if c.Type == html.TextNode {
				if text := strings.TrimRight(c.Data, " \n"); text != "" {
					if !inText {
						fmt.Fprintf(&b, "\n%*s#", depth, "")
					}
					inText = true
					b.WriteString(text)
				}
				continue
			}
			if formatting[c.Data] && c.FirstChild == nil {
				continue // the parser has cloned it around the prompt
			}
			inText = false
			fmt.Fprintf(&b, "\n%*s%d %s:%s %q", depth, "", c.Type, c.Namespace, c.Data, c.Attr)
			walk(c, depth+1)
		}
	}
	walk(n, 0)
	return b.String()
}

// The parser adds implied elements without a tag.
var implied = map[string]bool{"html": true, "head": true, "body": true, "p": true, "br": true, "tbody": true, "tr": true, "colgroup": true}

// ForeignMarkup returns an element that is neither in the page nor in the snippet, because
// the snippet has turned text of the page into markup, or "". A tag of the page that the
// snippet was inserted into does not count.
func ForeignMarkup(t testing.TB, plain, snippet string, at int) string {
	t.Helper()
	key := func(n *html.Node) string { return fmt.Sprintf("%s %q", strings.ToLower(n.Data), n.Attr) }
	known := map[string]bool{}
	for _, page := range []string{plain, snippet} {
		for _, scripting := range []bool{true, false} { // in an svg, noscript is like any other element
			for n := range Parse(t, page, scripting).Descendants() {
				known[key(n)] = true
			}
		}
	}
	for n := range Parse(t, plain[:at]+snippet+plain[at:], true).Descendants() {
		if n.Type != html.ElementNode || known[key(n)] || len(n.Attr) == 0 && implied[n.Data] {
			continue
		}
		if !strings.Contains(fmt.Sprint(n.Attr), snippet[:len("<aside")]) {
			return key(n)
		}
	}
	return ""
}

// BeyondTheJudge reports whether Judge would be wrong about a page. The prompt's own link
// closes a link that is still open, and x/net/html drops two line feeds at the beginning of
// pre elements.
func BeyondTheJudge(page string) bool {
	lower := strings.ToLower(page)
	return strings.Contains(lower, "<a") || strings.Contains(lower, "<pre") || strings.Contains(lower, "<listing") || strings.Contains(page, "askonce")
}

// Without returns a page without the snippet, and the position of the snippet or -1.
func Without(t testing.TB, page, snippet string) (rest string, at int) {
	t.Helper()
	require.LessOrEqual(t, strings.Count(page, snippet), 1)
	at = strings.Index(page, snippet)
	if at < 0 {
		return page, -1
	}
	return page[:at] + page[at+len(snippet):], at
}
