package middleware

// Outcome is what became of the prompt in one response. Its values are few, so
// that they can label a metric.
type Outcome uint8

// The outcomes. Only Injected and Rendered mean that the user was shown the
// prompt.
const (
	OutcomeNoAnswer    Outcome = iota // the handler wrote nothing
	OutcomeInjected                   // the prompt is in the page
	OutcomeRendered                   // the app rendered it itself, see PromptFrom
	OutcomeStatus                     // another status than 200
	OutcomeNotHTML                    // another media type, or none that could be told
	OutcomeEncoded                    // compressed by the handler or inside of this middleware
	OutcomeCharset                    // a character encoding in which ASCII does not stand for itself
	OutcomePartial                    // a part of a page (Content-Range)
	OutcomeAttachment                 // to be saved, not to be looked at
	OutcomeNoTransform                // Cache-Control: no-transform, or signed
	OutcomeEmpty                      // no body
	OutcomeFragment                   // HTML, but neither the beginning nor the end of a document
	OutcomeNoEndTag                   // a long document without </body> or </html>, whose end cannot be told from a script's text
	OutcomeUnfinished                 // cut off, or open in a comment, a script or the like
	OutcomeHeadOnly                   // a HEAD request: the header of the page, and no page
	OutcomeHijacked                   // the handler took the connection over
	OutcomePanicked                   // the handler panicked
	OutcomePolicy                     // the page's Content-Security-Policy lets the prompt have neither its script nor its style
)

var outcomeNames = [...]string{
	OutcomeNoAnswer: "no_answer", OutcomeInjected: "injected", OutcomeRendered: "rendered", OutcomeStatus: "status", OutcomeNotHTML: "not_html", OutcomeEncoded: "encoded",
	OutcomeCharset: "charset", OutcomePartial: "partial", OutcomeAttachment: "attachment", OutcomeNoTransform: "no_transform", OutcomeEmpty: "empty",
	OutcomeFragment: "fragment", OutcomeNoEndTag: "no_end_tag", OutcomeUnfinished: "unfinished", OutcomeHeadOnly: "head_only", OutcomeHijacked: "hijacked", OutcomePanicked: "panicked", OutcomePolicy: "policy",
}

// String returns the outcome in snake case.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}
