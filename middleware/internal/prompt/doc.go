// Package prompt renders the prompt: its markup, its words in seven languages,
// its style sheet and script, and the pages of the start endpoint.
//
// It also decides what the Content Security Policy of a page lets the prompt do.
// It knows no user, no gate and no response: everything it needs is passed in as
// plain values, and what it returns are bytes for somebody else to place.
package prompt
