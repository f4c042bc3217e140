package middleware_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware"
)

// FuzzTail holds the place to what the independent parser makes of it: the
// prompt is live and the rest of the tree is the same. Here the tail holds the
// page whole.
func FuzzTail(f *testing.F) {
	for _, tt := range traps {
		f.Add(tt.page, true)
	}
	i := newInjector(f, middleware.Options{})
	snippet := snippetOf(f, i)
	f.Fuzz(func(t *testing.T, page string, navigation bool) {
		if len(page) > 1000 || beyondTheJudge(page) {
			return
		}
		at, outcome := tailPlace(t, i, snippet, page, navigation)
		if outcome == middleware.OutcomeInjected {
			if live, difference := judge(t, page, snippet, at); live != 1 || difference != "" {
				requireHidden(t, page, snippet, at)
			}
		}
	})
}

// FuzzTailOfLongPage does the same where the tail is only a part of the page. If
// nothing was open before it, the same must hold. If something was, the page's
// own closing tags lie and the prompt may be lost in it; but then, too, no text
// of the page may become markup.
func FuzzTailOfLongPage(f *testing.F) {
	open := []string{"<script>", "<!--", "<textarea>", "<style>", "<title>", `<input value="`, "<input value='", "<svg>", "<table>", "<select>", "<template>"}
	for n, tt := range traps {
		f.Add("", tt.page, true)
		f.Add(open[n%len(open)], tt.page, true)
		f.Add(open[n%len(open)], closing, n%2 == 0)
	}
	i := newInjector(f, middleware.Options{})
	snippet := snippetOf(f, i)
	f.Fuzz(func(t *testing.T, before, end string, navigation bool) {
		if len(before)+len(end) > 1000 || beyondTheJudge(before+end) {
			return
		}
		page := "<!doctype html><html><body>" + before + filler(1500) + end
		at, outcome := tailPlace(t, i, snippet, page, navigation)
		if outcome != middleware.OutcomeInjected {
			return
		}
		live, difference := judge(t, page, snippet, at)
		switch {
		case live == 1 && difference == "":
		case before == "":
			requireHidden(t, page, snippet, at)
		default:
			require.Empty(t, foreignMarkup(t, page, snippet, at))
		}
	})
}

// beyondTheJudge tells pages that the judge cannot judge: see
// TestGeneratedPages for links, and x/net/html drops two line feeds at the
// beginning of pre.
func beyondTheJudge(page string) bool {
	lower := strings.ToLower(page)
	return strings.Contains(lower, "<a") || strings.Contains(lower, "<pre") || strings.Contains(lower, "<listing") || strings.Contains(page, "askonce")
}

func tailPlace(t *testing.T, i *injector, snippet, page string, navigation bool) (at int, outcome middleware.Outcome) {
	t.Helper()
	r := pageRequest()
	if navigation {
		r.Header.Set("Sec-Fetch-Dest", "document")
	}
	rec, outcome := i.serve(t, r, respond(page))
	rest, at := without(t, rec.Body.String(), snippet)
	require.Equal(t, page, rest)
	return at, outcome
}
