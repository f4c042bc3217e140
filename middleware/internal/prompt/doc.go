// Package prompt renders the prompt: its markup, its words in seven languages, its style
// sheet and script, and the pages of the endpoints.
//
// It also decides what the Content Security Policy of a page lets the prompt do. It knows
// no user, no gate and no response: it takes plain values, and returns bytes for its
// caller to place.
package prompt
