// Package gate decides whether to invite a user to an interview.
//
// A [Gate] decides for one study. [Gate.Decide] runs a list of checks, the cheapest
// first, and stops at the first that fails: who the user is, the app's own rules, the
// study's languages, the holdout, what the user has seen and answered, whether the
// study has a place, whether asking is paused, pacing, and finally the store.
// [Gate.Explain] runs all of them and reports each result. Any doubt means
// [ReasonUnavailable]: the provider is down, the store does not answer, or time is up.
// Then nobody is invited, and only a prompt is lost. [Gate.Confirm] decides again when
// the prompt is clicked. [First] combines the gates of several studies by priority, one
// prompt at a time.
//
// # Capacity
//
// The provider's answer is used for 3 minutes. After that it is used for at most 12
// more while one request in the background fetches a newer one. While the provider
// fails, the gate tries again about once a minute. A page waits for the provider only
// if there is no usable answer and no known failure, and then for at most 150 ms.
// Call [Gate.Warm] at startup, so that the first pages need not wait. A missing study is
// an answer too: [ReasonClosed].
//
// # Who is invited
//
// [Options.Target] holds the app's own rules. [Options.Holdout] leaves a share of
// users out. [Options.ExpectedUptake] paces: a study with three places left is
// offered to a few dozen users, not to a million. A user who has completed a study
// is never invited to it again.
//
// What a user has seen and answered comes from two places. A store with
// [store.Interactions] has it for all of the user's devices, and the gate reads it
// together with the completion. The [History] is one browser's copy. The gate merges
// both. Showings, openings, "later", "no" and "never" each have their own rule.
//
// # References
//
// [References] write the user into the interview's link and read it back from the
// webhook. [PlainReferences] are the user's id, which a user can edit in the link.
// [SignedReferences] cannot be forged. [SealedReferences] also hide the id. Give the
// gate and the webhook the same References.
//
// The package itself does not use net/http.
package gate
