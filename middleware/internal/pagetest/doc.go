// Package pagetest holds what the tests of injection share: pages that break injectors, a
// handler that writes a page in pieces, and an oracle. The oracle is golang.org/x/net/html,
// which parses a page as a browser does and shares no code with the middleware.
package pagetest
