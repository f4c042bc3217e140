// Package page injects a snippet at the end of an HTML page while a handler writes the page.
//
// The page itself is sent unchanged. The last kilobyte is held back until the handler
// returns, and only there does the package look for the place: by the HTML standard,
// browsers insert an element after </body> or </html> into the body as well. No text in the
// rest of the page can be mistaken for its end, because nothing reads it.
//
// A page of up to 5 KB is buffered with its header until the handler returns or flushes. If
// it cannot have the snippet, it is sent as the handler wrote it. The header of a longer page is
// sent earlier, provided that the page begins as a document.
//
// The package knows requests, responses and bytes, but no gates, users or prompts.
package page
