// Package webhook receives the provider's interview.completed deliveries and
// makes sure that none is missed.
//
// A Handler accepts a delivery only if its body carries a signature made with
// the webhook's signing secret, and answers 200 only when the completion is
// durable in the store. Everything else happens in Run: it fetches the
// transcripts, from jobs that were stored together with the completions, and
// walks the provider's own list for completions whose delivery never came, for
// the provider promises no retries.
//
// # Mounting it
//
// Mount the Handler outside whatever reads request bodies or checks for
// cross-site forgery: the signature covers the raw bytes, and the provider
// carries no token. Around it, a middleware's ResponseWriter should have Unwrap
// (see http.ResponseController): without it no read deadline can be set, and
// senders that are slow on purpose can keep the others out.
//
// At most 256 bodies are in flight. The next one takes the place of the one that
// has been arriving for the longest, which is answered 503.
//
// # What is promised
//
// A delivery that was answered 200 is in the store, if it says anything to
// record. The same interview is recorded once, however often and by whom it is
// told. An authentic delivery that makes no sense is kept as a dead letter, if
// the store keeps those (store.DeadLetters), before it is answered 400. A
// transcript is fetched at least once, and OnCompleted is called at least once.
// No replay can be told from a repetition, and none does anything: there is no
// check of a delivery's age.
package webhook
