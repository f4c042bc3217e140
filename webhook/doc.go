// Package webhook receives the provider's interview.completed deliveries, fetches
// the transcripts, and finds the completions that were never delivered.
//
// A [Handler] accepts a delivery only if its signature was made with the webhook's
// signing secret. It answers 200 only once the completion is durable in the store.
// [Handler.Run] does the rest in the background. It fetches the transcripts, from
// a queue of jobs that are stored together with the completions. It also walks the
// provider's list of interviews, because the provider does not promise to retry a
// delivery.
//
// # Mounting
//
// Mount the Handler outside middleware that reads request bodies, because the
// signature covers the raw bytes. Mount it outside protection against cross-site
// request forgery, because the provider sends no token.
//
// At most 256 bodies are in flight. One more displaces the one that has been
// arriving for the longest, which is answered with 503. This works behind any
// ResponseWriter. If a middleware's ResponseWriter has no Unwrap method
// ([http.ResponseController]), also set http.Server.ReadTimeout: otherwise slow
// senders keep their connections, and a Read of the body may still be going on when
// the Handler has returned, which middleware outside it must expect.
//
// # Guarantees
//
// A delivery answered with 200 has been stored, unless it contained nothing to
// store. An interview is recorded once, however often it is delivered. If the body
// of a signed delivery cannot be used and the store implements
// [store.DeadLetters], the body is kept as a dead letter before the delivery is
// answered with 400. The age of a delivery is not checked: a replay looks like a
// repeated delivery, and neither changes anything.
//
// A transcript is stored as soon as it is fetched, and [Options.OnCompleted] is
// called at least once for it. A failure affects only its own interview: a panic
// in the app's code, an error from the store or the provider, or an odd item in
// the provider's list is logged once, and the other interviews go on.
package webhook
