// Package gate decides whether a user shall be asked for an interview.
//
// A Gate stands for one study. Decide walks an ordered list of checks, the
// cheapest first, and stops at the first that says no: who the user is, the
// app's own rules, the study, its languages, the holdout, what the visitor has
// seen, whether the study has a place, pacing, and last the store. Explain walks
// all of them and says what each found. Any doubt (the provider is down, the
// store does not answer, time is up) is Unavailable: nobody is asked, and nothing
// but a prompt is lost. Confirm decides again when the prompt is clicked, on an
// answer of the provider no older than 10 seconds.
//
// # Capacity
//
// The provider's answer is used for 3 minutes. After that it serves on while
// one request in the background fetches a newer one, for 15 minutes at most.
// While the provider fails it is asked about once a minute, and the last answer
// serves until it is too old. A page waits for the provider only when there is
// no answer that can be used and no failure is known, and then for 150 ms at
// most; Warm at the app's start spares the first pages that. A study that is
// missing is an answer: Closed.
//
// # Who is asked
//
// Options.Target has the app's own rules. Options.Holdout leaves a share of
// users out. Options.ExpectedUptake paces: of a study with three places left it
// shows the prompt to some dozens of users instead of a million. What each
// visitor has seen so far comes in as a History, which the middleware carries
// in a cookie: showings, "Later", "No thanks" and an opened interview each have
// a rule. Whoever has completed the study is never asked for it again.
//
// Several studies on one site are asked by priority with First, one prompt at
// a time.
//
// # References
//
// References write the user into the interview's link and read it back from the
// webhook. Plain ones are the user's id and can be edited by whoever follows the
// link; SignedReferences cannot be forged, and SealedReferences hide the id too.
// The gate and the webhook must have the same.
//
// The package knows nothing of HTTP.
package gate
