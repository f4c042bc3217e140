package page_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware/internal/page"
	"github.com/askonce/askonce/middleware/internal/pagetest"
)

// FuzzTail compares with the oracle: the prompt must be seen, and the rest of the tree must
// be the same. These pages are shorter than the tail.
func FuzzTail(f *testing.F) {
	for _, tt := range pagetest.Traps {
		f.Add(tt.Page)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 || pagetest.BeyondTheJudge(text) {
			return
		}
		at, outcome := place(t, text)
		if outcome == page.OutcomeInjected {
			if live, difference := pagetest.Judge(t, text, snippet, at); live != 1 || difference != "" {
				pagetest.RequireHidden(t, text, snippet, at)
			}
		}
	})
}

// FuzzTailOfLongPage does the same for pages that are longer than the tail. If something is
// open before the tail, closing tags in the tail may be text of it, and the prompt may become
// a part of that text. Even then no text of the page may become markup.
func FuzzTailOfLongPage(f *testing.F) {
	open := []string{"<script>", "<!--", "<textarea>", "<style>", "<title>", `<input value="`, "<input value='", "<svg>", "<table>", "<select>", "<template>"}
	for n, tt := range pagetest.Traps {
		f.Add("", tt.Page)
		f.Add(open[n%len(open)], tt.Page)
		f.Add(open[n%len(open)], pagetest.Closing)
	}
	f.Fuzz(func(t *testing.T, before, end string) {
		if len(before)+len(end) > 1000 || pagetest.BeyondTheJudge(before+end) {
			return
		}
		text := "<!doctype html><html><body>" + before + pagetest.Filler(1500) + end
		at, outcome := place(t, text)
		if outcome != page.OutcomeInjected {
			return
		}
		live, difference := pagetest.Judge(t, text, snippet, at)
		switch {
		case live == 1 && difference == "":
		case before == "":
			pagetest.RequireHidden(t, text, snippet, at)
		default:
			require.Empty(t, pagetest.ForeignMarkup(t, text, snippet, at))
		}
	})
}
