// Package pagetest holds what the tests of injection share: pages on which injectors have
// failed, a handler that writes a page in pieces, and an oracle. The oracle is
// golang.org/x/net/html, which shares no code with the middleware. Whatever the reader of
// a page's end believes, a browser makes of the page what the oracle does.
package pagetest
