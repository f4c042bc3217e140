// Package webhook receives the provider's interview.completed deliveries, fetches
// the transcripts, and finds the completions that were never delivered.
//
// A [Handler] accepts a delivery only if its body carries a signature made with
// the webhook's signing secret. It answers 200 only once the completion is durable
// in the store. [Handler.Run] does the rest in the background. It fetches the
// transcripts, from a queue of jobs that were stored together with the
// completions. It also walks the provider's list of interviews, because the
// provider does not promise to retry a delivery.
//
// # Mounting
//
// Mount the Handler outside of middleware that reads request bodies, because the
// signature covers the raw bytes, and of protection against cross-site request
// forgery, because the provider sends no token. At most 256 bodies are in flight.
// The next one displaces the one that has been arriving for the longest, which is
// answered with 503. This works behind any ResponseWriter; if a middleware's has
// no Unwrap method ([http.ResponseController]), set http.Server.ReadTimeout, so
// that the connections of slow senders end too.
//
// # Guarantees
//
// A delivery answered with 200 has been stored, unless it contained nothing to
// store. An interview is recorded once, however often it is delivered. A delivery
// that is authentic and cannot be used is kept as a dead letter before it is
// answered with 400, if the store implements [store.DeadLetters]. A replay cannot
// be told from a repeated delivery and has no effect, so the age of a delivery is
// not checked.
//
// A transcript is stored as soon as it is fetched, and [Options.OnCompleted] is
// called at least once for it. What fails for one interview holds up no other:
// a panic of the app's code, a refusal of the store or of the provider, and an
// odd item in the provider's list cost that one interview, and are logged once.
package webhook
