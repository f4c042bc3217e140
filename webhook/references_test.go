package webhook_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

const (
	noReferences    = "references cannot be read"
	referencesAgain = "references can be read again"
)

func TestUnreadableReferencesAreNamedUnlessAUserHasEditedOne(t *testing.T) {
	t.Parallel()
	readable := strings.Repeat("r", 9)
	for name, c := range map[string]struct {
		deliveries         string // r: readable, u: unreadable, e: expired, n: none
		warnings, recovery int
		alarm              bool
	}{
		"the very first":                {"u", 1, 0, true},
		"all":                           {"uuuuuuuuuuuu", 1, 0, true},
		"one":                           {readable + "u", 0, 0, false},
		"two in a row":                  {readable + "uu", 0, 0, false},
		"three in a row":                {readable + "uuu", 1, 0, true},
		"those without do not count":    {readable + "unnnununnn", 1, 0, true},
		"every second":                  {strings.Repeat("ru", 20), 1, 0, true},
		"every tenth":                   {strings.Repeat(readable+"u", 20), 0, 0, false},
		"an edited one as the first":    {"u" + readable, 1, 1, false},
		"not mended by a few":           {"uuurrrrr", 1, 0, true},
		"expired, but signed":           {"ru" + strings.Repeat("e", 9), 0, 0, false},
		"a user who edits link by link": {strings.Repeat("uuu"+readable, 3), 3, 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: logger, References: resolver{}})
			require.NoError(t, err)
			for n, kind := range c.deliveries {
				e := webhooktest.Completed(map[rune]string{'r': "user_1", 'u': "jane@example.com", 'e': "exp_1", 'n': ""}[kind])
				e.Data.InterviewID = fmt.Sprintf("int-%d", n)
				for range 4 { // a repeated delivery says nothing new
					require.Equal(t, 200, deliver(h, secret, e))
				}
			}
			require.Equal(t, c.warnings, strings.Count(log.String(), noReferences))
			require.Equal(t, c.recovery, strings.Count(log.String(), referencesAgain))
			require.Equal(t, strings.Count(c.deliveries, "u"), strings.Count(log.String(), "reference not read"))
			require.NotContains(t, log.String(), "jane")
			health, err := h.Health(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.alarm, health.UnreadableReferences)
		})
	}
}

func TestTheFirstCompletionIsOneOfAUser(t *testing.T) {
	t.Parallel()
	log, logger := newLog()
	h, err := webhook.New(secret, memstore.New(), &webhook.Options{Logger: logger, References: resolver{}, Client: &fakeInterviews{}, ReconcileEvery: -1})
	require.NoError(t, err)
	for _, reference := range []string{"", "forged", "gone_1"} {
		require.Equal(t, 200, deliver(h, secret, webhooktest.Completed(reference)))
	}
	require.NotContains(t, log.String(), "first completion recorded")
	require.Equal(t, 1, strings.Count(log.String(), "Run has not been called here"), "there are transcripts to fetch")
	for range 2 {
		require.Equal(t, 200, deliver(h, secret, webhooktest.Completed("user_1")))
	}
	require.Equal(t, 1, strings.Count(log.String(), "first completion recorded"))
	require.Equal(t, 1, strings.Count(log.String(), "Run has not been called here"))
}

func TestReconciliationFillsInTheUserOnceReferencesCanBeRead(t *testing.T) {
	t.Parallel()
	inBubble(t, webhook.Options{References: resolver{}}, func(b *bubble) {
		b.source.add(completed(interviewID, "ada"))
		require.NoError(t, b.Reconcile(t.Context()))
		require.Equal(t, 1, strings.Count(b.log.String(), noReferences))
		mended, err := webhook.New(secret, b.store, &webhook.Options{Client: b.source, Studies: []string{studyID}, Logger: discard})
		require.NoError(t, err)
		require.NoError(t, mended.Reconcile(t.Context()))
		done, err := b.store.Completed(t.Context(), store.Key{StudyID: studyID, UserID: "ada"})
		require.NoError(t, err)
		require.True(t, done)
	})
}
