package minifiers

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tdewolff/minify/v2"
	"github.com/tdewolff/minify/v2/css"
	"github.com/tdewolff/minify/v2/html"
	"github.com/tdewolff/minify/v2/js"
	"github.com/tdewolff/minify/v2/svg"
	xhtml "golang.org/x/net/html"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
)

// corpusSize is the number of pages that each minifier is given.
const corpusSize = 120

// corpora are the ways in which the pages come.
var corpora = []struct {
	name  string
	pages func(t *testing.T, pages []string) []string
}{
	{"as written", func(_ *testing.T, pages []string) []string { return pages }},
	{"themes without </body>", func(_ *testing.T, pages []string) []string { return each(pages, theme) }},
	{"Google's style guide", func(_ *testing.T, pages []string) []string { return each(pages, googleStyle) }},
	{"tdewolff/minify", tdewolff},
	{"minify-html", npm("minify-html")},
	{"html-minifier-terser", npm("html-minifier-terser")},
}

func each(pages []string, f func(string) string) []string {
	out := make([]string, len(pages))
	for i, p := range pages {
		out[i] = f(p)
	}
	return out
}

func tdewolff(t *testing.T, pages []string) []string {
	m := minify.New()
	m.AddFunc("text/html", html.Minify)
	m.AddFunc("text/css", css.Minify)
	m.AddFunc("image/svg+xml", svg.Minify)
	m.AddFunc("application/javascript", js.Minify)
	return each(pages, func(p string) string {
		out, err := m.String("text/html", p)
		require.NoError(t, err)
		return out
	})
}

func npm(tool string) func(*testing.T, []string) []string {
	return func(t *testing.T, pages []string) []string {
		return node[[]string](t, map[string]any{"tool": tool, "pages": pages})
	}
}

// pair is a page without and with the prompt.
type pair struct {
	Plain    string `json:"plain"`
	Injected string `json:"injected"`
}

// Every page of every corpus gets the prompt: live, once, and with the rest of the
// tree as it was, in the eyes of both parsers.
func TestCorpora(t *testing.T) {
	for _, c := range corpora {
		t.Run(c.name, func(t *testing.T) {
			corpus := c.pages(t, pages(corpusSize))
			omitted, outcomes := 0, map[string]int{}
			var pairs []pair
			for i, plain := range corpus {
				if omitsEndTags(plain) {
					omitted++
				}
				injected, outcome := inject(t, plain)
				outcomes[outcome.String()]++
				require.Equal(t, middleware.OutcomeInjected.String(), outcome.String(), "page %d: …%q", i, plain[max(0, len(plain)-1200):])
				require.Empty(t, judge(t, plain, injected), "page %d: …%q", i, plain[max(0, len(plain)-1200):])
				pairs = append(pairs, pair{plain, injected})
			}
			t.Logf("%d pages, %d without end tags: %v, 0 wrong by golang.org/x/net/html", len(corpus), omitted, outcomes)
			t.Run("parse5", func(t *testing.T) {
				verdicts := node[[]string](t, map[string]any{"tool": "parse5", "pairs": pairs})
				require.Len(t, verdicts, len(pairs))
				for i, v := range verdicts {
					require.Empty(t, v, "page %d: …%q", i, pairs[i].Plain[max(0, len(pairs[i].Plain)-1200):])
				}
				t.Logf("%d pages, 0 wrong by parse5", len(pairs))
			})
		})
	}
}

// omitsEndTags reports whether page has neither </body> nor </html>.
func omitsEndTags(page string) bool {
	z := xhtml.NewTokenizer(strings.NewReader(page))
	for kind := z.Next(); kind != xhtml.ErrorToken; kind = z.Next() {
		if name, _ := z.TagName(); kind == xhtml.EndTagToken && (string(name) == "body" || string(name) == "html") {
			return false
		}
	}
	return true
}

// inject serves a page to a user who is asked.
func inject(t *testing.T, page string) (string, middleware.Outcome) {
	t.Helper()
	var outcome middleware.Outcome
	m, err := middleware.New(asksAll{}, func(*http.Request) string { return "ada" }, &middleware.Options{
		CookieKeys: [][]byte{make([]byte, 32), make([]byte, 32)},
		OnPrompt:   func(_ *http.Request, o middleware.Outcome) { outcome = o },
	})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", "text/html,*/*")
	r.Header.Set("Sec-Fetch-Dest", "document")
	w := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, page)
	})).ServeHTTP(w, r)
	return w.Body.String(), outcome
}

type asksAll struct{}

func (asksAll) Decide(_ context.Context, v gate.Visitor) gate.Decision {
	return gate.Decision{Reason: gate.ReasonEligible, Prompt: gate.Prompt{
		StudyID: "s", StudyName: "Study", InterviewLink: "https://provider.example/i/a", UserID: v.UserID,
	}}
}

func (d asksAll) Confirm(ctx context.Context, v gate.Visitor) gate.Decision { return d.Decide(ctx, v) }

// judge returns "" if the prompt is live exactly once in the injected page, and the
// rest of the tree is that of the plain page.
func judge(t *testing.T, plain, injected string) string {
	t.Helper()
	for _, scripting := range []bool{true, false} {
		want, got := parse(t, plain, scripting), parse(t, injected, scripting)
		if live := takeOut(got); live != 1 {
			return fmt.Sprintf("scripting %v: %d live prompts", scripting, live)
		}
		if dump(want, 0) != dump(got, 0) {
			return fmt.Sprintf("scripting %v: the rest of the tree differs", scripting)
		}
	}
	return ""
}

func parse(t *testing.T, page string, scripting bool) *xhtml.Node {
	t.Helper()
	doc, err := xhtml.ParseWithOptions(strings.NewReader(page), xhtml.ParseOptionEnableScripting(scripting))
	require.NoError(t, err)
	return doc
}

// takeOut removes what the middleware has inserted and counts the live prompts.
func takeOut(doc *xhtml.Node) (live int) {
	var ours []*xhtml.Node
	for n := range doc.Descendants() {
		if isOurs(n) {
			ours = append(ours, n)
			if n.Data == "aside" && isLive(n) {
				live++
			}
		}
	}
	for _, n := range ours {
		n.Parent.RemoveChild(n)
	}
	return live
}

func isOurs(n *xhtml.Node) bool {
	for _, a := range n.Attr {
		switch {
		case n.Data == "aside" && a.Key == "class" && strings.Contains(a.Val, "askonce"),
			a.Key == "href" && strings.HasPrefix(a.Val, "/askonce/prompt-"), a.Key == "src" && strings.HasPrefix(a.Val, "/askonce/"):
			return true
		}
	}
	return false
}

// isLive reports whether a browser would show n: it is in the body, and in nothing
// that does not show its content.
func isLive(n *xhtml.Node) bool {
	inBody := false
	for p := range n.Ancestors() {
		switch p.Data {
		case "body":
			inBody = true
		case "template", "select", "noscript", "textarea", "title", "iframe", "object", "button", "svg", "math":
			return false
		}
	}
	return inBody
}

// dump writes a tree, with adjacent texts as one and without white space at their
// ends.
func dump(n *xhtml.Node, depth int) string {
	var b, text strings.Builder
	flush := func() {
		if s := strings.TrimSpace(text.String()); s != "" {
			fmt.Fprintf(&b, "\n%*s#%s", depth, "", s)
		}
		text.Reset()
	}
	for c := range n.ChildNodes() {
		if c.Type == xhtml.TextNode {
			text.WriteString(c.Data)
			continue
		}
		flush()
		fmt.Fprintf(&b, "\n%*s%d %s %q%s", depth, "", c.Type, c.Data, c.Attr, dump(c, depth+1))
	}
	flush()
	return b.String()
}
