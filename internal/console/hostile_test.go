package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
)

// hostile is text that must not reach a page unchanged: markup, a bidirectional override,
// a NUL and other controls, and invalid UTF-8.
const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(1)>` + "\u202e\u2066\x00\x1b[31m\ufeff\u200b\u0085\xff"

// long is 5 MB of hostile.
var long = strings.Repeat(hostile, 5<<20/len(hostile))

// requireHarmless requires that a page is bounded and holds nothing hostile.
func requireHarmless(t *testing.T, a answer) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status)
	require.Less(t, len(a.text), 500_000)
	visible := regexp.MustCompile(` value="[^"]*"`).ReplaceAllString(a.text, "") // is sent back as it is
	for _, bad := range []string{"<script", "<img", "\u202e", "\u2066", "\x00", "\x1b", "\ufeff", "\u200b", "\u0085", "\xff"} {
		require.NotContains(t, visible, bad)
	}
	require.Contains(t, a.text, "&lt;script&gt;alert(1)&lt;/script&gt;", "it is shown as it is")
}

func Test_hostile_texts_do_nothing(t *testing.T) {
	t.Parallel()
	ids := strings.ToValidUTF8(strings.Map(func(r rune) rune { // what a store accepts as an id
		if r < ' ' || r == '\u0085' {
			return -1
		}
		return r
	}, hostile), "")
	for name, text := range map[string]string{"short": hostile, "5 MB": long} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept := memstore.New()
			s := setup(t, kept, nil)
			s.provider.set(func(p *provider) { p.study.Name = text })
			require.NoError(t, kept.SetSwitch(t.Context(), store.Switch{Name: store.PauseAll, On: true, By: ids, At: time.Now()}))
			requireHarmless(t, s.get(""))

			for range 5 {
				require.NoError(t, kept.AddDeadLetter(t.Context(), store.DeadLetter{ReceivedAt: time.Now(), Reason: text, Body: []byte(text + time.Now().String())}))
			}
			record(kept, ids)
			jobs, err := kept.ClaimJobs(t.Context(), time.Minute, 1)
			require.NoError(t, err)
			jobs[0].Reason = text
			require.NoError(t, kept.KillJob(t.Context(), jobs[0]))
			requireHarmless(t, s.get("queue"))
		})
	}
}
