package page_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/middleware/internal/page"
	"github.com/askonce/askonce/middleware/internal/pagetest"
)

// snippet is a short snippet that the oracle takes for a prompt.
const snippet = `<aside class="askonce"><template shadowrootmode="open"></template></aside><script src="/askonce/x.js" defer></script>`

// plain is a [page.Snippet] that fits every page.
type plain struct{}

func (plain) Render(http.Header, string) ([]byte, bool) { return []byte(snippet), true }
func (plain) Tag() string                               { return "-x" }
func (plain) Carry(http.Header)                         {}

// inject serves one page through a [page.Response].
func inject(h http.Handler) (*httptest.ResponseRecorder, page.Outcome) {
	rec, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	var p page.Response
	p.Init(r.Context(), rec, r, plain{}, nil)
	h.ServeHTTP(&p, p.Request)
	return rec, p.Finish(false)
}

// place returns the position of the snippet in a page that is written at once, or -1.
func place(t testing.TB, text string) (at int, outcome page.Outcome) {
	t.Helper()
	rec, outcome := inject(pagetest.Splitter{Page: text})
	rest, at := pagetest.Without(t, rec.Body.String(), snippet)
	require.Equal(t, text, rest)
	require.Equal(t, outcome == page.OutcomeInjected, at >= 0, outcome)
	return at, outcome
}

// FuzzInject writes any page in any pieces. Apart from the snippet, or the spaces in place of
// it, the page must not change. The pieces must make no difference, unless the handler
// flushes. The oracle must agree with the position of the snippet.
func FuzzInject(f *testing.F) {
	for n, tt := range pagetest.Traps {
		f.Add(tt.Page, uint16(n), []byte{byte(n), byte(n * 7), byte(n * 13)}, n%2 == 0, uint16(n*37))
	}
	f.Fuzz(func(t *testing.T, text string, cut uint16, ways []byte, declare bool, long uint16) {
		if len(text) > 1000 || strings.Contains(text, "askonce") {
			return // the oracle could not tell the page from the snippet
		}
		if long > 0 {
			text = "<!doctype html>" + pagetest.Filler(int(long)) + text
		}
		s := pagetest.Splitter{Page: text, Ways: ways, Declare: declare}
		for at := 0; at < len(text) && len(s.Cuts) < 1000; at += 1 + int(cut)*(1+len(s.Cuts)%5) {
			s.Cuts = append(s.Cuts, at)
		}
		rec, outcome := inject(s)
		body := rec.Body.String()
		rest, at := pagetest.Without(t, body, snippet)
		if at < 0 && declare && len(body) > len(text) {
			rest = strings.TrimSuffix(body, strings.Repeat(" ", len(snippet)))
		}
		require.Equal(t, text, rest)
		require.Equal(t, outcome == page.OutcomeInjected, at >= 0, outcome)
		if length := rec.Header().Get("Content-Length"); length != "" {
			require.Equal(t, strconv.Itoa(len(body)), length, "the length must be right")
		}
		if !s.Flushes() && text != "" {
			wantAt, want := place(t, text)
			require.Equal(t, want.String(), outcome.String())
			require.Equal(t, wantAt, at)
		}
		if at < 0 || pagetest.BeyondTheJudge(text) {
			return
		}
		if live, difference := pagetest.Judge(t, text, snippet, at); live != 1 || difference != "" {
			pagetest.RequireHidden(t, text, snippet, at)
		}
	})
}
