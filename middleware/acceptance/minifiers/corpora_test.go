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
	"github.com/askonce/askonce/middleware/internal/pagetest"
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
	const begin, end = "<!doctype html>", "</body></html>"
	around, _ := inject(t, begin+end)
	snippet := strings.TrimSuffix(strings.TrimPrefix(around, begin), end)
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
				rest, at := pagetest.Without(t, injected, snippet)
				require.Equal(t, plain, rest)
				live, difference := pagetest.Judge(t, plain, snippet, at)
				require.Empty(t, difference, "page %d: …%q", i, plain[max(0, len(plain)-1200):])
				require.Equal(t, 1, live, "page %d: …%q", i, plain[max(0, len(plain)-1200):])
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
		OnPrompt:   func(_ *http.Request, _ string, o middleware.Outcome) { outcome = o },
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
