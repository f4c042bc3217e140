// Package page puts a snippet at the end of an HTML page while a handler writes
// it.
//
// Every byte of the page passes unchanged. The writer holds back the last kilobyte and
// decides by that alone when the handler returns: by the HTML standard an element behind
// </body> or </html> still goes into the body. So the page is never searched, and none of
// its text can be mistaken for its end.
//
// While a page fits into the buffer of 5 KB, its header waits for the end, so a page that
// cannot have the snippet leaves as the handler made it. The header of a longer page leaves
// earlier. What does not begin as a document is refused by then.
//
// The package knows requests, responses and bytes. It knows no gate, user or prompt.
package page
