package webhook_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/webhook"
)

// hookless is a project without a webhook, until it has one.
type hookless struct {
	*fakeInterviews
	mu   sync.Mutex
	hook string
}

func (h *hookless) Webhook(context.Context) (userjourneys.Webhook, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hook == "" {
		return userjourneys.Webhook{}, &userjourneys.Error{StatusCode: http.StatusNotFound}
	}
	return userjourneys.Webhook{URL: h.hook}, nil
}

func TestAProjectWithoutAWebhookIsNamedOnce(t *testing.T) {
	t.Parallel()
	h := &hookless{fakeInterviews: &fakeInterviews{}}
	inBubble(t, webhook.Options{Client: h, URL: "https://app.example/hook"}, func(b *bubble) {
		register := func(url string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.hook = url
		}
		b.run()
		b.wait(time.Hour)
		require.Equal(t, 1, strings.Count(b.log.String(), "no webhook is registered"))
		require.True(t, b.health().NoWebhook)
		require.False(t, b.health().OtherWebhook)
		register("https://other.example/hook")
		b.wait(time.Hour)
		require.Equal(t, 1, strings.Count(b.log.String(), "a webhook is registered again"))
		require.False(t, b.health().NoWebhook)
		require.True(t, b.health().OtherWebhook)
		register("https://app.example/hook")
		b.wait(time.Hour)
		require.False(t, b.health().OtherWebhook)
	})
}

func TestAWrongBaseURLIsNoMissingWebhook(t *testing.T) {
	t.Parallel()
	for name, studies := range map[string][]string{"one by id": {"e5f6a7b8-1234-56cd-ef78-222222222222"}, "by name": {"Onboarding Feedback"}} {
		t.Run(name, withClient(webhook.Options{Studies: studies}, func(b *clientBubble) {
			for range 1000 {
				b.wire.next(textAnswer(http.StatusNotFound, "text/html", "<h1>Not found</h1>"))
			}
			b.run()
			b.wait(time.Hour)
			require.Contains(b.t, b.log.String(), "reconciliation fails")
			require.NotContains(b.t, b.log.String(), "no webhook is registered")
			require.False(b.t, b.health().NoWebhook)
		}))
	}
}
