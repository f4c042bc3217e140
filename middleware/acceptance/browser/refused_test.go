package browser

import (
	"net/http"
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/stretchr/testify/require"
)

// The prompt thanks only for an answer that was recorded. Otherwise it says so, and the
// user can try again.
func TestRefusedAnswer(t *testing.T) {
	t.Parallel()
	const notSaved = said + ` === "Your answer could not be saved.Try again"`
	inEachBrowser(t, func(t *testing.T, w window) {
		for name, refuse := range map[string]http.HandlerFunc{
			"forbidden, as by a check of CSRF tokens": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
			"a page of the app":                       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) },
			"the connection breaks":                   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		} {
			a := newApp(t, nil, always())
			w.visit(a.url + "/")
			w.eventually(shown)
			for _, step := range []struct {
				button, then string
				recorded     store.InteractionKind
			}{
				{declineButton, said + `.startsWith("Thanks, we won’t ask again.")`, store.InteractionDeclined},
				{undoButton, prompts + ` === 1`, store.InteractionUndone},
				{declineButton, said + `.startsWith("Thanks, we won’t ask again.")`, store.InteractionDeclined},
				{neverButton, said + `.includes("any interview again")`, store.InteractionOptedOut},
			} {
				before := a.count(step.recorded)
				a.outside.Store(&refuse)
				w.json(`(`+step.button+`.click(), true)`, new(bool))
				w.eventually(notSaved)
				w.json(`(`+againButton+`.click(), true)`, new(bool))
				w.eventually(inPrompt + `.host.ariaBusy === null`)
				w.eventually(notSaved)
				require.Equal(t, before, a.count(step.recorded), name)
				a.outside.Store(nil)
				w.json(`(`+againButton+`.click(), true)`, new(bool))
				w.eventually(step.then)
				require.Equal(t, before+1, a.count(step.recorded), name)
			}
		}
	})
}

// Until the app has answered, the prompt claims nothing, and its close button works.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	release := make(chan struct{})
	slow := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release; panic(http.ErrAbortHandler) })
	t.Cleanup(func() { close(release) })
	b := newTab(t, look{noMotion: true}).open(a.url + "/")
	b.eventually(shown)
	other := b.sibling().open(a.url + "/")
	a.outside.Store(&slow)
	b.click(declineButton)
	b.eventually(`getComputedStyle(` + inPrompt + `.querySelector(".acts")).opacity === "0.7"`)
	b.requirePrompts(1)
	other.requirePrompts(1)
	b.click(laterButton)
	b.eventually(gone)
}

// What is refused outside the middleware is not in the app's log, so the browser's console
// says once that showings are not recorded.
func TestRefusedShowing(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	a.outside.Store(&refuse)
	b := newTab(t, look{}).open(a.url + "/")
	b.eventuallyProblem("askonce: not recorded")
	b.requirePrompts(1)
}
