package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// refuser invites everybody and refuses every click, for one reason.
type refuser struct {
	everybody
	reason gate.Reason
}

func (r refuser) Confirm(context.Context, gate.Visitor) gate.Decision {
	return gate.Decision{Reason: r.reason}
}

// TestPages looks at the pages of the endpoints, in the language with the longest words
// and with every button that a page may have.
func TestPages(t *testing.T) {
	t.Parallel()
	long(t)
	axe := axeCore.need(t)
	const submit = `(() => { const f = document.createElement("form"); f.method = "post"; f.action = "/askonce/`
	visits := map[string]func(*tab, string){"declined": func(b *tab, url string) {
		b.open(url + "/")
		b.run(chromedp.Evaluate(submit+`decline?study=study-1"; document.body.append(f); f.submit() })()`, nil))
	}}
	reasons := map[string]gate.Reason{"declined": gate.ReasonEligible}
	for _, reason := range []gate.Reason{gate.ReasonClosed, gate.ReasonFull, gate.ReasonCompleted, gate.ReasonPaused, gate.ReasonUnavailable, gate.ReasonDeclined, gate.ReasonAnonymous} {
		reasons["refused, "+reason.String()] = reason
		visits["refused, "+reason.String()] = func(b *tab, url string) { b.open(url + "/askonce/start?study=study-1") }
	}
	for name, visit := range visits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := middleware.New(refuser{reason: reasons[name]}, func(*http.Request) string { return "ada" }, &middleware.Options{
				Sender: middleware.Sender{Name: "Ledger"}, CookieKeys: [][]byte{make([]byte, 32), make([]byte, 16)},
			})
			require.NoError(t, err)
			srv := httptest.NewServer(m.Handler(http.HandlerFunc(servePage)))
			t.Cleanup(srv.Close)
			for _, l := range []look{{}, {dark: true}, {width: 320, height: 568, language: "de"}, {width: 280, height: 400, language: "fr", dark: true}} {
				b := newTab(t, l)
				visit(b, srv.URL)
				b.eventually(`document.readyState === "complete" && !!document.querySelector("main.card h1")`)
				require.True(t, eval[bool](b, `document.documentElement.scrollWidth <= innerWidth && [...document.querySelectorAll("a,button")].every((e) => {
					const r = e.getBoundingClientRect();
					return r.left >= 0 && r.right <= innerWidth && r.height >= 24 && e.scrollWidth <= e.clientWidth })`), "%+v", l)
				b.run(chromedp.Evaluate(axe, nil))
				faults := eval[[]string](b, `axe.run().then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html.slice(0, 120) + " " + n.failureSummary)))`)
				require.Empty(t, strings.Join(faults, "\n"), "%+v", l)
			}
		})
	}
}
