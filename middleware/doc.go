// Package middleware puts a prompt into the pages of any http.Handler, for the
// users whom a gate wants to ask, and serves the few endpoints that the prompt
// needs.
//
// A request that gets no prompt is handed on with its own ResponseWriter and
// Request: nothing is wrapped and nothing is allocated. For a user who is
// asked, the page is not searched: every byte passes through untouched but for
// a short tail, and when the handler returns, the prompt is placed at the end of
// that tail if it is the end of an HTML document. Everything else (other types,
// statuses, encodings, fragments, truncated pages) passes byte for byte.
//
// Mount it inside logging, recovery, sessions and compression, and outside
// whatever caches pages within the app: the prompt is one user's, and a page
// that carries it leaves as Cache-Control: private.
package middleware
