// Package userjourneystest is a fake provider: an HTTP server that behaves like
// the API of userjourneys.ai, and misbehaves on demand.
//
//	fake := userjourneystest.NewServer(t, nil)
//	client, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
//	study, err := client.FindStudy(ctx, "Onboarding Feedback")
//
// A new server has one study, "Onboarding Feedback". The server also has the
// public page of each study's interview, with a button that finishes it: that
// counts against the limits, makes the transcript available and delivers the
// signed webhook. At its root is a page for people, with the interviews, the
// deliveries, and every switch of [Conditions].
//
// To develop an app against a fake without writing a program, run
// "askonce fake"; see the command [github.com/askonce/askonce/cmd/askonce].
package userjourneystest
