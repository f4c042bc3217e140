package page_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware/internal/page"
	"github.com/askonce/askonce/middleware/internal/pagetest"
)

// FuzzTail holds the place to what the independent parser makes of it: the
// prompt is live and the rest of the tree is the same. Here the tail holds the
// page whole.
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

// FuzzTailOfLongPage does the same where the tail is only a part of the page. If
// nothing was open before it, the same must hold. If something was, the page's
// own closing tags lie and the prompt may be lost in it; but then, too, no text
// of the page may become markup.
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
