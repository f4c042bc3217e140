package middleware_test

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/internal/pagetest"
)

// The security of the design: user text that is properly escaped for its place can
// neither become the place of the prompt nor make the prompt leave its context,
// wherever the page is cut off.

// hostile are names that users give themselves.
var hostile = []string{
	`</body></html>`, `</body><img src=x onerror=alert(1)>`, `</BODY ></HTML >`, `--></body></html>`, `]]></body></html>`,
	`</body></html><!--`, `\`, `'`, "`", `*/`, `//`, `</scrip`, `<!--<script>`,
}

// contexts are the places where pages put user text, each with just the escaping that
// it needs.
var contexts = []struct {
	name, before, after string
	escape              func(string) string
}{
	{"text", "<p>", "</p>", func(s string) string { return strings.ReplaceAll(s, "<", "&lt;") }},
	{"double-quoted value", `<input value="`, `">`, func(s string) string { return strings.ReplaceAll(s, `"`, "&quot;") }},
	{"single-quoted value", `<input value='`, `'>`, func(s string) string { return strings.ReplaceAll(s, `'`, "&#39;") }},
	{"textarea", "<textarea>", "</textarea>", func(s string) string { return strings.ReplaceAll(s, "</t", "&lt;/t") }},
	{"script string", `<script>var bio=`, `;document.title=bio</script>`, func(s string) string {
		b, _ := json.Marshal(s)
		return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", "<!--", `\u003c!--`, "<script", `\u003cscript`, "</script", `\u003c/script`).Replace(string(b))
	}},
	{"line comment in a script", "<script>init()// ", "\n</script>", func(s string) string {
		return strings.NewReplacer("<!--", "", "<script", "", "</script", "").Replace(s)
	}},
	{"JSON block", `<script type="application/json">{"bio":`, "}</script>", func(s string) string {
		b, _ := json.Marshal(s)
		return string(b)
	}},
	{"event handler", `<p onclick="show('`, `')">x</p>`, func(s string) string { return template.HTMLEscapeString(template.JSEscapeString(s)) }},
	{"comment", "<!-- ", " -->", func(s string) string { return strings.ReplaceAll(s, "--", "- -") }},
	{"style", "<style>p::after{content:'", "'}</style>", func(s string) string { return strings.NewReplacer("<", `\3c `, "'", `\27 `).Replace(s) }},
}

func TestUserTextIsNeverThePlace(t *testing.T) {
	t.Parallel()
	for _, c := range contexts {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := newInjector(t, middleware.Options{})
			snippet := snippetOf(t, i)
			for _, size := range []int{0, 2000} { // within the tail, and longer
				for _, text := range hostile {
					for _, pad := range []int{0, 1500} { // user text that alone is longer than the tail
						user := c.escape(strings.Repeat("x", pad) + text)
						whole := "<!doctype html><html><body>" + filler(size) + c.before + user + c.after + "<p>end</p></body></html>"

						// Whole: live, and before the last end tags.
						rec, outcome := i.serve(t, pageRequest(), respond(whole))
						if outcome == middleware.OutcomeInjected {
							rest, at := without(t, rec.Body.String(), snippet)
							require.Equal(t, whole, rest)
							require.Equal(t, closing, rest[at:])
							live, difference := pagetest.Judge(t, whole, snippet, at)
							require.Empty(t, difference)
							require.Equal(t, 1, live)
						} // else the user has hidden the prompt from those who read this

						// Cut off after the user's text: none of it has become markup.
						cut := strings.TrimSuffix(whole, c.after+"<p>end</p></body></html>")
						rec, outcome = i.serve(t, pageRequest("Sec-Fetch-Dest", "document"), respond(cut))
						got := rec.Body.String()
						rest, _ := without(t, got, snippet)
						require.Equal(t, cut, rest)
						if size+pad == 0 && c.name != "text" {
							require.NotEqual(t, middleware.OutcomeInjected, outcome, "the tail shows what is open: %q", cut)
						}
						requireNothingOfUsers(t, got, snippet)
					}
				}
			}
		})
	}
}

// requireNothingOfUsers fails if a page has an element or a handler that only the
// user's text can have made, or an incomplete script that might run.
func requireNothingOfUsers(t *testing.T, page, snippet string) {
	t.Helper()
	for n := range pagetest.Parse(t, page, true).Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		require.NotEqual(t, "img", n.Data, page)
		require.Empty(t, pagetest.Attribute(n, "onerror"), page)
		if n.Data != "script" || n.FirstChild == nil {
			continue
		}
		if code := n.FirstChild.Data; strings.Contains(code, "<aside") {
			// The page left a script open and the prompt ended it. It does not compile: see
			// TestSnippetIsNoProgram.
			begin, _, _ := strings.Cut(snippet, "</script>")
			require.True(t, strings.HasSuffix(code, begin), code)
		}
	}
}

// No script that the beginning of the prompt ends can run, in whatever state the script
// was: after the line feed, class= is a syntax error in JavaScript, and nothing before
// it closes a block comment or a template.
func TestSnippetIsNoProgram(t *testing.T) {
	t.Parallel()
	snippet := snippetOf(t, newInjector(t, middleware.Options{}))
	require.True(t, strings.HasPrefix(snippet, "<aside\nclass=\"askonce\""), snippet)
	require.NotContains(t, snippet, "*/")
	require.NotContains(t, snippet, "`")
	require.NotContains(t, snippet, "-->")
	require.NotContains(t, snippet, "<!--")
	require.Equal(t, 1, strings.Count(snippet, "</script"))
	for _, c := range snippet {
		require.Less(t, c, rune(128), "ASCII is the same in every charset that is not refused")
	}
}

// A script, a comment or a text area that began before the tail.
func TestOpenBeforeTheTail(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	snippet := snippetOf(t, i)
	for _, open := range []string{"<script>", "<!--", "<textarea>", "<xmp>", "<plaintext>", "<style>", "<title>", `<input value="`} {
		long := "<!doctype html><html><body>" + open + strings.Repeat("text of a script or so; ", 100)
		for _, end := range []string{"<b>x</b>", "e.innerHTML='<p></p>", "</p>", "text"} {
			for _, times := range []int{1, 20} { // in the buffer as a whole, and only its tail
				long := "<!doctype html><html><body>" + open + strings.Repeat("text of a script or so; ", 100*times)
				rec, outcome := i.serve(t, pageRequest("Sec-Fetch-Dest", "document"), respond(long+end))
				require.Equal(t, middleware.OutcomeUnfinished.String(), outcome.String(), open+end)
				require.Equal(t, long+end, rec.Body.String())
			}
		}
		// Closing tags are trusted. If they close nothing, the prompt is not shown, and only
		// the text around it changes.
		rec, outcome := i.serve(t, pageRequest(), respond(long+closing))
		require.Equal(t, middleware.OutcomeInjected, outcome)
		rest, _ := without(t, rec.Body.String(), snippet)
		require.Equal(t, long+closing, rest)
	}
	// A script that ends within the tail is seen.
	for _, ended := range []string{"<script>%</script>", "<!--%-->", "<textarea>%</textarea>", "<style>%</style>"} {
		for _, text := range []string{"a<b && c = \"", "for(i=0;i<n;i++)x='", "<svg><table>", "if(i-->0)"} {
			long := "<!doctype html><html><body>" + strings.Replace(ended, "%", strings.Repeat(text+" ", 200), 1) + "<p>x</p>" + closing
			rec, outcome := i.serve(t, pageRequest(), func(w http.ResponseWriter, r *http.Request) { respond(long)(w, r) })
			require.Equal(t, middleware.OutcomeInjected.String(), outcome.String(), "%s %s", ended, text)
			_, at := without(t, rec.Body.String(), snippet)
			live, difference := pagetest.Judge(t, long, snippet, at)
			require.Empty(t, difference)
			require.Equal(t, 1, live)
		}
	}
}
