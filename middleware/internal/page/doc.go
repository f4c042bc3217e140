// Package page puts a snippet at the end of an HTML page while a handler writes
// it.
//
// Every byte of the page passes unchanged. The writer holds back the last kilobyte,
// and when the handler returns it looks at that alone: by the HTML standard an
// element after </body> or </html> still goes into the body, so the page itself is
// never searched, and no text in it can be mistaken for its end. While a page fits
// into the buffer its header waits, too: one that cannot have the snippet leaves as
// the handler made it.
//
// The package knows requests, responses and bytes. It knows no gate, no user and no
// prompt.
package page
