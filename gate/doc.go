// Package gate decides whether a user shall be asked for an interview.
//
// A Gate stands for one study. Decide walks an ordered list of checks, the
// cheapest first, and stops at the first that says no; Explain walks all of
// them and says what each found. Any doubt (the provider is down, the store
// does not answer, time is up) is Unavailable: nobody is asked, and nothing but
// a prompt is lost.
//
// The package knows nothing of HTTP: what a visitor has seen so far comes in as
// a History, and what to do about a Decision is the caller's business.
package gate
