package page

// An Outcome says whether a response got the snippet, and if not, why.
type Outcome uint8

const (
	OutcomeNoAnswer    Outcome = iota // the handler wrote nothing
	OutcomeInjected                   // the snippet is in the page
	OutcomeRendered                   // the app claimed the snippet and rendered it itself
	OutcomeStatus                     // the status is not 200
	OutcomeNotHTML                    // another media type, or none that could be detected
	OutcomeEncoded                    // compressed by the handler or by an inner middleware
	OutcomeCharset                    // a charset in which ASCII bytes do not always mean ASCII characters
	OutcomePartial                    // a part of a page (Content-Range)
	OutcomeAttachment                 // to be saved, not displayed
	OutcomeNoTransform                // Cache-Control: no-transform, or signed
	OutcomeEmpty                      // no body
	OutcomeFragment                   // HTML that does not begin as a document
	OutcomeUnfinished                 // cut off, or a comment, a script or the like is open at the end
	OutcomeAMP                        // an AMP page, which the snippet's script would make invalid
	OutcomeHeadOnly                   // the header of a page, in response to HEAD
	OutcomeHijacked                   // the handler hijacked the connection
	OutcomePanicked                   // the handler panicked
	OutcomePolicy                     // the page's Content-Security-Policy does not allow the snippet
)

var outcomeNames = [...]string{
	OutcomeNoAnswer: "no_answer", OutcomeInjected: "injected", OutcomeRendered: "rendered", OutcomeStatus: "status",
	OutcomeNotHTML: "not_html", OutcomeEncoded: "encoded", OutcomeCharset: "charset", OutcomePartial: "partial",
	OutcomeAttachment: "attachment", OutcomeNoTransform: "no_transform", OutcomeEmpty: "empty", OutcomeFragment: "fragment",
	OutcomeUnfinished: "unfinished", OutcomeAMP: "amp", OutcomeHeadOnly: "head_only", OutcomeHijacked: "hijacked",
	OutcomePanicked: "panicked", OutcomePolicy: "policy",
}

// String returns the outcome in snake case, such as "not_html".
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}
