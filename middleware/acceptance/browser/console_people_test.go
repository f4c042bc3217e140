package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// openInterview opens an interview with a transcript, from the list.
func (b *tab) openInterview(url string) {
	b.t.Helper()
	b.open(url + "interviews?quality=mixed")
	b.click("td a.mono")
	b.run(chromedp.WaitVisible(".turns", chromedp.ByQuery))
}

// lookUpRespondent goes on to the user whose interview is open.
func (b *tab) lookUpRespondent() {
	b.t.Helper()
	b.click("form[action=people] button")
	b.run(chromedp.WaitVisible("#said", chromedp.ByQuery))
}

// TestConsolePeople looks at one interview and at one user.
func TestConsolePeople(t *testing.T) {
	t.Parallel()
	long(t)
	axe := axeCore.need(t)
	url := newConsole(t)
	for name, l := range consoleLooks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, l)
			requireFine := func(page string) {
				t.Helper()
				eval[int](b, `document.querySelectorAll("details").forEach((d) => d.open = true), 0`)
				require.True(t, eval[bool](b, `document.documentElement.scrollWidth <= document.documentElement.clientWidth`), "the %s is wider than the window", page)
				requireAxe(t, b, axe, page)
			}
			b.openInterview(url)
			requireFine("interview")
			b.lookUpRespondent()
			requireFine("user")
			b.quiet()
		})
	}
}

// TestConsolePeopleActions deletes a transcript, resets and erases a user as an
// operator does, without a script.
func TestConsolePeopleActions(t *testing.T) {
	t.Parallel()
	url := newConsole(t)
	b := newTab(t, look{noJS: true})
	says := func(want string) {
		t.Helper()
		b.until(want, func() bool {
			var text string // and an error while a page gives way to the next
			return chromedp.Run(b.ctx, chromedp.Text("main", &text, chromedp.ByQuery)) == nil && strings.Contains(text, want)
		})
	}
	b.openInterview(url)
	b.click(".menu > summary")
	b.click("form[action=delete-transcript] button")
	says("The transcript is deleted. The interview still counts.")
	b.lookUpRespondent()
	b.click("form[action=reset] button")
	says("What the user saw and answered of this study is forgotten.")

	var user string
	erase := func(typed string) {
		t.Helper()
		b.run(chromedp.Value("form[action=people] input[name=user]", &user, chromedp.ByQuery))
		b.run(chromedp.SendKeys("input[name=confirm]", user+typed, chromedp.ByQuery, chromedp.NodeVisible))
		b.click("form[action=erase] button")
	}
	erase(", I think")
	says("Nothing was erased: you typed a different id.")
	erase("")
	says("The user is erased")
	b.run(chromedp.SendKeys("form[action=people] input[name=user]", user, chromedp.ByQuery, chromedp.NodeVisible))
	b.click("form[action=people] button")
	says("No interview of this user is recorded.")

	b.click("form[action=preview] button")
	says("This browser previews prompts for an hour, if the app accepts it.")
	says("The app does not accept it: its middleware.Options.Preview has to accept staff who have the cookie preview, and nobody else.")
	b.click("form[action=preview] button")
	says("This browser no longer previews prompts.")
	b.quiet()
}
