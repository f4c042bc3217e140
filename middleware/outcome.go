package middleware

// Outcome is what became of the prompt in one response. Its values are few, so
// that they can label a metric.
type Outcome uint8

// The outcomes. Only Injected and Rendered mean that the user was shown the
// prompt.
const (
	NoAnswer    Outcome = iota // the handler wrote nothing
	Injected                   // the prompt is in the page
	Rendered                   // the app rendered it itself, see PromptFrom
	Status                     // another status than 200
	NotHTML                    // another media type, or none that could be told
	Encoded                    // compressed by the handler or inside of this middleware
	Charset                    // a character encoding in which ASCII does not stand for itself
	Partial                    // a part of a page (Content-Range)
	Attachment                 // to be saved, not to be looked at
	NoTransform                // Cache-Control: no-transform, or signed
	Empty                      // no body
	Fragment                   // HTML, but neither the beginning nor the end of a document
	NoEndTag                   // a long document without </body> or </html>, whose end cannot be told from a script's text
	Unfinished                 // cut off, or open in a comment, a script or the like
	HeadOnly                   // a HEAD request: the header of the page, and no page
	Hijacked                   // the handler took the connection over
	Panicked                   // the handler panicked
)

var outcomeNames = [...]string{
	NoAnswer: "no_answer", Injected: "injected", Rendered: "rendered", Status: "status", NotHTML: "not_html", Encoded: "encoded",
	Charset: "charset", Partial: "partial", Attachment: "attachment", NoTransform: "no_transform", Empty: "empty",
	Fragment: "fragment", NoEndTag: "no_end_tag", Unfinished: "unfinished", HeadOnly: "head_only", Hijacked: "hijacked", Panicked: "panicked",
}

// String returns the outcome in snake case.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}
