// Package minifiers puts prompts into pages as minifiers write them, which leave
// out </body></html> and other tags that are optional. Two parsers that share no
// code with the middleware judge the results: parse5, which is the HTML standard's
// algorithm in JavaScript, and golang.org/x/net/html.
//
//	go test ./middleware/acceptance/minifiers -v -run Corpora   # prints the counts
//
// Minifiers and parsers from npm are pinned by node/package-lock.json and kept in the
// user's cache. Without Node.js those corpora are skipped.
package minifiers
