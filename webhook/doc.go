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
// Mount the Handler outside whatever reads request bodies or checks for
// cross-site forgery: the signature covers the raw bytes, and the provider
// carries no token.
package webhook
