package site

import (
	"context"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

// startFake starts a fake provider and registers the webhook with it. For a real
// app an operator does that once, with cmd/askonce. The study's id is fixed so
// that the store's completions still count after a restart.
func (s *Site) startFake(ctx context.Context) (*userjourneystest.Server, error) {
	fake := userjourneystest.Start(nil)
	study := fake.AddStudy(userjourneystest.Study{ID: "e5f6a7b8-1234-56cd-ef78-222222222222", Name: "Onboarding Feedback"})
	s.APIKey, s.BaseURL, s.Study = fake.APIKey(), fake.BaseURL(), study.Name
	s.WebhookURL = s.url() + WebhookPath
	uj, err := userjourneys.NewClient(s.APIKey, &userjourneys.Options{BaseURL: s.BaseURL})
	if err == nil {
		var hook userjourneys.Webhook
		hook, err = uj.PutWebhook(ctx, userjourneys.Webhook{URL: s.WebhookURL})
		s.WebhookSecret = hook.SigningSecret.Reveal()
	}
	if err != nil {
		fake.Close()
		return nil, err
	}
	return fake, nil
}
