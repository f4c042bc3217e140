package pagetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// Judge parses a page with and without the snippet at a place, as a browser that runs
// scripts does and as one that does not. It returns how many prompts are live
// and "" or how the trees differ apart from the snippet. White space behind the
// end of a page is left aside: it goes into whatever is open there.
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

// Parse returns the tree of a page as a browser has it that runs scripts, or does not.
func Parse(t testing.TB, page string, scripting bool) *html.Node {
	t.Helper()
	doc, err := html.ParseWithOptions(strings.NewReader(page), html.ParseOptionEnableScripting(scripting))
	require.NoError(t, err)
	return doc
}

// RequireHidden allows a prompt that is not seen, or that moves what is around it, in a
// page that does the same to any other element at its end: it has left something open
// there, such as a select or an svg. No text of the page may become markup.
func RequireHidden(t testing.TB, plain, snippet string, at int) {
	t.Helper()
	const probe = `<aside class="askonce probe"></aside><link href="/askonce/probe"><script src="/askonce/probe"></script>`
	live, difference := Judge(t, plain, probe, at)
	require.False(t, live == 1 && difference == "", "another element would be seen there")
	require.Empty(t, ForeignMarkup(t, plain, snippet, at))
}

// takeOut removes the snippet's elements and counts the complete, live prompts.
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

// isLive reports whether a browser would show n: it is HTML, in the body, and in
// nothing that does not show its content as HTML.
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

// formatting elements are cloned by the parser around what comes into an
// element that is still open (HTML standard, 13.2.4.3).
var formatting = map[string]bool{"a": true, "b": true, "big": true, "code": true, "em": true, "font": true, "i": true, "nobr": true,
	"s": true, "small": true, "strike": true, "strong": true, "tt": true, "u": true}

// dump writes a tree, with adjacent texts as one and no white space behind them.
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
				continue // a clone that the parser made around the prompt
			}
			inText = false
			fmt.Fprintf(&b, "\n%*s%d %s:%s %q", depth, "", c.Type, c.Namespace, c.Data, c.Attr)
			walk(c, depth+1)
		}
	}
	walk(n, 0)
	return b.String()
}

// implied elements are made by the parser without a tag of theirs.
var implied = map[string]bool{"html": true, "head": true, "body": true, "p": true, "br": true, "tbody": true, "tr": true, "colgroup": true}

// ForeignMarkup finds an element that is neither of the page nor of the
// snippet, "" if there is none: text of the page that the snippet has turned
// into markup. A tag of the page's in whose middle the snippet stands is not
// text.
func ForeignMarkup(t testing.TB, plain, snippet string, at int) string {
	t.Helper()
	key := func(n *html.Node) string { return fmt.Sprintf("%s %q", strings.ToLower(n.Data), n.Attr) }
	known := map[string]bool{}
	for _, page := range []string{plain, snippet} {
		for _, scripting := range []bool{true, false} { // in an svg, noscript is an element as any other
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

// BeyondTheJudge reports whether Judge cannot tell: see
// TestGeneratedPages for links, and x/net/html drops two line feeds at the
// beginning of pre.
func BeyondTheJudge(page string) bool {
	lower := strings.ToLower(page)
	return strings.Contains(lower, "<a") || strings.Contains(lower, "<pre") || strings.Contains(lower, "<listing") || strings.Contains(page, "askonce")
}

// Without takes the snippet out of a page and returns where it was, or -1. It knows
// nothing of how the place is found.
func Without(t testing.TB, page, snippet string) (rest string, at int) {
	t.Helper()
	require.LessOrEqual(t, strings.Count(page, snippet), 1)
	at = strings.Index(page, snippet)
	if at < 0 {
		return page, -1
	}
	return page[:at] + page[at+len(snippet):], at
}
