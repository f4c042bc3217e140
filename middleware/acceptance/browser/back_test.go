package browser

import (
	"testing"
	"time"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

func TestBackAgain(t *testing.T) {
	t.Parallel()
	a := newApp(t, nil, always())
	b := newTab(t, look{whole: true}).open(a.url + "/")
	require.True(t, eval[bool](b, `(() => { addEventListener("pageshow", (e) => (self.restored = e.persisted)); return true })()`))
	b.open(a.url + "/other")
	b.back()
	b.eventually(`document.readyState === "complete" && location.pathname === "/"`)
	b.eventually(`self.restored !== undefined`)
	require.True(t, eval[bool](b, `self.restored`), "nothing of ours keeps a page out of the back-forward cache")
	b.eventually(`performance.getEntriesByType("resource").some((e) => e.name.includes("/askonce/decision?peek") && e.responseStatus === 200)`)
	b.requirePrompts(1) // nothing has been answered

	b.open(a.url + "/other")
	b.click(declineButton)
	b.eventuallyNone()
	b.answered("decline")
	b.back()
	b.eventually(`location.pathname === "/"`)
	b.eventuallyNone()
	b.quiet()
}

// A page from the back-forward cache shows no prompt that is no longer due, whatever the
// reason is.
func TestBackToAPromptThatIsOver(t *testing.T) {
	t.Parallel()
	brief := func(o *gate.Options) *gate.Options {
		o.Linger = 2 * time.Second
		return o
	}
	record := func(t *testing.T, a *app) {
		_, err := a.store.Record(t.Context(), store.Completion{Key: store.Key{StudyID: a.study, UserID: "ada"}, InterviewID: "i", CompletedAt: time.Now()})
		require.NoError(t, err)
	}
	note := func(kind store.InteractionKind) func(t *testing.T, a *app) {
		return func(t *testing.T, a *app) {
			i := store.Interaction{Key: store.Key{StudyID: a.study, UserID: "ada"}, Kind: kind, At: time.Now(), Until: time.Now().Add(time.Hour)}
			if kind == store.InteractionOptedOut {
				i.StudyID = ""
			}
			require.NoError(t, a.store.Note(t.Context(), i))
		}
	}
	for _, tc := range []struct {
		reason    string
		opts      *gate.Options
		meanwhile func(t *testing.T, a *app)
	}{
		{"paused", always(), func(t *testing.T, a *app) {
			require.NoError(t, a.store.SetSwitch(t.Context(), store.Switch{Name: store.PauseSwitch(a.study), On: true, At: time.Now()}))
		}},
		{"shown_enough", brief(&gate.Options{MaxShowings: 1, ShowingPause: -1}), nil},
		{"cooling_down", brief(&gate.Options{}), nil},
		{"completed", always(), record},
		{"opened", always(), note(store.InteractionOpened)},
		{"snoozed", always(), note(store.InteractionSnoozed)},
		{"declined", always(), note(store.InteractionOptedOut)},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, nil, tc.opts)
			b := newTab(t, look{whole: true}).open(a.url + "/")
			require.True(t, eval[bool](b, `(() => { addEventListener("pageshow", (e) => (self.restored = e.persisted)); return true })()`))
			b.requirePrompts(1)
			b.until("shown", func() bool { return a.hasRecorded(store.InteractionShown) })
			b.open(a.url + "/app.css") // a document without a prompt
			if tc.meanwhile != nil {
				tc.meanwhile(t, a)
			}
			b.until(tc.reason, func() bool {
				return eval[string](b, `fetch("/askonce/decision?peek").then((r) => r.json()).then((d) => d.reason)`) == tc.reason
			})
			b.back()
			b.eventually(`self.restored === true`)
			b.eventuallyNone()
			require.False(t, eval[bool](b, `!!document.querySelector("aside.askonce")`))
			b.quiet()
		})
	}
}

// back goes back; a page from the back-forward cache is not loaded again, so there is no load to wait for.
func (b *tab) back() {
	b.t.Helper()
	b.run(chromedp.Evaluate(`setTimeout(() => history.back())`, nil))
}
