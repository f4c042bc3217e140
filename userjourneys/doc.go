// Package userjourneys is a client of the API of userjourneys.ai, which runs
// voice interviews with an app's users.
//
//	client, err := userjourneys.NewClient(os.Getenv("USERJOURNEYS_API_KEY"), nil)
//	study, err := client.FindStudy(ctx, "Onboarding Feedback")
//	if study.AcceptingResponses {
//		fmt.Println(study.InterviewLink)
//	}
//
// Tests need no account: package
// [github.com/askonce/askonce/userjourneys/userjourneystest] is a fake provider
// that this client talks to over HTTP.
//
// The API is young. Names have changed once, and parts of it are undocumented,
// so this package decodes tolerantly: it ignores unknown fields and values,
// reads a field of an unexpected type as its zero value, skips and logs items of
// a list that it cannot use, and keeps the raw JSON of whatever has no
// documented shape.
//
// A project has exactly one webhook. A [Client.PutWebhook] from a laptop takes it
// away from production, so askonce never changes the webhook except in commands
// that an operator runs for that purpose.
package userjourneys
