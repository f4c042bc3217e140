package middleware_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/internal/pagetest"
)

// pieces are the parts of the generated pages, like the tree construction cases of
// html5lib: every kind of token, nested and closed in any order. Only links are whole,
// because the prompt's own link closes an open one, and the parser rearranges its
// content (HTML standard, 13.2.6.4.7).
var pieces = []string{
	"<!doctype html>", "<html>", "<head>", "</head>", "<body>", "</body>", "</html>", "<title>", "</title>", "<title/>", "<base href=/x>",
	"<p>", "</p>", "<div>", "</div>", "<b>", "</b>", "<i>", "<a href=x>y</a>", "</a>", "<nobr>", "<br>", "</br>", "<h1>", "</h1>", "<ul><li>", "<dd>", "<pre>x",
	"<table>", "<tr>", "<td>", "</td>", "</tr>", "</table>", "<caption>", "<colgroup><col>", "<tbody>",
	"<select>", "<option>", "<optgroup>", "</select>", "<button>", "</button>", "<form>", "</form>", "<input type=hidden>", "<input>", "<object>", "</object>",
	"<svg>", "</svg>", "<svg/>", "<math>", "</math>", "<mi>", "</mi>", "<foreignObject>", "</foreignObject>", "<desc>", "<annotation-xml encoding='text/html'>", "<font color=x>", "<g>", "<path/>",
	"<script>", "</script>", "<script/>", "<style>", "</style>", "<style/>", "<textarea>", "</textarea>", "<xmp>", "</xmp>", "<iframe>", "</iframe>",
	"<noscript>", "</noscript>", "<noembed>", "</noembed>", "<noframes>", "</noframes>", "<template>", "</template>", "<frameset>", "</frameset>", "<frame>", "<plaintext>",
	"<!--", "-->", "--!>", "<!-->", "<!--->", "-- >", "<![CDATA[", "]]>", "<!x>", "<?x>", "</ x>", "</>", "<", "</", "< ", "<<", "&lt;", "&",
	"x", " ", "\n", "\x00", "'", `"`, "=", ">", "/", `<p title="`, `<p title='`, "<p title=", `<p "x>`, `<p a=/>`, `<svg a=/>`, "</BODY >", "</body/>", "</body x=y>", "</bodyx>",
}

// endings make the ends that matter more frequent.
var endings = []string{"</body></html>", "</body></html>", "</body>", "</html>\n", "</body></html><!-- x -->", "</body><script>x</script>", "</p>", "", "x"}

func generatePage(rnd *rand.Rand) string {
	var b strings.Builder
	b.WriteString([]string{"<!doctype html>", "<!doctype html>", "<html>", "<!doctype html><body>", ""}[rnd.IntN(5)])
	for range rnd.IntN(12) {
		b.WriteString(pieces[rnd.IntN(len(pieces))])
	}
	b.WriteString(endings[rnd.IntN(len(endings))])
	return b.String()
}

// Whatever a small page consists of, it either gets one live prompt and is otherwise
// the same, or it gets none.
func TestGeneratedPages(t *testing.T) {
	t.Parallel()
	n := 6_000
	if testing.Short() {
		n = 1_000
	}
	i := newInjector(t, middleware.Options{})
	snippet := snippetOf(t, i)
	seen, hiddenIn := map[middleware.Outcome]int{}, 0
	for seed := range n {
		page := generatePage(rand.New(rand.NewPCG(uint64(seed), 1)))
		var headers []string
		if seed%3 == 0 {
			headers = []string{"Sec-Fetch-Dest", "document"}
		}
		if page == "" {
			continue
		}
		rec, outcome := i.serve(t, pageRequest(headers...), respond(page))
		seen[outcome]++
		rest, at := without(t, rec.Body.String(), snippet)
		require.Equal(t, page, rest)
		require.Equal(t, outcome == middleware.OutcomeInjected, at >= 0, "seed %d %v %q", seed, outcome, page)
		if outcome != middleware.OutcomeInjected {
			continue
		}
		if live, difference := pagetest.Judge(t, page, snippet, at); live != 1 || difference != "" {
			pagetest.RequireHidden(t, page, snippet, at)
			hiddenIn++
		}
	}
	require.Less(t, hiddenIn, seen[middleware.OutcomeInjected]/2)
	t.Log(seen)
	require.Greater(t, seen[middleware.OutcomeInjected], n/10, "the generator must make pages that get it: %v", seen)
}

// Pages of real sizes, whole and cut off anywhere.
func TestSizes(t *testing.T) {
	t.Parallel()
	i := newInjector(t, middleware.Options{})
	snippet := snippetOf(t, i)
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20} {
		for _, end := range []string{"</body></html>\n", "<script src=\"/app.js\"></script></body>\n</html>", "<script>let a = '</body>'</script>", "</html><!-- cached -->"} {
			t.Run(fmt.Sprintf("%d %s", size, end), func(t *testing.T) {
				page := "<!doctype html><html><head><title>x</title></head><body>" + filler(size) + end
				rec, outcome := i.serve(t, pageRequest(), respond(page))
				require.Equal(t, middleware.OutcomeInjected.String(), outcome.String())
				rest, at := without(t, rec.Body.String(), snippet)
				require.Equal(t, page, rest)
				require.GreaterOrEqual(t, at, len(page)-len(end))
				if size == 1<<20 {
					return // the parser takes its time, and the tail is that of the others
				}
				live, difference := pagetest.Judge(t, page, snippet, at)
				require.Empty(t, difference)
				require.Equal(t, 1, live)
			})
		}
	}
}
