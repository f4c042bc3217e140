// Command askonce helps the operators and the developers of an app that uses askonce.
//
//	go run github.com/askonce/askonce/cmd/askonce@latest <command> [flags]
//
// The commands, each with a -h flag:
//
//	setup     shows or creates the project's webhook
//	rotate    replaces the webhook's signing secret
//	studies   lists the active studies and the places left in them
//	send      sends a signed test delivery to an endpoint
//	keys      makes keys for cookies or references
//	fake      runs a fake provider for development
//
// setup, rotate and studies read the API key from USERJOURNEYS_API_KEY. They use
// the API at USERJOURNEYS_BASE_URL if it is set.
//
// # Develop without an account
//
// Start a fake provider, and the app in another terminal with the variables that
// it prints:
//
//	askonce fake -webhook http://localhost:8080/webhooks/userjourneys
//
// The page that it names has switches that take the provider down, fill the study or
// lose deliveries. To try only the app's endpoint, without a provider:
//
//	USERJOURNEYS_WEBHOOK_SECRET=whsec_… askonce send -url http://localhost:8080/webhooks/userjourneys -user ada
//
// # Go to production
//
// A project has exactly one webhook. setup creates it, and never overwrites one unless
// told to:
//
//	USERJOURNEYS_API_KEY=uj_live_… askonce setup -url https://your.app/webhooks/userjourneys -secret-file secret
//	USERJOURNEYS_WEBHOOK_SECRET=$(cat secret)
//	askonce keys >> .env
//	USERJOURNEYS_API_KEY=uj_live_… askonce studies
//
// # Replace a secret that leaked
//
// The provider can change a secret only by deleting the webhook and creating it
// again. Give the app both secrets for a day (webhook.Options.PreviousSecrets):
//
//	USERJOURNEYS_API_KEY=uj_live_… askonce rotate -secret-file new-secret
package main
