// Package userjourneys is a typed client of the API of userjourneys.ai, which
// runs interviews with an app's users.
//
//	client, err := userjourneys.NewClient(os.Getenv("USERJOURNEYS_API_KEY"), nil)
//	study, err := client.FindStudy(ctx, "Onboarding Feedback")
//	if study.AcceptingResponses {
//		fmt.Println(study.InterviewLink)
//	}
//
// A program's own tests need no account: package userjourneystest is a fake
// provider that this client talks to over HTTP.
//
// The API is young: names have changed once, and where the documentation is
// silent this package decodes tolerantly. Fields and enum values that it does
// not know are ignored, a field of an unexpected type is left at its zero
// value unless nothing works without it, and whatever has an undocumented
// shape stays the raw JSON it came in.
//
// One webhook exists per project, so a PutWebhook from a laptop silently takes
// production's webhook away. Nothing in askonce calls PutWebhook or
// DeleteWebhook unless an operator asks for it.
package userjourneys
