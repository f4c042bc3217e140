package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
)

// TestCheckID tries every byte at every place of short ids.
func TestCheckID(t *testing.T) {
	t.Parallel()
	valid := func(id string) bool {
		return id != "" && len(id) <= store.MaxIDLen && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
	}
	for _, id := range []string{"", " ", "~", "Ω", "a\u0085", "\xc2", strings.Repeat("x", store.MaxIDLen), strings.Repeat("x", store.MaxIDLen+1)} {
		require.Equal(t, valid(id), store.CheckID(id) == nil, "%q", id)
	}
	for n := 1; n <= 4; n++ {
		for at := range n {
			for c := range 256 {
				for _, rest := range []string{" ", "~", "\x00", "\x7f", "\x80", "\xff"} {
					id := strings.Repeat(rest, at) + string([]byte{byte(c)}) + strings.Repeat(rest, n-at-1)
					if err := store.CheckID(id); valid(id) != (err == nil) {
						require.Equal(t, valid(id), err == nil, "%q", id)
					} else if err != nil {
						require.ErrorIs(t, err, store.ErrInvalid)
					}
				}
			}
		}
	}
}

func TestEveryStudyCanBePaused(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for n := 1; n <= store.MaxIDLen; n++ {
		for _, id := range []string{strings.Repeat("a", n), strings.Repeat("a", n-1) + "b"} {
			name := store.PauseSwitch(id)
			require.NoError(t, store.CheckID(name), "%d bytes", n)
			require.False(t, names[name] || name == store.PauseAll)
			names[name] = true
		}
	}
	require.True(t, names["pause/aaa"])
}

func TestEnumsPrintAsText(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{
		`"shown"`: store.InteractionShown, `"opened"`: store.InteractionOpened, `"undone"`: store.InteractionUndone,
		`"snoozed"`: store.InteractionSnoozed, `"declined"`: store.InteractionDeclined, `"opted_out"`: store.InteractionOptedOut,
		`"completed"`:   store.InteractionCompleted,
		`"unknown"`:     store.InteractionKind(9),
		`"transcripts"`: store.ExpirableTranscripts, `"dead_jobs"`: store.ExpirableDeadJobs, `"dead_letters"`: store.ExpirableDeadLetters,
		`"Expirable(9)"`: store.Expirable(9),
	} {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		require.Equal(t, want, string(text))
		require.Equal(t, strings.Trim(want, `"`), fmt.Sprint(v))
	}
}
